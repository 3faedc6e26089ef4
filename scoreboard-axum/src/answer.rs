//! Answers that went well.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use scoreboard_core::{Position, Stale};
use serde::Serialize;

use crate::problem::Problem;
use crate::text::Text;

/// Who may keep an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caching {
    /// Anyone, who then asks each time whether it still holds.
    Public,
    /// Nobody: it is for one user.
    Private,
}

impl Caching {
    const fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Public => "no-cache",
            Self::Private => "no-store",
        })
    }
}

/// How many headers such an answer has in the end, with those of the layers around: a map that grows costs more than all of them.
const USUAL_HEADERS: usize = 6;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A JSON answer that is true at a version; 304 if the client has that one.
pub(crate) fn versioned<T: Serialize>(
    parts: &Parts,
    position: Position,
    caching: Caching,
    body: &T,
) -> Result<Response, Problem> {
    versioned_bytes(parts, position, caching, || encode(body))
}

/// [`versioned`], of what is another answer than others get at this place and version: the mark tells them apart.
pub(crate) fn versioned_as<T: Serialize>(
    parts: &Parts,
    position: Position,
    mark: &str,
    caching: Caching,
    body: &T,
) -> Result<Response, Problem> {
    unless_current(parts, entity_tag(position, mark).as_str(), caching, || encode(body))
}

/// [`versioned`], of JSON that is there or can be made.
pub(crate) fn versioned_bytes(
    parts: &Parts,
    position: Position,
    caching: Caching,
    body: impl FnOnce() -> Result<Bytes, Problem>,
) -> Result<Response, Problem> {
    unless_current(parts, entity_tag(position, "").as_str(), caching, body)
}

/// A JSON answer that no one version names, known by its own bytes; 304 if the client has them.
pub(crate) fn tagged<T: Serialize>(parts: &Parts, caching: Caching, body: &T) -> Result<Response, Problem> {
    let body = encode(body)?;
    unless_current(parts, content_tag(&body).as_str(), caching, || Ok(body))
}

fn unless_current(
    parts: &Parts,
    tag: &str,
    caching: Caching,
    body: impl FnOnce() -> Result<Bytes, Problem>,
) -> Result<Response, Problem> {
    let mut headers = HeaderMap::with_capacity(USUAL_HEADERS);
    let mut response = if has_current(&parts.headers, tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        headers.insert(header::CONTENT_TYPE, JSON);
        Response::new(body()?.into())
    };
    headers.insert(header::CACHE_CONTROL, caching.header());
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    *response.headers_mut() = headers;
    Ok(response)
}

/// An answer that may be old says so: how old by `Age`, and by how much it is past its time by `Cache-Status` (RFC 9211 §2.4).
pub(crate) fn stale(mut answer: Response, old: Stale, lifetime: Duration) -> Response {
    const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
    let mut text = Text::<64>::default();
    let Stale { age, cause } = old;
    let past = age.as_secs().saturating_sub(lifetime.as_secs());
    if write!(text, "scoreboard; hit; ttl=-{past}; detail={}-unavailable", cause.as_str()).is_ok()
        && let Ok(status) = HeaderValue::from_str(text.as_str())
    {
        answer.headers_mut().insert(CACHE_STATUS, status);
    }
    answer.headers_mut().insert(header::AGE, age.as_secs().into());
    answer
}

/// A hash of the bytes in quotes. No stranger chooses them, so that 64 bits tell them apart.
pub(crate) fn content_tag(bytes: &[u8]) -> Text<48> {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let mut tag = Text::default();
    write!(tag, "\"{:016x}\"", hasher.finish()).expect("16 digits and two marks");
    tag
}

/// A position in quotes, with a mark of a few letters behind it.
fn entity_tag(position: Position, mark: &str) -> Text<64> {
    let mut tag = Text::default();
    let written = tag
        .write_str("\"")
        .and_then(|()| tag.write_number(position.epoch.get()))
        .and_then(|()| tag.write_str("."))
        .and_then(|()| tag.write_number(position.version.get()))
        .and_then(|()| tag.write_str(mark))
        .and_then(|()| tag.write_str("\""));
    written.expect("two numbers of 20 digits at most, three signs, and a mark");
    tag
}

/// A JSON answer that no version names.
pub(crate) fn plain<T: Serialize>(status: StatusCode, caching: Caching, body: &T) -> Result<Response, Problem> {
    let mut response = Response::new(encode(body)?.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response.headers_mut().insert(header::CACHE_CONTROL, caching.header());
    Ok(response)
}

/// Nothing to say.
pub(crate) fn no_content() -> Response {
    (StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, Caching::Private.header())]).into_response()
}

/// It is under way.
pub(crate) fn accepted() -> Response {
    (StatusCode::ACCEPTED, [(header::CACHE_CONTROL, Caching::Private.header())]).into_response()
}

fn encode<T: Serialize>(body: &T) -> Result<Bytes, Problem> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| {
        tracing::error!(%error, "an answer could not be encoded");
        Problem::internal()
    })
}

/// Whether `If-None-Match` names this tag; weak comparison, as RFC 9110 §13.1.2 wants it.
pub(crate) fn has_current(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_none_match_is_a_list() {
        let has = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(value));
            }
            has_current(&headers, "\"1.7\"")
        };
        assert!(has(&["\"1.7\""]) && has(&["W/\"1.7\""]) && has(&["*"]) && has(&["\"1.6\" , \"1.7\""]));
        assert!(has(&["\"1.6\"", "\"1.7\""]));
        assert!(!has(&[]) && !has(&["\"1.6\""]) && !has(&["1.7"]) && !has(&["\"1.77\""]) && !has(&[""]));
    }
}
