//! Where the server is, out of a URL.

use scoreboard_core::InvalidValue;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::http::uri::{PathAndQuery, Scheme};

/// Where live connections are, below the path under which a server is mounted.
const ROUTE: &str = "/api/scoreboard/ws";

/// A server's address, taken apart once.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) uri: Uri,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

impl Address {
    /// Takes `http`, `https`, `ws` and `wss`, with a path or without.
    pub(crate) fn parse(server: &str) -> Result<Self, InvalidValue> {
        let invalid = |reason| InvalidValue::new("server", reason);
        let uri: Uri = server.trim().parse().map_err(|_| invalid("must be a URL like https://scores.example"))?;
        let tls = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(invalid("must begin with http://, https://, ws:// or wss://")),
        };
        let mut parts = uri.into_parts();
        let authority = parts.authority.clone().ok_or(invalid("must name a host"))?;
        // It would be sent to whoever answers, and seen in every list of processes.
        if authority.as_str().contains('@') {
            return Err(invalid("must hold no user and no password"));
        }
        let below = parts.path_and_query.take();
        if below.as_ref().is_some_and(|below| below.query().is_some()) {
            return Err(invalid("must have no query"));
        }
        let path = format!("{}{ROUTE}", below.as_ref().map_or("", |below| below.path().trim_end_matches('/')));
        parts.path_and_query = Some(PathAndQuery::try_from(path).map_err(|_| invalid("has a path that is none"))?);
        parts.scheme = Some(Scheme::try_from(if tls { "wss" } else { "ws" }).expect("both are schemes"));
        let uri = Uri::from_parts(parts).map_err(|_| invalid("must be a URL like https://scores.example"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { uri, host, port, tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_by_its_url() {
        for (url, uri, host, port, tls) in [
            ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/api/scoreboard/ws", "127.0.0.1", 8080, false),
            ("https://scores.example/", "wss://scores.example/api/scoreboard/ws", "scores.example", 443, true),
            ("http://game.example/scores", "ws://game.example/scores/api/scoreboard/ws", "game.example", 80, false),
            ("wss://game.example/a/b/", "wss://game.example/a/b/api/scoreboard/ws", "game.example", 443, true),
            ("ws://[::1]:90/", "ws://[::1]:90/api/scoreboard/ws", "::1", 90, false),
        ] {
            let address = Address::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!(address.uri.to_string(), uri);
            assert_eq!((address.host.as_str(), address.port, address.tls), (host, port, tls), "{url}");
        }
    }

    #[test]
    fn what_is_no_server_is_told() {
        for (url, part) in [
            ("", "must be a URL"),
            ("scores.example", "must begin with"),
            ("ftp://scores.example", "must begin with"),
            ("/scores", "must begin with"),
            ("http://ada:secret@scores.example", "no password"),
            ("http://scores.example/?token=secret", "no query"),
            ("http://", "must be a URL"),
        ] {
            let error = Address::parse(url).expect_err(url).to_string();
            assert!(error.contains(part) && !error.contains("secret"), "{url}: {error}");
        }
    }
}
