//! Cross-origin requests from listed pages.

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderName, Method, header};
use axum::response::Response;
use futures_util::future::Either;
use tower::{Layer, Service};
use tower_http::cors::{self, AllowOrigin, CorsLayer};

use crate::origin::Origin;
use crate::request_id::X_REQUEST_ID;

/// Lets pages of listed origins read answers, refusals too. Preflights are answered here and count against no quota: a browser sends
/// them by itself, and the answer is always the same.
#[derive(Debug, Clone)]
pub(crate) struct Cors(CorsLayer);

impl Cors {
    /// Without any origin there is no layer at all: a browser then refuses by itself.
    pub(crate) fn of(allowed: &[Origin]) -> Option<Self> {
        if allowed.is_empty() {
            return None;
        }
        let named = |name| HeaderName::from_static(name);
        let origins = allowed.iter().map(|origin| origin.header().clone());
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::IF_NONE_MATCH,
                named("idempotency-key"),
                named("last-event-id"),
                X_REQUEST_ID,
            ])
            .expose_headers([
                header::ETAG,
                header::RETRY_AFTER,
                named("ratelimit"),
                named("ratelimit-policy"),
                X_REQUEST_ID,
            ])
            .max_age(Duration::from_secs(3600));
        Some(Self(cors))
    }
}

impl<S: Clone> Layer<S> for Cors {
    type Service = CorsService<S>;

    fn layer(&self, route: S) -> CorsService<S> {
        CorsService { across: self.0.layer(route.clone()), route }
    }
}

/// A route that listed pages may use.
#[derive(Debug, Clone)]
pub(crate) struct CorsService<S> {
    across: cors::Cors<S>,
    route: S,
}

impl<S> Service<Request> for CorsService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<cors::ResponseFuture<S::Future>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        match self.route.poll_ready(cx) {
            Poll::Ready(Ok(())) => self.across.poll_ready(cx),
            waiting => waiting,
        }
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The layer takes every `OPTIONS` for a preflight; what is none is a method like others.
        let preflight = |headers: &axum::http::HeaderMap| {
            headers.contains_key(header::ORIGIN) && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        };
        if request.method() == Method::OPTIONS && !preflight(request.headers()) {
            Either::Right(self.route.call(request))
        } else {
            Either::Left(self.across.call(request))
        }
    }
}
