//! Keys with ids, one of which signs while several verify.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hkdf::Hkdf;
use parking_lot::RwLock;
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
/// Cloning clones the handle: where the keys are [replaced](Self::replace), whatever was built with the ring signs and verifies with
/// the new ones from then on.
///
/// ```
/// use scoreboard_core::{KeyRing, Secret};
/// let ring = KeyRing::new(vec![
///     ("k2".parse()?, Secret::from_bytes([2; 32])), // signs
///     ("k1".parse()?, Secret::from_bytes([1; 32])), // rotated out, still verifies
/// ])?;
/// assert_eq!(ring.derive("actions").len(), 2);
/// // `k1` has leaked.
/// ring.replace(vec![("k2".parse()?, Secret::from_bytes([2; 32]))], vec![("k1".parse()?, Secret::from_bytes([1; 32]))])?;
/// assert_eq!(ring.derive("actions").len(), 1);
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Clone)]
pub struct KeyRing {
    shared: Arc<Shared>,
}

struct Shared {
    keys: RwLock<Keys>,
    /// Counts the states of the keys, so that who has derived something sees that there is another.
    number: AtomicU64,
}

/// Cheap to clone, so that no lock is held while keys are derived.
#[derive(Clone)]
struct Keys {
    in_force: Arc<[(KeyId, Secret)]>,
    retired: Arc<[(KeyId, Secret)]>,
}

impl KeyRing {
    /// A ring of these keys, the signing one first.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if there is none, or two have one id.
    pub fn new(keys: Vec<(KeyId, Secret)>) -> Result<Self, InvalidValue> {
        let keys = Keys::new(keys, Vec::new())?;
        Ok(Self { shared: Arc::new(Shared { keys: RwLock::new(keys), number: AtomicU64::new(0) }) })
    }

    /// Signs with the first of these keys from now on, and verifies with all of them, in all clones of this ring. What `retired` keys have
    /// signed is refused; they only open what was sealed with them, such as the secrets of second factors.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if there is no key in force, or two have one id; then nothing is changed.
    pub fn replace(&self, keys: Vec<(KeyId, Secret)>, retired: Vec<(KeyId, Secret)>) -> Result<(), InvalidValue> {
        let keys = Keys::new(keys, retired)?;
        *self.shared.keys.write() = keys;
        self.shared.number.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// A ring of one random key, for a server whose actions need not outlive it.
    #[must_use]
    pub fn random(ids: &dyn crate::IdSource) -> Self {
        use crate::IdSourceExt;
        let id = KeyId::new("random").expect("a slug");
        Self::new(vec![(id, Secret(ids.secret()))]).expect("one key")
    }

    /// The names of the keys in force, the signing one first, and of those that are retired.
    #[must_use]
    pub fn ids(&self) -> (Vec<KeyId>, Vec<KeyId>) {
        let Keys { in_force, retired } = self.keys();
        let ids = |keys: &[(KeyId, Secret)]| keys.iter().map(|(id, _)| id.clone()).collect();
        (ids(&in_force), ids(&retired))
    }

    /// The keys for one purpose, the signing one first: HKDF-SHA256 (RFC 5869) of each master key, with the purpose and the
    /// key's id as the info.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Vec<(KeyId, Secret)> {
        self.keys().in_force.iter().map(|key| derive(key, purpose)).collect()
    }

    #[cfg(feature = "accounts")]
    /// The same with those that are retired, behind the others: to open what was sealed, never to verify.
    pub(crate) fn derive_opening(&self, purpose: &str) -> Vec<(KeyId, Secret)> {
        let Keys { in_force, retired } = self.keys();
        in_force.iter().chain(retired.iter()).map(|key| derive(key, purpose)).collect()
    }

    /// Which state of the keys this is.
    pub(crate) fn number(&self) -> u64 {
        self.shared.number.load(Ordering::Acquire)
    }

    fn keys(&self) -> Keys {
        self.shared.keys.read().clone()
    }
}

impl Keys {
    fn new(in_force: Vec<(KeyId, Secret)>, retired: Vec<(KeyId, Secret)>) -> Result<Self, InvalidValue> {
        if in_force.is_empty() {
            return Err(InvalidValue::new("key ring", "must hold at least one key"));
        }
        let ids: Vec<_> = in_force.iter().chain(&retired).map(|(id, _)| id).collect();
        if ids.iter().enumerate().any(|(i, id)| ids[..i].contains(id)) {
            return Err(InvalidValue::new("key ring", "must not hold two keys of one id"));
        }
        Ok(Self { in_force: in_force.into(), retired: retired.into() })
    }
}

fn derive((id, master): &(KeyId, Secret), purpose: &str) -> (KeyId, Secret) {
    let mut key = [0; 32];
    let info = [b"scoreboard/".as_slice(), purpose.as_bytes(), b"/v1/", id.as_str().as_bytes()];
    Hkdf::<Sha256>::new(None, master.expose())
        .expand_multi_info(&info, &mut key)
        .expect("32 bytes are within HKDF's limit of 255 blocks");
    (id.clone(), Secret(key))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (in_force, retired) = self.ids();
        f.debug_struct("KeyRing").field("keys", &in_force).field("retired", &retired).finish()
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

    #[test]
    fn whoever_has_the_ring_has_the_new_keys_and_a_retired_one_only_opens() {
        let key = |text: &str| (KeyId::new(text).expect("a slug"), Secret([7; 32]));
        let ring = KeyRing::new(vec![key("a")]).expect("one key");
        let (clone, number) = (ring.clone(), ring.number());
        ring.replace(vec![key("b")], vec![key("a")]).expect("sound");
        assert_ne!(clone.number(), number);
        let ids = |keys: Vec<(KeyId, Secret)>| keys.into_iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>();
        assert_eq!(
            (ids(clone.derive("x")), ids(clone.derive_opening("x"))),
            (vec!["b".into()], vec!["b".into(), "a".into()])
        );
        assert!(ring.replace(vec![], vec![key("a")]).is_err() && ring.replace(vec![key("a")], vec![key("a")]).is_err());
        assert_eq!(ids(clone.derive("x")), ["b"], "what is refused changes nothing");
        assert_eq!(format!("{clone:?}"), r#"KeyRing { keys: ["b"], retired: ["a"] }"#);
    }
}
