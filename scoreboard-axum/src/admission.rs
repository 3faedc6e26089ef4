//! Whether a request gets to its route, and for how long: what costs its sender a refusal that a listed page can read, and so
//! stands behind CORS.
//!
//! It counts the request's address, refuses what is too large by its own account, bounds its time, and survives a panic.

use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::timeout;
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
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.route.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let app = self.app.clone();
        let address = ClientAddress::of(request.headers(), request.extensions(), &app.config.trusted_proxies);
        let size = declared_size(request.headers());
        // Nothing of the route runs before its future is polled.
        let route = self.route.call(request);
        Box::pin(async move {
            let admitted = async {
                app.limits.address(address).await?;
                size?;
                answered(&app, route).await
            };
            Ok(admitted.await.into_response())
        })
    }
}

/// The route's answer, if it comes in time and without a panic.
async fn answered(
    app: &Shared,
    route: impl Future<Output = Result<Response, Infallible>>,
) -> Result<Response, Problem> {
    let mut route = pin!(AssertUnwindSafe(route).catch_unwind());
    // Most answers are there at once, and need no clock.
    let answer = match poll_fn(|cx| Poll::Ready(route.as_mut().poll(cx))).await {
        Poll::Ready(answer) => Ok(answer),
        Poll::Pending => Box::pin(timeout(app.config.request_timeout, route)).await,
    };
    match answer {
        Ok(Ok(Ok(response))) => Ok(response),
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(panic)) => {
            let words = panic.downcast_ref::<&str>().copied();
            let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            tracing::error!(panic = words.unwrap_or("of an unknown kind"), "a handler panicked");
            Err(Problem::internal())
        }
        Err(_) => Err(Problem::unavailable("the request took too long")),
    }
}
