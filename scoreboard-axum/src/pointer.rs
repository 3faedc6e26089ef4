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
