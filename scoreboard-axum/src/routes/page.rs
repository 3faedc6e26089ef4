//! The web page: its files are part of the binary.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;

use crate::answer::{content_tag, has_current};
use crate::problem::Problem;
use crate::state::Shared;

/// What the page may load, and who may show it: itself.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self'; \
     script-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const INDEX: &[u8] = include_bytes!("../../page/index.html");

macro_rules! assets {
    ($($name:literal)+) => {
        /// The files under `/assets/`.
        const ASSETS: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("../../page/", $name)))),+];
    };
}

assets! {
    "account.js" "action.js" "api.js" "app.js" "backoff.js" "board.css" "board.js" "connection.js" "fight.js" "format.js"
    "game.js" "kinds.js" "live.js" "motion.js" "notice.js" "own.js" "play.css" "session.js" "stars.js" "style.css" "tabstore.js" "theme.js"
}

pub(super) const TEMPLATES: [&str; 2] = ["/", "/assets/{file}"];

pub(super) fn router() -> Router<Shared> {
    let [page, assets] = TEMPLATES;
    Router::new().route(page, get(index)).route(assets, get(asset))
}

async fn index(headers: HeaderMap) -> Response {
    let mut response = file(&headers, "text/html; charset=utf-8", INDEX);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    response
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let found = ASSETS.iter().find(|(asset, _)| *asset == name);
    let (name, bytes) = found.ok_or_else(|| Problem::not_found("there is no such file"))?;
    let content_type =
        if name.ends_with(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
    Ok(file(&headers, content_type, bytes))
}

/// A file that a browser keeps and asks about: names do not change with the contents.
fn file(request: &HeaderMap, content_type: &'static str, bytes: &'static [u8]) -> Response {
    let tag = content_tag(bytes);
    let mut response = if has_current(request, tag.as_str()) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Bytes::from_static(bytes).into());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    if let Ok(tag) = HeaderValue::from_str(tag.as_str()) {
        headers.insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/page");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "index.html").collect();
        names.sort();
        assert_eq!(ASSETS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    }
}
