//! Where something is wrong: JSON pointers (RFC 6901).

use std::fmt::Write;

use serde_path_to_error::{Path, Segment};

/// The path as a pointer behind a prefix.
pub(crate) fn pointer(prefix: &str, path: &Path) -> String {
    let mut pointer = prefix.to_owned();
    for segment in path.iter() {
        // Writing to a string cannot fail.
        let _ = match segment {
            Segment::Seq { index } => write!(pointer, "/{index}"),
            Segment::Map { key } => write!(pointer, "/{}", shortened(key).replace('~', "~0").replace('/', "~1")),
            // Neither names a place in JSON: our bodies hold no enums with fields, and what cannot be told has no pointer.
            Segment::Enum { .. } | Segment::Unknown => Ok(()),
        };
    }
    pointer
}

/// Text that repeats what a client sent, bounded.
pub(crate) fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    match text.char_indices().nth(MAX_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// What serde says is wrong with a value, in words of the wire, and without the value: it may be a password.
pub(crate) fn in_words(text: &str) -> String {
    if text.starts_with("UUID parsing failed") {
        return "must be a UUID".to_owned();
    }
    let wrong = ["invalid type", "invalid value", "unknown variant"].iter().any(|said| text.starts_with(said));
    let Some((_, rest)) = text.rsplit_once(", expected ").filter(|_| wrong) else { return shortened(text) };
    // Behind it stands where the JSON was, which the pointer says better.
    let expected = rest.split(" at line ").next().unwrap_or(rest);
    match expected {
        "i64" | "u64" | "u32" => "must be a whole number".to_owned(),
        expected => format!("must be {}", shortened(expected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_not_repeated() {
        for (said, words) in [
            ("invalid type: integer `987654`, expected a string at line 1 column 9", "must be a string"),
            ("invalid type: floating point `100.0`, expected i64", "must be a whole number"),
            ("invalid value: string \"secret, expected x\", expected a board", "must be a board"),
            ("unknown variant `secret, expected x`, expected `totp` or `email`", "must be `totp` or `email`"),
            ("UUID parsing failed: invalid length: expected 32, found 3", "must be a UUID"),
            ("missing field `email` at line 1 column 2", "missing field `email` at line 1 column 2"),
        ] {
            assert_eq!(in_words(said), words);
        }
    }
}
