//! The API's own description, and a page to read it on.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::state::Shared;

/// As for our page, but that Swagger UI writes styles into its elements.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; \
     script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static DESCRIPTION: LazyLock<Bytes> = LazyLock::new(|| {
    let json = crate::openapi().to_json();
    json.expect("a description is plain data").into()
});

/// This description: OpenAPI 3.1.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "The description", body = Object)),
)]
pub(super) async fn description() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")], DESCRIPTION.clone())
}

/// Those of Swagger UI.
pub(super) const TEMPLATES: [&str; 3] = ["/docs", "/docs/", "/docs/{*rest}"];

pub(super) fn router() -> Router<Shared> {
    let page = SwaggerUi::new("/docs").config(Config::from("/openapi.json"));
    // Only on what is there: the rest of the server has no use for what Swagger UI may.
    Router::from(page).route_layer(map_response(|mut response: Response| async {
        let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }))
}
