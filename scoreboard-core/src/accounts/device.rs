//! Device tokens: who shows one has signed in to the account before, so guesses of strangers need not hold them up.
//!
//! A token is no credential: it opens nothing, and whoever has one still needs the password. It only says that tries with it are counted for
//! themselves, not with those of everybody else (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). Signed, so that
//! nothing has to be kept of it.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::accounts::{Accounts, Email};
use crate::clock::Timestamp;
use crate::encoding::pre_authentication_encoding;
use crate::id_source::IdSource;
use crate::verifier::{KeyRing, Macs};

/// How long a device is known after its last login.
const LIFETIME: Duration = Duration::from_secs(180 * 86_400);
const ID: usize = 16;
const EXPIRY: usize = 8;
const MAC: usize = 32;

/// Signs with the ring's first key, knows what any has signed.
pub(super) struct DeviceTokens(Macs);

impl DeviceTokens {
    pub(super) fn new(ring: &KeyRing) -> Self {
        Self(Macs::of(ring, "known-devices"))
    }

    /// A token for a device that signs in to this account now. Each has an id of its own, so a login that succeeds begins a new count.
    pub(super) fn issue(&self, email: &Email, now: Timestamp, ids: &dyn IdSource) -> String {
        let mut id = [0; ID];
        ids.fill(&mut id);
        let expiry = now.plus(LIFETIME).as_millis().to_be_bytes();
        let mac = tag(&self.0.get()[0].1, email, id, expiry).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([id.as_slice(), &expiry, &mac].concat())
    }

    /// The id in a token, if it is one of ours, for this account, in its time.
    fn recognise(&self, email: &Email, text: &str, now: Timestamp) -> Option<[u8; ID]> {
        let bytes: [u8; ID + EXPIRY + MAC] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (&id, rest) = bytes.split_first_chunk::<ID>()?;
        let (&expiry, mac) = rest.split_first_chunk::<EXPIRY>()?;
        let ours = self.0.get().iter().any(|(_, key)| tag(key, email, id, expiry).verify_slice(mac).is_ok());
        (ours && now < Timestamp::from_millis(i64::from_be_bytes(expiry))).then_some(id)
    }
}

fn tag(key: &Hmac<Sha256>, email: &Email, id: [u8; ID], expiry: [u8; EXPIRY]) -> Hmac<Sha256> {
    let mut mac = key.clone();
    let pieces = [email.as_str().as_bytes(), &id, &expiry];
    pre_authentication_encoding("scoreboard/device-token/v1", &pieces, |bytes| mac.update(bytes));
    mac
}

impl fmt::Debug for DeviceTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceTokens")
    }
}

impl Accounts {
    /// Whom the tries of a login are to be counted for: the account, whether there is one or not, or a device that has signed in to it before.
    ///
    /// Asks nobody, and takes as long for an address that nobody has.
    #[must_use]
    pub fn login_subject(&self, email: &str, device_token: Option<&str>) -> String {
        let device = device_token
            .zip(Email::new(email).ok())
            .and_then(|(text, email)| self.parts.device_tokens.recognise(&email, text, self.parts.clock.now()));
        // A hash: what limits logins need not be told who tries.
        let email = email.trim().to_ascii_lowercase();
        let pieces = [email.as_bytes(), device.as_ref().map_or(&[][..], |id| id.as_slice())];
        hex::encode(&crate::encoding::sha256("scoreboard/login-subject/v1", &pieces)[..16])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use crate::id_source::RandomIds;

    fn tokens(numbers: &[u8]) -> DeviceTokens {
        let key = |number: &u8| (format!("k{number}").parse().unwrap(), Secret::from_bytes([*number; 32]));
        DeviceTokens::new(&KeyRing::new(numbers.iter().map(key).collect()).unwrap())
    }

    #[test]
    fn a_device_is_known_for_its_account_its_time_and_by_our_keys_alone() {
        let [ada, eve] = ["ada@example.org", "eve@example.org"].map(|text| Email::new(text).unwrap());
        let now = Timestamp::from_millis(1_700_000_000_000);
        let known = tokens(&[1]);
        let text = known.issue(&ada, now, &RandomIds);
        let id = known.recognise(&ada, &text, now).unwrap();
        assert_ne!(known.recognise(&ada, &known.issue(&ada, now, &RandomIds), now), Some(id), "each has its own id");
        assert_eq!(tokens(&[2, 1]).recognise(&ada, &text, now), Some(id), "after a rotation of keys");
        assert_eq!(tokens(&[2]).recognise(&ada, &text, now), None);
        assert_eq!(known.recognise(&eve, &text, now), None, "another account");
        assert_eq!(known.recognise(&ada, &text, now.plus(LIFETIME)), None, "over");
        for at in 0..text.len() {
            let letter = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            let altered = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
            // The last letter holds two bits that mean nothing, and must be zero.
            assert_eq!(known.recognise(&ada, &altered, now), None, "letter {at}");
        }
        for bad in ["", "x", &text[1..], &format!("{text}A")] {
            assert_eq!(known.recognise(&ada, bad, now), None, "{bad}");
        }
    }
}
