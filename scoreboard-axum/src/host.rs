//! For which host a request is meant.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Version, header};

use crate::problem::Problem;

/// Refuses a request that names no host, or several, or what is none (RFC 9112 §3.2): whoever stands in front may have read another
/// one than we would.
pub(crate) fn check_host(version: Version, headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version < Version::HTTP_11 => Ok(()),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), None) => Err(Problem::invalid("/header/Host", "must be a host, with or without a port")),
        (None, _) | (Some(_), Some(_)) => Err(Problem::invalid("/header/Host", "must be there, once")),
    }
}

/// Empty where the request's target has no host.
fn is_host(host: &[u8]) -> bool {
    // Parsing copies, and what most send is seen to be a host without.
    is_plain(host) || (!host.contains(&b'@') && Authority::try_from(host).is_ok())
}

/// A name or an IPv4 address, with or without a port.
fn is_plain(host: &[u8]) -> bool {
    let mut parts = host.splitn(2, |b| *b == b':');
    let name = parts.next().unwrap_or_default();
    let port_is_one = parts.next().is_none_or(|port| !port.is_empty() && port.iter().all(u8::is_ascii_digit));
    port_is_one && name.iter().all(|b| b.is_ascii_alphanumeric() || b".-".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_ones_are_hosts_by_the_grammar_too() {
        for host in ["localhost", "localhost:8080", "192.0.2.1:80", "a-b.example", "x:1"] {
            assert!(is_plain(host.as_bytes()) && Authority::try_from(host).is_ok(), "{host}");
        }
        for host in ["[::1]:80", "a_b", "a:b", "a:", "a b", "a@b", "a/b", "a:1:2"] {
            assert!(!is_plain(host.as_bytes()), "{host}");
        }
        assert!(is_host(b"") && is_host(b"[::1]:80") && is_host(b"a_b") && !is_host(b"a@b") && !is_host(b"a b"));
    }
}
