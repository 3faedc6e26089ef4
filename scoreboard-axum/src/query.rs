//! Query strings, as strict as bodies: no unknown parameter, none twice, each within its bounds.

use std::borrow::Cow;

use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};

use crate::pointer::{in_words, pointer};
use crate::problem::Problem;

/// What the query string says.
pub(crate) fn query<T: DeserializeOwned>(parts: &Parts) -> Result<T, Problem> {
    let query = parts.uri.query().unwrap_or_default();
    let pairs = || serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    // Where it is wrong is worth a second look, which those that are right do not pay for.
    if let Ok(value) = T::deserialize(pairs()) {
        return Ok(value);
    }
    serde_path_to_error::deserialize(pairs())
        .map_err(|error| Problem::invalid(pointer("/query", error.path()), in_words(&error.inner().to_string())))
}

/// Nothing, where nothing is asked: what a client believes to have said there would not be heard.
pub(crate) fn no_query(parts: &Parts) -> Result<(), Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}

    if parts.uri.query().is_none() {
        return Ok(());
    }
    query(parts).map(|Nothing {}| ())
}

/// A whole number from `MIN` to `MAX`, in digits only.
pub(crate) fn within<'de, D: Deserializer<'de>, const MIN: i64, const MAX: i64>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    let text = Cow::<'_, str>::deserialize(deserializer)?;
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(number) if plain && (MIN..=MAX).contains(&number) => Ok(Some(number)),
        Ok(_) | Err(_) => Err(D::Error::custom(format_args!("must be a whole number from {MIN} to {MAX}"))),
    }
}
