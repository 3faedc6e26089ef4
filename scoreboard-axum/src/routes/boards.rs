//! The boards themselves.

use axum::extract::{Request, State};
use axum::response::Response;

use crate::answer::{Caching, tagged};
use crate::dto::{BoardAnswer, BoardsAnswer};
use crate::problem::Problem;
use crate::query::no_query;
use crate::rate_limit::limited;
use crate::state::Shared;

/// All boards with their catalogues.
#[utoipa::path(
    get, path = "/api/scoreboard/boards", tag = "boards", security((), ("user" = [])),
    responses((status = 200, description = "The boards, sorted by id", body = BoardsAnswer), (status = 304, description = "The client has these")),
)]
pub(super) async fn boards(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let usage = app.reader(&parts).await?;
    limited(usage, async {
        no_query(&parts)?;
        let boards = app.scoreboard.boards().await?.into_iter().map(BoardAnswer::from).collect();
        tagged(&parts, Caching::Public, &BoardsAnswer { boards })
    })
    .await
}
