//! Tokens that a mail carries: who shows one has read the mail. Signed, so that nothing has to be kept of them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::clock::Timestamp;
use crate::encoding::pre_authentication_encoding;
use crate::ids::{KeyId, UserId};
use crate::verifier::{KeyRing, Macs};

const ID: usize = 16;
const EXPIRY: usize = 8;
const MAC: usize = 32;

/// Signs tokens of one purpose with the ring's first key, verifies with any.
pub(super) struct MailedTokens(Macs);

impl fmt::Debug for MailedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailedTokens")
    }
}

/// What a token says before it is known to be good.
pub(super) struct Claimed {
    pub(super) user: UserId,
    expires_at: Timestamp,
    mac: [u8; MAC],
}

impl MailedTokens {
    pub(super) fn new(ring: &KeyRing, purpose: &'static str) -> Self {
        Self(Macs::of(ring, purpose))
    }

    /// A token for this user, good until then and as long as `state` is what it is now: by what is in it, a token works once, or for
    /// one address.
    pub(super) fn issue(&self, user: UserId, state: &str, expires_at: Timestamp) -> String {
        let mac = tag(&self.0.get()[0].1, user, state, expires_at).finalize().into_bytes();
        let expiry = expires_at.as_millis().to_be_bytes();
        URL_SAFE_NO_PAD.encode([user.as_bytes().as_slice(), &expiry, &mac].concat())
    }

    /// Takes a token apart.
    pub(super) fn read(text: &str) -> Option<Claimed> {
        let bytes: [u8; ID + EXPIRY + MAC] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (user, rest) = bytes.split_first_chunk::<ID>()?;
        let (expiry, rest) = rest.split_first_chunk::<EXPIRY>()?;
        let expires_at = Timestamp::from_millis(i64::from_be_bytes(*expiry));
        Some(Claimed { user: UserId::from_bytes(*user), expires_at, mac: rest.try_into().ok()? })
    }

    /// Whether it is one of ours, in its time, for this state.
    pub(super) fn is_good(&self, claimed: &Claimed, state: &str, now: Timestamp) -> bool {
        let signed = |(_, key): &(KeyId, Hmac<Sha256>)| {
            tag(key, claimed.user, state, claimed.expires_at).verify_slice(&claimed.mac).is_ok()
        };
        now < claimed.expires_at && self.0.get().iter().any(signed)
    }
}

fn tag(key: &Hmac<Sha256>, user: UserId, state: &str, expires_at: Timestamp) -> Hmac<Sha256> {
    let mut mac = key.clone();
    let expiry = expires_at.as_millis().to_be_bytes();
    let pieces = [user.as_bytes().as_slice(), state.as_bytes(), &expiry];
    pre_authentication_encoding("scoreboard/mailed-token/v1", &pieces, |bytes| mac.update(bytes));
    mac
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id_source::RandomIds;

    #[test]
    fn a_token_is_good_for_its_user_state_purpose_and_time() {
        let ring = KeyRing::random(&RandomIds);
        let (tokens, user) = (MailedTokens::new(&ring, "one"), UserId::from_bytes([1; 16]));
        let (now, end) = (Timestamp::from_millis(1000), Timestamp::from_millis(2000));
        let text = tokens.issue(user, "state", end);
        let claimed = MailedTokens::read(&text).unwrap();
        assert_eq!(claimed.user, user);
        assert!(tokens.is_good(&claimed, "state", now));
        assert!(!tokens.is_good(&claimed, "state of later", now), "the state has changed");
        assert!(!tokens.is_good(&claimed, "state", end), "it is over");
        assert!(!MailedTokens::new(&ring, "other").is_good(&claimed, "state", now));
        let longer = Claimed { expires_at: end.plus(Duration::from_secs(1)), ..claimed };
        assert!(!tokens.is_good(&longer, "state", now), "altered");
        for bad in ["", "x", &text[1..], &format!("{text}A"), &text.replace(&text[..4], "????")] {
            assert!(MailedTokens::read(bad).is_none(), "{bad}");
        }
    }
}
