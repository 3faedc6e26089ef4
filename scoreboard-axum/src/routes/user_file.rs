//! A user before those who decide about them: who they are, what they may not, what they did.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use scoreboard_core::{CarriedOut, Rejection, Restricted, ReviewedActions, StandingQuery, UserId};

use crate::answer::{Caching, plain};
use crate::dto::{AccountAnswer, UserActionsParams, UserFileAnswer, UserFileParams, user_id};
use crate::names::of_decision;
use crate::problem::Problem;
use crate::query::query;
use crate::state::{AppState, Shared};

/// Who a user is, what they may not and since when, and where they stand as they are told themselves.
#[utoipa::path(
    get, path = "/api/admin/users/{userId}", tag = "moderation", security(("user" = [])),
    params(("userId" = UserId, Path, description = "Who"), UserFileParams),
    responses(
        (status = 200, description = "What there is of them, be they known here or not", body = UserFileAnswer),
        (status = 403, description = "`forbidden`: only moderators and admins may"),
        (status = 404, description = "`not_found`: there is no such board"),
    ),
)]
pub(super) async fn user_file(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    app.reviewing(parts, async |_, mut parts| {
        let user_id = user_id(&mut parts).await?;
        let UserFileParams { board } = query(&parts)?;
        let standing = app.scoreboard.own_standing(user_id, &StandingQuery::new(board)).await?;
        let account = app.accounts.store().user(user_id).await?.map(|user| AccountAnswer {
            display_name: user.display_name.as_str().to_owned(),
            roles: user.roles,
            created_at: user.created_at,
        });
        let (restriction, moderation) = restricted(&app, user_id).await?;
        let named = moderation.iter().flat_map(of_decision).chain([user_id]);
        let names = app.names(named).await;
        let answer = UserFileAnswer { user_id, account, restriction, moderation, standing, names };
        plain(StatusCode::OK, Caching::Private, &answer)
    })
    .await
}

/// What a user may not, and the decision that says so; nothing where nobody moderates.
async fn restricted(app: &AppState, user: UserId) -> Result<(Option<Restricted>, Option<CarriedOut>), Problem> {
    let restriction = match app.scoreboard.restriction(user).await {
        Ok(restriction) => restriction,
        Err(scoreboard_core::Error::Rejected(Rejection::NoModeration)) => None,
        Err(error) => return Err(error.into()),
    };
    let moderation = match &restriction {
        Some(Restricted { moderation_id, .. }) => app.scoreboard.carried_out(*moderation_id).await?,
        None => None,
    };
    Ok((restriction, moderation))
}

/// What a user did on a board, newest first, each action with whether it is void.
#[utoipa::path(
    get, path = "/api/admin/users/{userId}/actions", tag = "moderation", security(("user" = [])),
    params(("userId" = UserId, Path, description = "Whose"), UserActionsParams),
    responses(
        (status = 200, description = "A stretch of what they did", body = ReviewedActions),
        (status = 403, description = "`forbidden`: only moderators and admins may"),
        (status = 404, description = "`not_found`: there is no such board"),
    ),
)]
pub(super) async fn user_actions(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    app.reviewing(parts, async |_, mut parts| {
        let user_id = user_id(&mut parts).await?;
        let params: UserActionsParams = query(&parts)?;
        let (before, limit) = (params.before(), params.limit());
        let found = app.scoreboard.reviewed(&params.board, user_id, before, limit).await?;
        plain(StatusCode::OK, Caching::Private, &found)
    })
    .await
}
