//! A user's place, neighbourhood and history.

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use scoreboard_core::{HistoryPage, Page, Position, Standing, StandingQuery, UserId};

use crate::answer::{Caching, tagged, versioned, versioned_as};
use crate::bearer::bearer;
use crate::dto::{AroundParams, HistoryParams, StandingParams, user_id};
use crate::problem::Problem;
use crate::query::query;
use crate::rate_limit::{Subject, limited};
use crate::state::{AppState, Shared};

/// Where the user who is signed in stands.
#[utoipa::path(
    get, path = "/api/scoreboard/me", tag = "users", params(StandingParams), security(("user" = [])),
    responses((status = 200, description = "The standing; `null` if not on the board", body = Standing), (status = 304, description = "The client has this version"), (status = 404, description = "`not_found`: there is no such board or season")),
)]
pub(super) async fn own_standing(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let user = app.user(&parts)?.user_id;
    let usage = app.limits.read(Subject::User(user)).await?;
    limited(usage, own_standing_of(&app, &parts, user, "")).await
}

/// Where a user stands.
#[utoipa::path(
    get, path = "/api/scoreboard/users/{userId}", tag = "users", security((), ("user" = [])),
    params(("userId" = UserId, Path, description = "Whose standing"), StandingParams),
    responses((status = 200, description = "The standing; `null` if not on the board", body = Standing), (status = 304, description = "The client has this version"), (status = 404, description = "`not_found`: there is no such board or season")),
)]
pub(super) async fn standing(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let usage = app.reader(&parts).await?;
    limited(usage, async {
        let user = user_id(&mut parts).await?;
        // One's own is one's own, by whatever path it is asked for.
        if let Some(token) = bearer(&parts.headers)?
            && app.accounts.authenticate_enrolling(token)?.user_id == user
        {
            return own_standing_of(&app, &parts, user, ".own").await;
        }
        let params: StandingParams = query(&parts)?;
        let standing = app.scoreboard.standing(user, &StandingQuery::from(params)).await?;
        let position = Position { epoch: standing.epoch, version: standing.version };
        let mut answer = versioned(&parts, position, Caching::Public, &standing)?;
        // The user themselves may be told something else at the same place.
        answer.headers_mut().insert(header::VARY, HeaderValue::from_static("authorization"));
        Ok(answer)
    })
    .await
}

/// What a user is told of themselves: also what others are not shown. `mark` tells its tag from that of what others are told at this place.
async fn own_standing_of(app: &AppState, parts: &Parts, user: UserId, mark: &str) -> Result<Response, Problem> {
    let params: StandingParams = query(parts)?;
    let standing = app.scoreboard.own_standing(user, &StandingQuery::from(params)).await?;
    let position = Position { epoch: standing.epoch, version: standing.version };
    // Who is held from a version on was not yet when it was reached.
    let mark = if standing.provisional { ".provisional" } else { mark };
    versioned_as(parts, position, mark, Caching::Private, &standing)
}

/// Who stands around a user; nobody, if the user is not on the board.
#[utoipa::path(
    get, path = "/api/scoreboard/users/{userId}/around", tag = "users", security((), ("user" = [])),
    params(("userId" = UserId, Path, description = "Who is in the middle"), AroundParams),
    responses((status = 200, description = "The neighbourhood", body = Page), (status = 304, description = "The client has this version"), (status = 404, description = "`not_found`: there is no such board")),
)]
pub(super) async fn around(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let usage = app.reader(&parts).await?;
    limited(usage, async {
        let user = user_id(&mut parts).await?;
        let params: AroundParams = query(&parts)?;
        let page = app.scoreboard.around(&params.around(user)).await?;
        versioned(&parts, Position { epoch: page.epoch, version: page.version }, Caching::Public, &page)
    })
    .await
}

/// What a user did, newest first: one's own, or anyone's for moderators and admins.
#[utoipa::path(
    get, path = "/api/scoreboard/users/{userId}/history", tag = "users", security(("user" = [])),
    params(("userId" = UserId, Path, description = "Whose history"), HistoryParams),
    responses(
        (status = 200, description = "A stretch of the history", body = HistoryPage), (status = 304, description = "The client has this version"),
        (status = 403, description = "`forbidden`: it is another's"),
        (status = 404, description = "`not_found`: there is no such board"),
    ),
)]
pub(super) async fn history(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let reader = app.user(&parts)?.user_id;
    let usage = app.limits.read(Subject::User(reader)).await?;
    limited(usage, async {
        let user = user_id(&mut parts).await?;
        let params: HistoryParams = query(&parts)?;
        if user != reader {
            // Asked of the store, not of the token: a role that was taken away is gone at once. Who has an outside issuer has no roles.
            if !app.is_reviewer(reader).await? {
                return Err(Problem::forbidden("this is another user's history"));
            }
        }
        let page = app.scoreboard.history(&params.of(user)).await?;
        if page.entries.iter().any(|entry| entry.voided) {
            // What is void may become so, and no longer be so, without a version: where it makes no difference to a score.
            return tagged(&parts, Caching::Private, &page);
        }
        versioned(&parts, Position { epoch: page.epoch, version: page.version }, Caching::Private, &page)
    })
    .await
}
