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
    host.is_empty() || (!host.contains(&b'@') && Authority::try_from(host).is_ok())
}
