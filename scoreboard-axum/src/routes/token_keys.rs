//! The keys by which others verify access tokens.

use axum::extract::{Request, State};
use axum::response::Response;

use crate::answer::{Caching, tagged};
use crate::dto::TokenKeysAnswer;
use crate::problem::Problem;
use crate::rate_limit::limited;
use crate::state::Shared;

/// The public keys of access tokens, as a JWK set (RFC 7517): none where they are signed by HMAC. A new key is here before it signs.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "operations", security((), ("user" = [])),
    responses((status = 200, description = "The keys, the one that signs first", body = TokenKeysAnswer), (status = 304, description = "The client has these")),
)]
pub(super) async fn token_keys(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let usage = app.reader(&parts).await?;
    limited(usage, async { tagged(&parts, Caching::Public, &TokenKeysAnswer::from(app.accounts.public_token_keys())) })
        .await
}
