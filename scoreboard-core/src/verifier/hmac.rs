//! Actions signed by HMAC-SHA256 (RFC 2104) over every field.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::action::{Claims, Signature, SignedAction};
use crate::error::Rejection;
use crate::ids::KeyId;
use crate::verifier::{ActionVerifier, KeyRing, Macs};

/// The default [`ActionVerifier`]: HMAC-SHA256 with the keys of a [`KeyRing`].
///
/// ```
/// use scoreboard_core::{ActionVerifier, HmacVerifier, KeyRing, RandomIds};
/// let verifier = HmacVerifier::new(&KeyRing::random(&RandomIds));
/// # use scoreboard_core::{ActionId, BoardId, Claims, Points, Season, Timestamp, UserId};
/// # let at = Timestamp::from_millis(0);
/// # let claims = Claims { id: ActionId::from_bytes([1; 16]), board: BoardId::main(), season: Season::FIRST, kind: "tap".parse()?,
/// #     user_id: UserId::from_bytes([2; 16]), points: Points::new(1)?, issued_at: at, not_before: at, expires_at: at };
/// let mut action = verifier.sign(claims);
/// assert!(verifier.verify(&action).is_ok());
/// action.claims.points = Points::new(1_000_000)?;
/// assert!(verifier.verify(&action).is_err());
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
pub struct HmacVerifier {
    keys: Macs,
}

impl HmacVerifier {
    /// Signs with the ring's first key, verifies with all.
    #[must_use]
    pub fn new(ring: &KeyRing) -> Self {
        Self { keys: Macs::of(ring, "actions") }
    }
}

impl ActionVerifier for HmacVerifier {
    fn sign(&self, claims: Claims) -> SignedAction {
        let keys = self.keys.get();
        let (key_id, key) = &keys[0];
        let hash = Signature::from_bytes(mac(key, key_id, &claims).finalize().into_bytes().into());
        SignedAction { claims, key_id: key_id.clone(), hash }
    }

    fn verify(&self, action: &SignedAction) -> Result<(), Rejection> {
        let keys = self.keys.get();
        let (id, key) = keys.iter().find(|(id, _)| *id == action.key_id).ok_or(Rejection::SignatureInvalid)?;
        // `verify_slice` compares in constant time.
        mac(key, id, &action.claims).verify_slice(action.hash.as_bytes()).map_err(|_| Rejection::SignatureInvalid)
    }
}

/// The MAC of an action, before it is finished.
fn mac(key: &Hmac<Sha256>, key_id: &KeyId, claims: &Claims) -> Hmac<Sha256> {
    // No `..`: a new field does not compile until it is signed too.
    let Claims { id, board, season, kind, user_id, points, issued_at, not_before, expires_at } = claims;
    let mut mac = key.clone();
    crate::encoding::pre_authentication_encoding(
        "scoreboard/action/v1",
        &[
            key_id.as_str().as_bytes(),
            id.as_bytes(),
            board.as_str().as_bytes(),
            &season.get().to_le_bytes(),
            kind.as_str().as_bytes(),
            user_id.as_bytes(),
            &points.get().to_le_bytes(),
            &issued_at.as_millis().to_le_bytes(),
            &not_before.as_millis().to_le_bytes(),
            &expires_at.as_millis().to_le_bytes(),
        ],
        |bytes| mac.update(bytes),
    );
    mac
}

impl fmt::Debug for HmacVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacVerifier").field("keys", &self.keys).finish()
    }
}
