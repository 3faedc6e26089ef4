//! Cross-origin requests from listed pages.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::origin::Origin;
use crate::request_id::X_REQUEST_ID;

/// Lets pages of these origins read answers. Without any there is no layer at all: a browser then refuses by itself.
pub(crate) fn surround<S: Clone + Send + Sync + 'static>(router: Router<S>, allowed: &[Origin]) -> Router<S> {
    if allowed.is_empty() {
        return router;
    }
    let named = |name| HeaderName::from_static(name);
    let origins = allowed.iter().map(|origin| origin.header().clone());
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
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
    router.layer(cors)
}
