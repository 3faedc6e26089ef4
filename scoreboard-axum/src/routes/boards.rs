//! The boards themselves.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::answer::{Caching, plain};
use crate::dto::{BoardAnswer, BoardsAnswer};
use crate::problem::Problem;
use crate::rate_limit::limited;
use crate::state::Shared;

/// All boards with their catalogues.
#[utoipa::path(
    get, path = "/api/scoreboard/boards", tag = "boards", security((), ("user" = [])),
    responses((status = 200, description = "The boards, sorted by id", body = BoardsAnswer)),
)]
pub(super) async fn boards(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let usage = app.reader(&parts).await?;
    limited(usage, async {
        let boards = app.scoreboard.boards().await?.into_iter().map(BoardAnswer::from).collect();
        plain(StatusCode::OK, Caching::Public, &BoardsAnswer { boards })
    })
    .await
}
