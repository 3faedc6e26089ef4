//! The way in for trusted game servers.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use scoreboard_core::{Error, RecordRequest, Rejection};

use crate::answer::{Caching, plain};
use crate::body::{json, within_size};
use crate::dto::{ReceiptAnswer, RecordBody};
use crate::problem::Problem;
use crate::state::Shared;

/// Counts a result that a trusted game server vouches for, exactly once under its idempotency key.
#[utoipa::path(
    post, path = "/api/scoreboard/record", tag = "actions", security(("gameServer" = []), ("gameServerSignature" = [])), request_body = RecordBody,
    params(("Idempotency-Key" = String, Header, description = "Names the result: sent again with the same body, it gets the first receipt", min_length = 1, max_length = 255, pattern = "^[!-~]{1,255}$")),
    responses(
        (status = 200, description = "The receipt", body = ReceiptAnswer),
        (status = 404, description = "`not_found`: there is no such board"),
        (status = 422, description = "`idempotency_mismatch`: the key was used with another body"),
    ),
)]
pub(super) async fn record(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    // No quota but the address': who holds a key is trusted, and may have a whole tournament to record. What is more than the store
    // can take is refused by its queue.
    let server = app.game_server(&parts, &body).await?;
    let key = idempotency_key(&parts.headers)?;
    let RecordBody { board, user_id, kind, points } = json(&parts, body)?;
    let request = RecordRequest { board, user_id, kind, points };
    let receipt = app.scoreboard.record(&server, key, request).await.map_err(|error| match error {
        // Here they stand at the top.
        Error::Rejected(out @ Rejection::ScoreOutOfRange) => Problem::from(out).at("/points"),
        error => error.into(),
    })?;
    plain(StatusCode::OK, Caching::Private, &ReceiptAnswer { receipt })
}

fn idempotency_key(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut keys = headers.get_all("idempotency-key").iter();
    match (keys.next().map(|key| key.as_bytes()), keys.next()) {
        (Some(key), None) if (1..=255).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic) => {
            Ok(std::str::from_utf8(key).expect("graphic ASCII is UTF-8"))
        }
        (Some(_) | None, _) => Err(Problem::invalid(
            "/header/Idempotency-Key",
            "must be there once, with 1 to 255 visible ASCII characters",
        )),
    }
}
