//! Secrets that a store keeps but cannot read: sealed by AES-256-GCM (NIST SP 800-38D) under a key of the ring, each for its owner alone.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::id_source::IdSource;
use crate::ids::{KeyId, UserId};
use crate::verifier::{Derived, KeyRing};

/// Seals with the ring's first key, opens with any, a retired one too: what it sealed is sealed anew when it is next used. A purpose's keys
/// open nothing of another purpose.
pub(super) struct Sealing {
    purpose: &'static str,
    keys: Derived<Vec<(KeyId, LessSafeKey)>>,
}

impl Sealing {
    pub(super) fn new(ring: &KeyRing, purpose: &'static str) -> Self {
        let key = |(id, secret): (KeyId, crate::Secret)| {
            let key = UnboundKey::new(&AES_256_GCM, secret.expose()).expect("AES-256 takes 32 bytes");
            (id, LessSafeKey::new(key))
        };
        let keys = Derived::new(ring, move |ring| ring.derive_opening(purpose).into_iter().map(key).collect());
        Self { purpose, keys }
    }

    /// The key's id behind its length, a nonce of 96 random bits, and what was sealed.
    pub(super) fn seal(&self, owner: UserId, secret: &[u8], ids: &dyn IdSource) -> Vec<u8> {
        let keys = self.keys.get();
        let (id, key) = &keys[0];
        let mut nonce = [0; NONCE_LEN];
        ids.fill(&mut nonce);
        let mut sealed = Zeroizing::new(secret.to_vec());
        let aad = self.bound_to(owner);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut *sealed)
            .expect("a secret is shorter than GCM's 64 GiB");
        let id = id.as_str().as_bytes();
        let length = u8::try_from(id.len()).expect("a slug has at most 63 letters");
        [&[length], id, &nonce, &sealed].concat()
    }

    /// `None` if it was altered, belongs to another, or its key is no longer in the ring.
    pub(super) fn open(&self, owner: UserId, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (&length, rest) = sealed.split_first()?;
        let (id, rest) = rest.split_at_checked(usize::from(length))?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.keys.get();
        let (_, key) = keys.iter().find(|(known, _)| known.as_str().as_bytes() == id)?;
        let mut opened = Zeroizing::new(rest.to_vec());
        let aad = self.bound_to(owner);
        let length = key.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut opened).ok()?.len();
        opened.truncate(length);
        Some(opened)
    }

    /// Whether what is sealed is under the key that seals now.
    pub(super) fn is_current(&self, sealed: &[u8]) -> bool {
        let keys = self.keys.get();
        let id = keys[0].0.as_str().as_bytes();
        sealed.split_first().is_some_and(|(&length, rest)| usize::from(length) == id.len() && rest.starts_with(id))
    }

    fn bound_to(&self, owner: UserId) -> Aad<Vec<u8>> {
        Aad::from(
            crate::encoding::sha256("scoreboard/sealed/v1", &[self.purpose.as_bytes(), owner.as_bytes()]).to_vec(),
        )
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealing").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id_source::RandomIds;
    use crate::verifier::Secret;

    fn ring(numbers: &[u8]) -> KeyRing {
        let key = |number: &u8| (format!("k{number}").parse().unwrap(), Secret::from_bytes([*number; 32]));
        KeyRing::new(numbers.iter().map(key).collect()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_for_its_owner_and_purpose_alone() {
        let (ada, eve) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let sealing = Sealing::new(&ring(&[1]), "one");
        let sealed = sealing.seal(ada, b"a secret", &RandomIds);
        assert_eq!(sealing.open(ada, &sealed).unwrap().as_slice(), b"a secret");
        assert!(sealed != sealing.seal(ada, b"a secret", &RandomIds), "each has a nonce of its own");
        assert!(sealing.open(eve, &sealed).is_none());
        assert!(Sealing::new(&ring(&[1]), "other").open(ada, &sealed).is_none());
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert!(sealing.open(ada, &altered).is_none(), "byte {place}");
            assert!(sealing.open(ada, &sealed[..place]).is_none(), "cut at {place}");
        }
    }

    #[test]
    fn a_key_that_was_rotated_out_opens_as_long_as_it_is_there() {
        let user = UserId::from_bytes([1; 16]);
        let old = Sealing::new(&ring(&[1]), "one").seal(user, b"a secret", &RandomIds);
        let rotated = Sealing::new(&ring(&[2, 1]), "one");
        assert!(rotated.open(user, &old).is_some() && !rotated.is_current(&old));
        assert!(rotated.is_current(&rotated.seal(user, b"a secret", &RandomIds)));
        assert!(Sealing::new(&ring(&[2]), "one").open(user, &old).is_none());
    }
}
