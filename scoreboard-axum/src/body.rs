//! Request bodies: first their size, later, once the caller may speak, what they say.

use std::fmt;
use std::marker::PhantomData;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use tokio::time::timeout;

use crate::pointer::{in_words, pointer, shortened};
use crate::problem::{Code, Problem};
use crate::query::no_query;
use crate::state::AppState;

/// The largest body, in bytes.
pub(crate) const MAX_BODY: usize = 16 * 1024;

/// The largest body of who may name many actions at once, in bytes. Nobody else's is read as far.
pub(crate) const MAX_LIST: usize = 128 * 1024;

/// Refuses a body that says itself that it is too large for its path.
pub(crate) fn declared_size(path: &str, headers: &HeaderMap) -> Result<(), Problem> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let Some(length) = declared.filter(|length| *length > MAX_BODY as u64) else { return Ok(()) };
    let max = if crate::routes::takes_lists(path) { MAX_LIST } else { MAX_BODY };
    if length > max as u64 { Err(too_large(max)) } else { Ok(()) }
}

/// A body that arrived, or what became of it: told when its turn comes, for who may not speak is told that first.
pub(crate) type Received = Result<Bytes, Problem>;

/// Reads the body, which has to be within size, and looks at nothing of it.
pub(crate) async fn within_size(app: &AppState, request: Request) -> Result<(Parts, Received), Problem> {
    let (parts, body) = request.into_parts();
    let received = Arriving::begin(app, body).await.end(app, MAX_BODY).await;
    match received {
        Err(problem) if problem.code() == Code::PayloadTooLarge => Err(problem),
        received => Ok((parts, received)),
    }
}

/// A body of which as much is read as anybody may send. The rest waits until it is known who sends it.
pub(crate) struct Arriving {
    chunks: BodyDataStream,
    first: Bytes,
    whole: BytesMut,
    /// Whether that was all of it.
    is_whole: Result<bool, Problem>,
}

impl Arriving {
    pub(crate) async fn begin(app: &AppState, body: Body) -> Self {
        let chunks = body.into_data_stream();
        let mut arriving = Self { chunks, first: Bytes::new(), whole: BytesMut::new(), is_whole: Ok(false) };
        arriving.is_whole = arriving.read(app, MAX_BODY).await;
        arriving
    }

    /// All of it, if it has at most this many bytes.
    pub(crate) async fn end(mut self, app: &AppState, max: usize) -> Received {
        let is_whole = match self.is_whole {
            Ok(false) if max > MAX_BODY => self.read(app, max).await?,
            is_whole => is_whole?,
        };
        match (is_whole, self.whole.is_empty()) {
            (false, _) => Err(too_large(max)),
            (true, true) => Ok(self.first),
            (true, false) => Ok(self.whole.freeze()),
        }
    }

    /// Reads on, as far as there are no more than this many bytes.
    async fn read(&mut self, app: &AppState, max: usize) -> Result<bool, Problem> {
        let read = async {
            while self.first.len() + self.whole.len() <= max {
                let Some(chunk) = self.chunks.next().await else { return Ok(true) };
                let chunk = chunk.map_err(|_| Problem::invalid("", "the body could not be read"))?;
                // Most bodies come in one piece, which is then not copied.
                if self.first.is_empty() && self.whole.is_empty() {
                    self.first = chunk;
                } else {
                    self.whole.extend_from_slice(&std::mem::take(&mut self.first));
                    self.whole.extend_from_slice(&chunk);
                }
            }
            Ok(false)
        };
        let late = |_| Err(Problem::new(Code::RequestTimeout, "the body did not arrive in time"));
        timeout(app.config.body_timeout, read).await.unwrap_or_else(late)
    }
}

fn too_large(max: usize) -> Problem {
    Problem::new(Code::PayloadTooLarge, format!("a body may have at most {max} bytes"))
}

/// What a JSON body says: one object with exactly the fields of `T`, and nothing behind it.
pub(crate) fn json<T: DeserializeOwned>(parts: &Parts, received: Received) -> Result<T, Problem> {
    let body: &[u8] = &received?;
    no_query(parts)?;
    if body.is_empty() {
        return Err(Problem::invalid("", "a JSON body is needed"));
    }
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(is_json) {
        return Err(Problem::new(Code::UnsupportedMediaType, "the body must be `application/json`"));
    }
    // Where it is wrong is worth a second look, which those that are right do not pay for.
    if let Ok(Object(value)) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let Object(value) = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| Problem::invalid(pointer("", error.path()), in_words(&error.inner().to_string())))?;
    deserializer.end().map_err(|error| Problem::invalid("", shortened(&error.to_string())))?;
    Ok(value)
}

/// The same where there need be no body at all.
pub(crate) fn json_or_nothing<T: DeserializeOwned + Default>(parts: &Parts, received: Received) -> Result<T, Problem> {
    match received {
        Ok(body) if body.is_empty() => no_query(parts).map(|()| T::default()),
        received => json(parts, received),
    }
}

/// `application/json`, at most with UTF-8 as its charset.
fn is_json(content_type: &str) -> bool {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let utf8 = parameters.split(';').all(|parameter| match parameter.trim().split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        Some(_) | None => true,
    });
    utf8 && essence.trim().eq_ignore_ascii_case("application/json")
}

/// A JSON object. Serde alone would take an array of the fields' values for it, too.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=\"UTF-8\""] {
            assert!(is_json(good), "{good}");
        }
        for bad in
            ["", "text/json", "application/jsonp", "application/json; charset=latin1", "application/problem+json"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
