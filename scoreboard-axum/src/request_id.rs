//! Names for requests, in answers and in the log.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use scoreboard_core::{IdSourceExt, RandomIds, Timestamp};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The caller's name for the request if it is sane, else a new one. Always visible ASCII.
pub(crate) fn request_id(headers: &HeaderMap, now: Timestamp) -> HeaderValue {
    let kept = headers.get(X_REQUEST_ID).filter(|id| is_sane(id.as_bytes()));
    kept.cloned().unwrap_or_else(|| {
        let mut buffer = [0; 36];
        let text: &str = RandomIds.uuid(now).hyphenated().encode_lower(&mut buffer);
        HeaderValue::from_str(text).expect("a UUID is visible ASCII")
    })
}

/// What may stand in a log line and in another system's header.
fn is_sane(id: &[u8]) -> bool {
    (1..=64).contains(&id.len()) && id.iter().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sane_ids_are_kept() {
        let of = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(id.as_bytes()).unwrap());
            request_id(&headers, Timestamp::from_millis(0)).to_str().unwrap() == id
        };
        assert!(of("a.B-9_z") && of(&"x".repeat(64)));
        assert!(!of("") && !of("a b") && !of("a\"b") && !of("ä") && !of(&"x".repeat(65)));
    }
}
