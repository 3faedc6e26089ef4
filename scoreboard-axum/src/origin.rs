//! Web origins, compared exactly.

use std::fmt;
use std::str::FromStr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};

use crate::problem::Problem;

/// The origin of a web page that may use the API from a browser: scheme, host and port, as a browser sends it.
///
/// ```
/// use scoreboard_axum::Origin;
/// let origin: Origin = "https://play.example.org".parse()?;
/// assert_eq!(origin.to_string(), "https://play.example.org");
/// assert!("https://play.example.org/".parse::<Origin>().is_err());
/// assert!("*".parse::<Origin>().is_err());
/// # Ok::<(), scoreboard_axum::InvalidOrigin>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin(HeaderValue);

/// What is no [`Origin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin must be like `https://play.example.org` or `http://localhost:3000`: lower case, no path")]
#[non_exhaustive]
pub struct InvalidOrigin;

impl Origin {
    pub(crate) const fn header(&self) -> &HeaderValue {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let uri: Uri = text.parse().map_err(|_| InvalidOrigin)?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().ok_or(InvalidOrigin)?.as_str();
        // Rebuilt and compared: a path, a user, or any other spelling would never equal what browsers send.
        let same = uri.scheme_str().map(|scheme| format!("{scheme}://{authority}")).as_deref() == Some(text);
        if web && same && !authority.contains('@') && !text.bytes().any(|b| b.is_ascii_uppercase()) {
            HeaderValue::from_str(text).map(Self).map_err(|_| InvalidOrigin)
        } else {
            Err(InvalidOrigin)
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// Refuses a browser's request whose page is neither the server's own nor on the list. What is no browser sends no `Origin`.
///
/// Live connections need this: a WebSocket may be opened from any page, whatever CORS says.
pub(crate) fn check_origin(parts: &Parts, allowed: &[Origin]) -> Result<(), Problem> {
    let mut origins = parts.headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => Ok(()),
        (Some(origin), None)
            if allowed.iter().any(|allowed| allowed.0 == origin) || is_own(origin, &parts.headers, &parts.uri) =>
        {
            Ok(())
        }
        (Some(_), _) => Err(Problem::forbidden("this origin may not open live connections")),
    }
}

/// Whether the page came from the host that is asked.
fn is_own(origin: &HeaderValue, headers: &HeaderMap, uri: &Uri) -> bool {
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str().as_bytes()));
    let origin = origin.as_bytes();
    let of_origin = origin.strip_prefix(b"https://").or_else(|| origin.strip_prefix(b"http://"));
    matches!((of_origin, host), (Some(of_origin), Some(host)) if !host.is_empty() && of_origin == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(origin: &str, host: &str) -> bool {
        let allowed = ["https://play.example.org".parse().unwrap()];
        let request = axum::http::Request::builder().header("host", host).header("origin", origin).body(()).unwrap();
        check_origin(&request.into_parts().0, &allowed).is_ok()
    }

    #[test]
    fn origins_are_compared_exactly() {
        assert!(check("https://play.example.org", "scores.example.org"));
        assert!(check("http://127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(check("https://scores.example.org", "scores.example.org"));
        for bad in [
            "null",
            "",
            "https://play.example.org.evil.org",
            "https://evil-play.example.org",
            "https://play.example.org:444",
            "http://play.example.org",
            "https://PLAY.example.org",
            "https://play.example.org/",
            "https://play.example.org, https://play.example.org",
            "file://",
            "http://",
            "scores.example.org",
            "ftp://scores.example.org",
            "https://scores.example.org:8443",
            "https://user@scores.example.org",
        ] {
            assert!(!check(bad, "scores.example.org"), "{bad}");
        }
        assert!(!check("http://", ""));
    }

    #[test]
    fn only_origins_are_listed() {
        for bad in [
            "*",
            "null",
            "",
            "play.example.org",
            "https://",
            "https://A.org",
            "https://a.org/x",
            "https://u@a.org",
            "ws://a.org",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
        for good in ["https://a.org", "http://localhost:3000", "http://[::1]:8080", "https://xn--bcher-kva.example"] {
            assert_eq!(good.parse::<Origin>().unwrap().to_string(), good);
        }
    }
}
