//! The token of a request.

use axum::http::{HeaderMap, header};

use crate::problem::Problem;

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 4096;

/// The token in `Authorization: Bearer …`; `None` if there is no such field at all.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next(), values.next()) else { return Err(Problem::unauthorized()) };
    let Some(value) = value else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| value.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && token.len() <= MAX_TOKEN => {
            Ok(Some(token.trim()))
        }
        Some(_) | None => Err(Problem::unauthorized()),
    }
}
