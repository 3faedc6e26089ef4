//! What happens to every request before its route, and to every answer behind it: one middleware, for each layer costs every
//! request.
//!
//! It names the request, counts its address, refuses what is too large by its own account, bounds its time, survives a panic,
//! writes problems, and measures.

use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::address::ClientAddress;
use crate::body::declared_size;
use crate::problem::{self, Problem};
use crate::request_id::{X_REQUEST_ID, request_id};
use crate::state::{AppState, Shared};

pub(crate) async fn edge(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.headers(), app.clock.now());
    let id_text = id.to_str().unwrap_or_default();
    let series = app.series.of(request.extensions().get::<MatchedPath>().map(MatchedPath::as_str));
    let method = request.method().clone();
    let address = ClientAddress::of(&request, &app.config.trusted_proxies);
    request.extensions_mut().insert(address);

    let span =
        tracing::debug_span!("request", request.id = id_text, http.method = %method, http.route = series.route());
    let mut response = admitted(&app, address, request, next).instrument(span).await.into_response();

    let code = problem::render(&mut response, id_text);
    let took = started.elapsed();
    series.record(&method, response.status(), took);
    let status = response.status().as_u16();
    let duration_ms = took.as_secs_f64() * 1e3;
    if status >= 500 {
        let code = code.map(problem::Code::as_str);
        tracing::warn!(request.id = id_text, http.method = %method, http.route = series.route(), http.status = status, code, duration_ms, "a request failed");
    } else {
        tracing::debug!(request.id = id_text, http.method = %method, http.route = series.route(), http.status = status, duration_ms, "a request was answered");
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_REQUEST_ID, id);
    response
}

async fn admitted(app: &AppState, address: ClientAddress, request: Request, next: Next) -> Result<Response, Problem> {
    app.limits.address(address).await?;
    declared_size(request.headers())?;
    let route = AssertUnwindSafe(next.run(request)).catch_unwind();
    match timeout(app.config.request_timeout, route).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(panic)) => {
            let words = panic.downcast_ref::<&str>().copied();
            let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            tracing::error!(panic = words.unwrap_or("of an unknown kind"), "a handler panicked");
            Err(Problem::internal())
        }
        Err(_) => Err(Problem::unavailable("the request took too long; what it asked for may have been done, so send the same one again")),
    }
}
