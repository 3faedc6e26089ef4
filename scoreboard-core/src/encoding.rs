//! The one unambiguous way in which fields become bytes before they are hashed or signed.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Feeds pieces to `sink` so that no two different lists of pieces give the same bytes.
///
/// This is PASETO's pre-authentication encoding: the number of pieces, then each piece behind its length, all as 64-bit
/// little-endian. The first piece is the domain: what the bytes are for. A MAC or hash made for one purpose can then never
/// stand for another.
///
/// Source: <https://github.com/paseto-standard/paseto-spec/blob/master/docs/01-Protocol-Versions/Common.md#pae-definition>.
pub(crate) fn pre_authentication_encoding(domain: &str, pieces: &[&[u8]], mut sink: impl FnMut(&[u8])) {
    sink(&(pieces.len() as u64 + 1).to_le_bytes());
    for piece in std::iter::once(domain.as_bytes()).chain(pieces.iter().copied()) {
        sink(&(piece.len() as u64).to_le_bytes());
        sink(piece);
    }
}

/// SHA-256 over [`pre_authentication_encoding`].
pub(crate) fn sha256(domain: &str, pieces: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    pre_authentication_encoding(domain, pieces, |bytes| hash.update(bytes));
    hash.finalize().into()
}

/// A UUIDv8 (RFC 9562 §5.8) made of the hash of the pieces.
pub(crate) fn uuid_for(domain: &str, pieces: &[&[u8]]) -> Uuid {
    Uuid::new_v8(leading16(&sha256(domain, pieces)))
}

/// The first half of a 32-byte hash.
pub(crate) fn leading16(hash: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(domain: &str, pieces: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        pre_authentication_encoding(domain, pieces, |bytes| out.extend_from_slice(bytes));
        out
    }

    #[test]
    fn pieces_cannot_run_into_each_other() {
        assert_ne!(encode("d", &[b"ab", b"c"]), encode("d", &[b"a", b"bc"]));
        assert_ne!(encode("d", &[b"", b"a"]), encode("d", &[b"a", b""]));
        assert_ne!(encode("d", &[b"a"]), encode("da", &[b""]));
        assert_eq!(encode("", &[]), [1u64.to_le_bytes(), 0u64.to_le_bytes()].concat());
    }
}
