//! Rows on their way into SQL, as JSON: the statement stays the same however many there are.

use std::fmt::Write;

use scoreboard_core::RowDigest;

/// Rows on their way into SQL: a JSON array of arrays.
pub(crate) struct Rows(String);

impl Rows {
    pub(crate) fn new() -> Self {
        Self(String::from("["))
    }

    pub(crate) fn row(&mut self) -> &mut Self {
        if self.0.len() > 1 {
            self.0.push_str("],");
        }
        self.0.push('[');
        self
    }

    fn separate(&mut self) -> &mut String {
        if !self.0.ends_with('[') {
            self.0.push(',');
        }
        &mut self.0
    }

    pub(crate) fn integer(&mut self, value: i64) -> &mut Self {
        write!(self.separate(), "{value}").expect("a string takes all that is written");
        self
    }

    pub(crate) fn number(&mut self, value: u64) -> &mut Self {
        write!(self.separate(), "{value}").expect("a string takes all that is written");
        self
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8; 16]) -> &mut Self {
        push_hex(self.separate(), bytes);
        self
    }

    pub(crate) fn digest(&mut self, digest: Option<RowDigest>) -> &mut Self {
        let json = self.separate();
        match digest {
            Some(digest) => write!(json, "\"{digest}\""),
            None => write!(json, "null"),
        }
        .expect("a string takes all that is written");
        self
    }

    /// A slug or one of the schema's words: nothing in it needs escaping.
    pub(crate) fn word(&mut self, word: &str) -> &mut Self {
        write!(self.separate(), "\"{word}\"").expect("a string takes all that is written");
        self
    }

    pub(crate) fn json(mut self) -> String {
        if self.0.len() > 1 {
            self.0.push(']');
        }
        self.0.push(']');
        self.0
    }
}

/// Ids as a JSON array of hexadecimal strings, which SQL takes apart again with `json_each` and `unhex`.
pub(crate) fn hex_array<'a>(ids: impl IntoIterator<Item = &'a [u8; 16]>) -> String {
    let mut json = String::from("[");
    for (i, id) in ids.into_iter().enumerate() {
        if i > 0 {
            json.push(',');
        }
        push_hex(&mut json, id);
    }
    json.push(']');
    json
}

/// Appends bytes as a JSON string of hexadecimal digits.
fn push_hex(json: &mut String, bytes: &[u8; 16]) {
    let mut digits = [0; 32];
    hex::encode_to_slice(bytes, &mut digits).expect("two digits a byte");
    json.push('"');
    json.push_str(std::str::from_utf8(&digits).expect("hexadecimal digits are ASCII"));
    json.push('"');
}
