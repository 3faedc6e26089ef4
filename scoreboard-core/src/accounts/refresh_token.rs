//! Refresh tokens: the first of a session is drawn by chance, each further one is derived from the one before.
//!
//! A client that loses the answer to a refresh, or asks twice at once, must be given the same token again, and a store must not be able to
//! read one. So what follows a token is its MAC under a key that no store has: it is computed again, not kept.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::accounts::TokenHash;
use crate::encoding::pre_authentication_encoding;
use crate::verifier::{KeyRing, Macs};

/// Derives by the ring's first key; a key that was rotated out still finds what it had derived.
pub(super) struct RefreshTokens(Macs);

impl RefreshTokens {
    pub(super) fn new(ring: &KeyRing) -> Self {
        Self(Macs::of(ring, "refresh-tokens"))
    }

    /// What takes the place of this token.
    pub(super) fn next(&self, token: &[u8]) -> [u8; 32] {
        derive(&self.0.get()[0].1, token)
    }

    /// What took the place of this token, known by its hash; `None` if the key that derived it is gone.
    pub(super) fn find(&self, token: &[u8], next: TokenHash) -> Option<[u8; 32]> {
        self.0.get().iter().map(|(_, key)| derive(key, token)).find(|derived| TokenHash::of(derived) == next)
    }
}

fn derive(key: &Hmac<Sha256>, token: &[u8]) -> [u8; 32] {
    let mut mac = key.clone();
    pre_authentication_encoding("scoreboard/refresh-token/v1", &[token], |bytes| mac.update(bytes));
    mac.finalize().into_bytes().into()
}

impl fmt::Debug for RefreshTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshTokens")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn tokens(numbers: &[u8]) -> RefreshTokens {
        let key = |number: &u8| (format!("k{number}").parse().unwrap(), Secret::from_bytes([*number; 32]));
        RefreshTokens::new(&KeyRing::new(numbers.iter().map(key).collect()).unwrap())
    }

    #[test]
    fn what_follows_is_the_same_each_time_and_found_after_a_rotation_of_keys() {
        let before = tokens(&[1]);
        let next = before.next(b"a token");
        assert_eq!(next, before.next(b"a token"));
        assert_ne!(next, before.next(b"another"));
        let hash = TokenHash::of(&next);
        let rotated = tokens(&[2, 1]);
        assert_ne!(rotated.next(b"a token"), next, "the new key derives");
        assert_eq!(rotated.find(b"a token", hash), Some(next), "the old one finds");
        assert_eq!(rotated.find(b"another", hash), None);
        assert_eq!(tokens(&[2]).find(b"a token", hash), None, "it is gone");
    }
}
