//! Actions: signed when they start, counted when they are done.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use scoreboard_core::{Error, IssueRequest, Receipt};

use crate::answer::{Caching, plain};
use crate::body::{json, within_size};
use crate::dto::{ActionAnswer, GenerateActionRequest, ReceiptAnswer, UpdateRequest};
use crate::problem::Problem;
use crate::rate_limit::limited;
use crate::state::Shared;

/// Signs an action that starts now.
#[utoipa::path(
    post, path = "/api/scoreboard/generate-action", tag = "actions", security(("user" = [])), request_body = GenerateActionRequest,
    responses((status = 201, description = "The action, to be handed in as it is", body = ActionAnswer), (status = 404, description = "`not_found`: there is no such board")),
)]
pub(super) async fn generate_action(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let user = app.user(&parts)?.user_id;
    let usage = app.limits.generate_action(user).await?;
    limited(usage, async {
        let GenerateActionRequest { board, kind, points } = json(&parts, body)?;
        let action = app.scoreboard.issue(user, IssueRequest { board, kind, points }).await?;
        plain(StatusCode::CREATED, Caching::Private, &ActionAnswer { action })
    })
    .await
}

/// Counts an action that is done, exactly once: sent again, it gets the first receipt with `replayed` set.
#[utoipa::path(
    post, path = "/api/scoreboard/update", tag = "actions", security(("user" = [])), request_body = UpdateRequest,
    responses(
        (status = 200, description = "The receipt", body = ReceiptAnswer),
        (status = 403, description = "`action_blocked` by the fraud rules, or `forbidden`"),
        (status = 404, description = "`not_found`: the board is gone"),
        (status = 422, description = "`idempotency_mismatch`: the action's id was used for another action"),
    ),
)]
pub(super) async fn update(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let user = app.user(&parts)?.user_id;
    let admission = app.scoreboard.admit(user).await.inspect_err(|error| count(&Err(error)))?;
    limited(admission.usage().copied(), async {
        let UpdateRequest { action, device_id } = json(&parts, body)?;
        let receipt = app.scoreboard.submit_admitted(admission, action).await;
        count(&receipt.as_ref());
        if receipt.is_ok() {
            let address = app.address(&parts).to_string();
            app.scoreboard.sightings().saw(user, &address, device_id.as_ref(), app.clock.now());
        }
        plain(StatusCode::OK, Caching::Private, &ReceiptAnswer { receipt: receipt? })
    })
    .await
}

fn count(outcome: &Result<&Receipt, &Error>) {
    let outcome = match outcome {
        Ok(receipt) if receipt.replayed => "replayed",
        Ok(_) => "applied",
        Err(Error::RateLimited(_)) => "limited",
        Err(Error::Rejected(_)) => "rejected",
        Err(_) => "failed",
    };
    metrics::counter!("scoreboard_updates_total", "outcome" => outcome).increment(1);
}
