//! Which keys there are, for admins. They are made, rotated and revoked where the key file is: on the command line.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::answer::{Caching, plain};
use crate::dto::KeysAnswer;
use crate::problem::Problem;
use crate::query::no_query;
use crate::state::Shared;

/// The keys that sign and those of game servers: their names and what they are good for, never what is secret.
#[utoipa::path(
    get, path = "/api/admin/keys", tag = "keys", security(("user" = [])),
    responses(
        (status = 200, description = "The keys", body = KeysAnswer),
        (status = 403, description = "`forbidden`: only admins may"),
    ),
)]
pub(super) async fn keys(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    app.administering(parts, async |_, parts| {
        no_query(&parts)?;
        let signing = app.accounts.signing_keys().await?;
        let game_servers = app.accounts.server_keys().await?;
        plain(StatusCode::OK, Caching::Private, &KeysAnswer::new(signing, game_servers))
    })
    .await
}
