//! The metrics, for Prometheus. Scrapers may be set to send parameters, which mean nothing here.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;
use crate::state::Shared;

/// All metrics as Prometheus text.
#[utoipa::path(
    get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain"), (status = 404, description = "`not_found`: no metrics are kept")),
)]
pub(super) async fn metrics(State(app): State<Shared>) -> Result<Response, Problem> {
    let metrics = app.metrics.as_ref().ok_or_else(|| Problem::not_found("no metrics are kept"))?;
    let headers =
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, metrics.render()).into_response())
}
