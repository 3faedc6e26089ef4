//! Probes. Their query is not looked at: monitors add something new each time, to get past caches.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Caching, plain};
use crate::health::{Report, Status};
use crate::problem::{Problem, Whole};
use crate::state::Shared;

/// That the server is there.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    status: Status,
}

/// How the server and its parts are, as of at most a second ago.
#[utoipa::path(
    get, path = "/health", tag = "operations",
    responses((status = 200, description = "Up, or degraded", body = Report), (status = 503, description = "A part is down that is needed", body = Report)),
)]
pub(super) async fn health(State(app): State<Shared>) -> Result<Response, Problem> {
    let report = app.health.report(&app).await;
    let status = if report.status == Status::Down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let mut response = plain(status, Caching::Private, &*report)?;
    if report.status == Status::Down {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    // Down, the report says more than a problem would.
    response.extensions_mut().insert(Whole);
    Ok(response)
}

/// Whether the process answers at all. Asks no other part: a database that is away must not get servers restarted.
#[utoipa::path(
    get, path = "/health/live", tag = "operations",
    responses((status = 200, description = "It does", body = Alive)),
)]
pub(super) async fn live() -> Result<Response, Problem> {
    plain(StatusCode::OK, Caching::Private, &Alive { status: Status::Up })
}

/// Whether the server wants traffic.
#[utoipa::path(
    get, path = "/health/ready", tag = "operations",
    responses((status = 200, description = "It does", body = Alive)),
)]
pub(super) async fn ready(State(app): State<Shared>) -> Result<Response, Problem> {
    if app.lifecycle.is_ready() {
        plain(StatusCode::OK, Caching::Private, &Alive { status: Status::Up })
    } else {
        Err(Problem::unavailable("the server is starting or draining"))
    }
}
