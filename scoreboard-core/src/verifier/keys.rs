//! Keys with ids, one of which signs while several verify.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::InvalidValue;
use crate::ids::KeyId;

/// 256 secret bits: wiped from memory when dropped, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Wraps the bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes: for signing, and for writing them where only their owner can read.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The keys that this server knows: the first signs, all verify.
///
/// A key ring holds master keys. What signs actions, cursors or tokens is
/// [derived](Self::derive) from them for that purpose alone, so that nothing made for one purpose passes for another.
///
/// ```
/// use scoreboard_core::{KeyRing, Secret};
/// let ring = KeyRing::new(vec![
///     ("k2".parse()?, Secret::from_bytes([2; 32])), // signs
///     ("k1".parse()?, Secret::from_bytes([1; 32])), // rotated out, still verifies
/// ])?;
/// assert_eq!(ring.derive("actions").len(), 2);
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Debug, Clone)]
pub struct KeyRing {
    keys: Vec<(KeyId, Secret)>,
}

impl KeyRing {
    /// A ring of these keys, the signing one first.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if there is none, or two have one id.
    pub fn new(keys: Vec<(KeyId, Secret)>) -> Result<Self, InvalidValue> {
        if keys.is_empty() {
            return Err(InvalidValue::new("key ring", "must hold at least one key"));
        }
        for (i, (id, _)) in keys.iter().enumerate() {
            if keys[..i].iter().any(|(other, _)| other == id) {
                return Err(InvalidValue::new("key ring", "must not hold two keys of one id"));
            }
        }
        Ok(Self { keys })
    }

    /// A ring of one random key, for a server whose actions need not outlive it.
    #[must_use]
    pub fn random(ids: &dyn crate::IdSource) -> Self {
        use crate::IdSourceExt;
        let id = KeyId::new("random").expect("a slug");
        Self { keys: vec![(id, Secret(ids.secret()))] }
    }

    /// The keys for one purpose, the signing one first: HKDF-SHA256 (RFC 5869) of each master key, with the purpose and the
    /// key's id as the info.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Vec<(KeyId, Secret)> {
        let derive = |(id, master): &(KeyId, Secret)| {
            let mut key = [0; 32];
            let info = [b"scoreboard/".as_slice(), purpose.as_bytes(), b"/v1/", id.as_str().as_bytes()];
            Hkdf::<Sha256>::new(None, master.expose())
                .expand_multi_info(&info, &mut key)
                .expect("32 bytes are within HKDF's limit of 255 blocks");
            (id.clone(), Secret(key))
        };
        self.keys.iter().map(derive).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_ids_give_different_keys_and_none_is_shown() {
        let id = |text| KeyId::new(text).expect("a slug");
        let ring = KeyRing::new(vec![(id("a"), Secret([7; 32])), (id("b"), Secret([7; 32]))]).expect("two ids");
        let [actions, tokens] = [ring.derive("actions"), ring.derive("tokens")];
        assert_ne!(actions[0].1.expose(), tokens[0].1.expose());
        assert_ne!(actions[0].1.expose(), actions[1].1.expose());
        assert_eq!(format!("{:?}", actions[0].1), "Secret(…)");
        assert!(KeyRing::new(vec![]).is_err());
        assert!(KeyRing::new(vec![(id("a"), Secret([7; 32])), (id("a"), Secret([8; 32]))]).is_err());
    }
}
