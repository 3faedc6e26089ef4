//! The digest of a log row, by which a board's log is a hash chain.

use std::fmt;
use std::str::FromStr;

use crate::encoding::sha256;
use crate::error::InvalidValue;
use crate::ids::BoardId;
use crate::store::{LogRow, Origin, Reached, Visibility};
use crate::wire::text_on_the_wire;

/// What the bytes that are hashed are for. A row that says something else, or says it otherwise, is of another version.
const DOMAIN: &str = "scoreboard/log/v1";

/// SHA-256 over the digest of the row before, the board, and what a row says: it stands for the whole log up to there. 64 lower-case
/// hexadecimal digits as text.
///
/// ```
/// use scoreboard_core::RowDigest;
/// let text = "ab".repeat(32);
/// assert_eq!(text.parse::<RowDigest>()?.to_string(), text);
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowDigest([u8; 32]);

impl RowDigest {
    /// The digest of a row of a board, behind the row with the digest `before`: `None` where no row before it has one.
    ///
    /// The epoch is left out. It says in which life of a store the row lies and not what happened, so that a log that is copied into
    /// another store keeps its digests. The row's own digest is what is computed.
    ///
    /// The pieces are hashed as an action's are before they are signed: their number, then each behind its length. What only some rows
    /// have can so be added behind the last piece, where it is there, and all other rows keep their digests.
    #[must_use]
    pub fn of(before: Option<Self>, board: &BoardId, row: &LogRow) -> Self {
        let previous = row.previous.map(reached);
        let corrected = row.corrected.map(reached);
        let what_is_shown = visibility(row.visibility);
        let pieces: [&[u8]; 15] = [
            before.as_ref().map_or(&[], |before| &before.0),
            board.as_str().as_bytes(),
            &row.position.version.get().to_le_bytes(),
            row.action_id.as_bytes(),
            row.fingerprint.as_bytes(),
            &row.season.get().to_le_bytes(),
            row.user_id.as_bytes(),
            row.kind.as_str().as_bytes(),
            &row.points.get().to_le_bytes(),
            origin(row.origin),
            previous.as_ref().map_or(&[], |previous| previous),
            &row.score.get().to_le_bytes(),
            &row.at.as_millis().to_le_bytes(),
            what_is_shown,
            corrected.as_ref().map_or(&[], |corrected| corrected),
        ];
        // Most rows have neither of the last two. What has no meaning in such a row is hashed too, if somebody has put it there.
        let has_more =
            row.origin == Origin::Correction || row.visibility != Visibility::Shown || row.corrected.is_some();
        Self(sha256(DOMAIN, if has_more { &pieces } else { &pieces[..13] }))
    }

    /// Wraps the bytes that a store has kept.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Score, version and time, each as 64-bit little-endian.
fn reached(reached: Reached) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&reached.score.get().to_le_bytes());
    bytes[8..16].copy_from_slice(&reached.version.get().to_le_bytes());
    bytes[16..].copy_from_slice(&reached.at.as_millis().to_le_bytes());
    bytes
}

const fn visibility(visibility: Visibility) -> &'static [u8] {
    match visibility {
        Visibility::Shown => b"shown",
        Visibility::AsBefore => b"before",
        Visibility::Nothing => b"nothing",
    }
}

const fn origin(origin: Origin) -> &'static [u8] {
    match origin {
        Origin::Action => b"action",
        Origin::Record => b"record",
        Origin::Correction => b"correction",
    }
}

impl fmt::Display for RowDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0, &mut digits).expect("two digits a byte");
        f.write_str(std::str::from_utf8(&digits).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for RowDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RowDigest {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let mut bytes = [0; 32];
        // Upper case would be a second spelling of the same digest.
        let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        if lower && hex::decode_to_slice(text, &mut bytes).is_ok() {
            Ok(Self(bytes))
        } else {
            Err(InvalidValue::new("digest", "must be 64 lower-case hexadecimal digits"))
        }
    }
}

text_on_the_wire!(RowDigest);

#[cfg(test)]
#[path = "row_digest_test.rs"]
mod tests;
