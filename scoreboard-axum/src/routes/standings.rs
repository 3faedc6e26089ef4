//! Where several users stand.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use scoreboard_core::{Error, Rejection, StandingQuery, Standings};

use crate::answer::{Caching, plain};
use crate::body::{json, within_size};
use crate::dto::StandingsBody;
use crate::problem::Problem;
use crate::rate_limit::limited;
use crate::state::Shared;

/// How many users may be asked for at once.
const MAX_USERS: usize = 100;

/// Where several users stand, all at one version: one each, in the order asked, `null` for who is not there.
#[utoipa::path(
    post, path = "/api/scoreboard/standings", tag = "users", security((), ("user" = [])), request_body = StandingsBody,
    responses((status = 200, description = "The standings", body = Standings), (status = 404, description = "`not_found`: there is no such board")),
)]
pub(super) async fn standings(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let usage = app.reader(&parts).await?;
    limited(usage, async {
        let StandingsBody { board, user_ids, style, min_version } = json(&parts, body)?;
        if user_ids.len() > MAX_USERS {
            return Err(Problem::invalid("/userIds", "must name at most 100 users"));
        }
        let query = StandingQuery { style, min_version, ..StandingQuery::new(board) };
        let standings = app.scoreboard.standings(&user_ids, &query).await.map_err(|error| match error {
            // Here it stands in the body.
            Error::Rejected(ahead @ Rejection::VersionAhead(_)) => Problem::invalid("/minVersion", ahead.to_string()),
            error => error.into(),
        })?;
        plain(StatusCode::OK, Caching::Public, &standings)
    })
    .await
}
