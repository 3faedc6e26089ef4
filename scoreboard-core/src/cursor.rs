//! Where a page goes on: signed, so that a client can only go where it was sent, and without a rank, which others may move.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::board::Season;
use crate::error::Rejection;
use crate::ids::{BoardId, KeyId};
use crate::ranking::OrderKey;
use crate::verifier::{KeyRing, Macs};

/// Signs and reads cursors: of the board's entries, and of a user's history.
#[derive(Debug)]
pub(crate) struct Cursors {
    keys: Macs,
}

/// Which way a page goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// Behind this key.
    After(OrderKey),
    /// In front of this key.
    Before(OrderKey),
}

/// One byte for the way, sixteen for the key, and half a SHA-256 MAC: 128 bits are out of reach of guessing.
const KEY: usize = 17;
const MAC: usize = 16;

impl Cursors {
    pub(crate) fn new(ring: &KeyRing) -> Self {
        Self { keys: Macs::of(ring, "cursors") }
    }

    pub(crate) fn sign(&self, board: &BoardId, season: Season, cursor: Cursor) -> String {
        let (way, key) = match cursor {
            Cursor::After(key) => (0, key),
            Cursor::Before(key) => (1, key),
        };
        let mut bytes = Vec::with_capacity(KEY + MAC);
        bytes.push(way);
        bytes.extend_from_slice(&key.score.to_be_bytes());
        bytes.extend_from_slice(&key.tie.to_be_bytes());
        let mac: [u8; 32] = mac(&self.keys.get()[0].1, board, season, &bytes).finalize().into_bytes().into();
        bytes.extend_from_slice(&mac[..MAC]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(crate) fn read(&self, board: &BoardId, season: Season, text: &str) -> Result<Cursor, Rejection> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Rejection::CursorInvalid)?;
        let (payload, signature) = bytes.split_at_checked(KEY).ok_or(Rejection::CursorInvalid)?;
        let signed = |(_, key): &(KeyId, Hmac<Sha256>)| {
            signature.len() == MAC && mac(key, board, season, payload).verify_truncated_left(signature).is_ok()
        };
        if !self.keys.get().iter().any(signed) {
            return Err(Rejection::CursorInvalid);
        }
        let integer = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&payload[at..at + 8]);
            i64::from_be_bytes(bytes)
        };
        let key = OrderKey { score: integer(1), tie: integer(9) };
        Ok(if payload[0] == 0 { Cursor::After(key) } else { Cursor::Before(key) })
    }
}

fn mac(key: &Hmac<Sha256>, board: &BoardId, season: Season, payload: &[u8]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    let pieces = [board.as_str().as_bytes(), &season.get().to_le_bytes(), payload];
    crate::encoding::pre_authentication_encoding("scoreboard/cursor/v1", &pieces, |bytes| mac.update(bytes));
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    #[test]
    fn a_cursor_holds_for_its_board_and_season_only() {
        let ring = KeyRing::new(vec![(KeyId::new("k").expect("slug"), Secret::from_bytes([3; 32]))]).expect("one key");
        let cursors = Cursors::new(&ring);
        let (main, other) = (BoardId::main(), BoardId::new("other").expect("slug"));
        let cursor = Cursor::Before(OrderKey { score: -5, tie: 7 });
        let text = cursors.sign(&main, Season::FIRST, cursor);
        assert_eq!(cursors.read(&main, Season::FIRST, &text), Ok(cursor));
        assert!(cursors.read(&other, Season::FIRST, &text).is_err());
        assert!(cursors.read(&main, Season::new(2), &text).is_err());
        for i in 0..text.len() {
            let mut altered = text.clone().into_bytes();
            altered[i] = if altered[i] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).expect("ASCII");
            assert!(cursors.read(&main, Season::FIRST, &altered).is_err() || altered == text, "{i}");
            assert!(cursors.read(&main, Season::FIRST, &text[..i]).is_err());
        }
    }
}
