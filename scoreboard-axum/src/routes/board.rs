//! A board's pages and ranks.

use axum::extract::{Request, State};
use axum::response::Response;
use scoreboard_core::{Page, Position, ScoreRank, TopQuery};

use crate::answer::{Caching, stale, versioned, versioned_bytes};
use crate::dto::{RankParams, TopParams};
use crate::problem::Problem;
use crate::query::query;
use crate::rate_limit::limited;
use crate::state::Shared;

/// Where [`top`] is.
pub(super) const PATH: &str = "/api/scoreboard";

/// A page of a board, from the top or from a cursor on.
#[utoipa::path(
    get, path = "/api/scoreboard", tag = "boards", params(TopParams), security((), ("user" = [])),
    responses((status = 200, description = "The page; one that may be old, because the store or the names of its users cannot be read now, says so by `Age` and `Cache-Status` (RFC 9211)", body = Page), (status = 304, description = "The client has this version"), (status = 404, description = "`not_found`: there is no such board or season")),
)]
pub(super) async fn top(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let usage = app.reader(&parts).await?;
    limited(usage, async {
        let params: TopParams = query(&parts)?;
        let encoded = app.scoreboard.top_encoded(&TopQuery::from(params)).await?;
        let answer = versioned_bytes(&parts, encoded.position, Caching::Public, || Ok(encoded.bytes))?;
        Ok(match encoded.stale {
            None => answer,
            Some(old) => stale(answer, old, app.scoreboard.config().cache_lifetime),
        })
    })
    .await
}

/// Where a score would stand if a user reached it now.
#[utoipa::path(
    get, path = "/api/scoreboard/rank", tag = "boards", params(RankParams), security((), ("user" = [])),
    responses((status = 200, description = "The rank", body = ScoreRank), (status = 304, description = "The client has this version"), (status = 404, description = "`not_found`: there is no such board")),
)]
pub(super) async fn rank(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let usage = app.reader(&parts).await?;
    limited(usage, async {
        let params: RankParams = query(&parts)?;
        let found = app.scoreboard.score_rank(&params.board, params.style, params.score, params.min_version()).await?;
        let position = Position { epoch: found.epoch, version: found.version };
        versioned(&parts, position, Caching::Public, &found)
    })
    .await
}
