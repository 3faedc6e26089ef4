//! The web page, the console of moderators and admins, and the client module that they and others use: their files are part of the binary.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;

use crate::answer::{content_tag, has_current};
use crate::problem::Problem;
use crate::state::Shared;

/// What the page and the console may load, and who may show them: themselves.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self'; img-src 'self' data:; style-src 'self'; \
     script-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

static INDEX: LazyLock<String> = LazyLock::new(|| with_parts(include_str!("../../page/index.html")));
static CONSOLE: LazyLock<String> = LazyLock::new(|| with_parts(include_str!("../../page/admin/index.html")));

/// What both of them have, in the place of a comment that names the file.
const PARTS: [(&str, &str); 2] = [
    ("<!-- login-code.html -->", include_str!("../../page/login-code.html")),
    ("<!-- security.html -->", include_str!("../../page/security.html")),
];

fn with_parts(document: &str) -> String {
    PARTS.iter().fold(document.to_owned(), |document, (place, part)| document.replacen(place, part, 1))
}

macro_rules! files {
    ($folder:literal: $($name:literal)+) => {
        &[$(($name, include_bytes!(concat!("../../page/", $folder, $name)))),+]
    };
}

/// The files under `/assets/`.
const ASSETS: &[(&str, &[u8])] = files! {
    "":
    "account.js" "action.js" "api.js" "app.js" "around.js" "board.css" "board.js" "connection.js" "credentials.js" "device.js"
    "devices.js" "fight.js" "format.js" "forms.js" "game.js" "kinds.js" "login-code.js" "mailed.js" "motion.js" "news.js" "notice.js"
    "own.js" "play.css" "security.css" "security.js" "session.js" "sessions.js" "sleep.js" "sparkline.js" "stars.js" "style.css"
    "tabstore.js" "theme.js" "uuid.js"
};

/// The files under `/assets/admin/`: none says more than what anybody may read in the source.
const CONSOLE_ASSETS: &[(&str, &[u8])] = files! {
    "admin/":
    "boards.js" "chart.js" "console.css" "console.js" "crowd.js" "decision.css" "decision.js" "dom.js" "drawings.js"
    "evidence.css" "evidence.js" "gate.js" "health.js" "incident.js" "incidents.js" "intervals.js" "keys.js"
    "metrics.js" "moderations.js" "moments.js" "note.js" "pages.js" "people.js" "preview.js" "refusal.js" "rule-scope.js"
    "rules.js" "scope.js" "shortcuts.js" "tabs.js" "user.js" "users.js"
};

/// The files under `/client/`: for pages and games anywhere, so these names stay.
const CLIENT: &[(&str, &[u8])] = &[
    ("scoreboard-client.d.ts", include_bytes!("../../client/scoreboard-client.d.ts")),
    ("scoreboard-client.js", include_bytes!("../../client/scoreboard-client.js")),
];

pub(super) const TEMPLATES: [&str; 5] = ["/", "/assets/{file}", "/client/{file}", "/admin", "/assets/admin/{file}"];

pub(super) fn router() -> Router<Shared> {
    let [page, assets, client, console, console_assets] = TEMPLATES;
    let router = Router::new().route(page, get(index)).route(assets, get(asset)).route(client, get(client_file));
    router.route(console, get(console_index)).route(console_assets, get(console_asset))
}

async fn index(headers: HeaderMap) -> Response {
    document(&headers, INDEX.as_bytes())
}

/// The same for everyone: what it shows, it asks of the API with the token of who is signed in.
async fn console_index(headers: HeaderMap) -> Response {
    document(&headers, CONSOLE.as_bytes())
}

fn document(headers: &HeaderMap, bytes: &'static [u8]) -> Response {
    let mut response = file(headers, "text/html; charset=utf-8", bytes);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    response
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    one_of(ASSETS, &name, &headers)
}

async fn console_asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    one_of(CONSOLE_ASSETS, &name, &headers)
}

async fn client_file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    one_of(CLIENT, &name, &headers)
}

fn one_of(files: &[(&str, &'static [u8])], name: &str, headers: &HeaderMap) -> Result<Response, Problem> {
    let found = files.iter().find(|(file, _)| *file == name);
    let (name, bytes) = found.ok_or_else(|| Problem::not_found("there is no such file"))?;
    let content_type = match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        // The type that editors and runtimes which fetch a module's types expect.
        Some((_, "ts")) => "application/typescript; charset=utf-8",
        _ => "text/javascript; charset=utf-8",
    };
    Ok(file(headers, content_type, bytes))
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
    fn the_page_and_the_console_have_what_both_of_them_have() {
        for document in [&*INDEX, &*CONSOLE] {
            assert!(!document.contains(".html -->"));
            for id in ["code-lead", "code-ways", "security", "enrol-form", "end-others"] {
                assert_eq!(document.matches(&format!(r#" id="{id}""#)).count(), 1, "{id}");
            }
        }
    }

    #[test]
    fn every_file_of_the_page_and_the_client_is_served() {
        for (folder, files) in [("page", ASSETS), ("page/admin", CONSOLE_ASSETS), ("client", CLIENT)] {
            let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
            let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
            let files_of = entries.filter(|entry| entry.file_type().unwrap().is_file());
            let names = files_of.map(|entry| entry.file_name().into_string().unwrap());
            let mut names: Vec<_> = names.filter(|name| !name.ends_with(".html")).collect();
            names.sort();
            assert_eq!(files.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
        }
    }
}
