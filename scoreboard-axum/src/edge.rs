//! What happens to every request first and to every answer last, also to those of the layers within: one layer written by hand, for
//! every layer costs every request.
//!
//! It names the request, writes problems, and measures.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Version, header};
use axum::response::Response;
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::{Layer, Service};
use tracing::Instrument;
use tracing::instrument::Instrumented;

use crate::metrics::Series;
use crate::problem;
use crate::request_id::{X_REQUEST_ID, request_id};
use crate::state::Shared;

/// Surrounds routes.
#[derive(Debug, Clone)]
pub(crate) struct Edge(pub(crate) Shared);

impl<S> Layer<S> for Edge {
    type Service = EdgeService<S>;

    fn layer(&self, route: S) -> EdgeService<S> {
        EdgeService { app: self.0.clone(), route }
    }
}

/// A route with its surroundings.
#[derive(Debug, Clone)]
pub(crate) struct EdgeService<S> {
    app: Shared,
    route: S,
}

impl<S> Service<Request> for EdgeService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Finishing<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.route.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let started = Instant::now();
        let id = request_id(request.headers(), self.app.clock.now());
        let series = self.app.series.of(request.uri().path());
        let method = request.method().clone();
        // HTTP/2 has no such field: it has a word of its own for that.
        let is_last = request.version() <= Version::HTTP_11 && self.app.lifecycle.is_draining();
        let span = tracing::debug_span!("request", request.id = id.to_str().unwrap_or_default(), http.method = %method, http.route = series.route());
        // Nothing of the route runs before its future is polled.
        let route = self.route.call(request).instrument(span);
        Finishing { route, id, method, series, started, is_last }
    }
}

pin_project! {
    /// An answer on its way. By hand, for a box costs every request.
    pub(crate) struct Finishing<F> {
        #[pin]
        route: Instrumented<F>,
        id: HeaderValue,
        method: Method,
        series: Arc<Series>,
        started: Instant,
        // Whether the connection takes no further request.
        is_last: bool,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Finishing<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let parts = self.project();
        let mut response = ready!(parts.route.poll(cx))?;
        if *parts.is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            // Whoever keeps the connection would send the next request to a server that is gone by then.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Poll::Ready(Ok(finished(response, parts.id.clone(), parts.method, parts.series, *parts.started)))
    }
}

fn finished(mut response: Response, id: HeaderValue, method: &Method, series: &Series, started: Instant) -> Response {
    let id_text = id.to_str().unwrap_or_default();
    let code = problem::render(&mut response, id_text);
    let took = started.elapsed();
    series.record(method, response.status(), took);
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
