//! Whether a request gets to its route, and for how long: what costs its sender a refusal that a listed page can read, and so
//! stands behind CORS.
//!
//! It counts the request's address, refuses what is too large by its own account, bounds its time, and survives a panic.

use std::any::Any;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, CatchUnwind};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower::{Layer, Service};

use crate::address::ClientAddress;
use crate::body::declared_size;
use crate::problem::Problem;
use crate::state::Shared;

/// Surrounds routes.
#[derive(Debug, Clone)]
pub(crate) struct Admission(pub(crate) Shared);

impl<S> Layer<S> for Admission {
    type Service = AdmissionService<S>;

    fn layer(&self, route: S) -> AdmissionService<S> {
        AdmissionService { app: self.0.clone(), route }
    }
}

/// A route with its bounds.
#[derive(Debug, Clone)]
pub(crate) struct AdmissionService<S> {
    app: Shared,
    route: S,
}

impl<S> Service<Request> for AdmissionService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Admitted<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.route.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let size = declared_size(request.uri().path(), request.headers());
        let gate = if size.is_ok() && !self.app.limits.counts_addresses() {
            Gate::Open
        } else {
            let app = self.app.clone();
            let address = ClientAddress::of(request.headers(), request.extensions(), &app.config.trusted_proxies);
            Gate::Counting(Box::pin(async move {
                app.limits.address(address).await?;
                size
            }))
        };
        let request_timeout = self.app.config.request_timeout;
        // Nothing of the route runs before its future is polled.
        let route = AssertUnwindSafe(self.route.call(request)).catch_unwind();
        Admitted { route, gate, request_timeout, deadline: None }
    }
}

/// Whether the route may be asked.
enum Gate {
    Counting(BoxFuture<'static, Result<(), Problem>>),
    Open,
}

pin_project! {
    /// An answer on its way. By hand, so that the route's future is held once and in no box.
    pub(crate) struct Admitted<F> {
        #[pin]
        route: CatchUnwind<AssertUnwindSafe<F>>,
        gate: Gate,
        request_timeout: Duration,
        // Most answers are there at once, and need no clock.
        deadline: Option<Pin<Box<Sleep>>>,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Admitted<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let parts = self.project();
        if let Gate::Counting(counting) = parts.gate {
            match ready!(counting.as_mut().poll(cx)) {
                Ok(()) => *parts.gate = Gate::Open,
                Err(problem) => return Poll::Ready(Ok(problem.into_response())),
            }
        }
        match parts.route.poll(cx) {
            Poll::Ready(Ok(answer)) => return Poll::Ready(answer),
            Poll::Ready(Err(panic)) => return Poll::Ready(Ok(panicked(&*panic).into_response())),
            Poll::Pending => {}
        }
        let deadline = parts.deadline.get_or_insert_with(|| Box::pin(sleep(*parts.request_timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Ok(Problem::unavailable("the request took too long").into_response()))
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = words.unwrap_or("of an unknown kind"), "a handler panicked");
    Problem::internal()
}
