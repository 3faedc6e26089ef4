//! Codes that are sent for a login: weaker than an app's, for who can read the mail or the texts of a user has them.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::accounts::challenge::ShownChallenge;
use crate::accounts::{AccountError, Accounts, FactorMethod, LoginChallenge, MessageKind, Notifier, TokenHash, User};
use crate::id_source::IdSource;
use crate::verifier::{KeyRing, Macs};

/// How many codes are sent for one login.
const MAX_SENT: u32 = 3;
const DIGITS: usize = 8;

/// Hashes codes under keys of the ring: eight digits are few, and whoever reads the store shall not try them all.
pub(super) struct SentCodes(Macs);

impl fmt::Debug for SentCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SentCodes")
    }
}

impl SentCodes {
    pub(super) fn new(ring: &KeyRing) -> Self {
        Self(Macs::of(ring, "sent-codes"))
    }

    /// What is kept of a code for this login.
    fn kept(&self, challenge: TokenHash, code: &str) -> TokenHash {
        Self::hash(&self.0.get()[0].1, challenge, code)
    }

    /// Bound to its login.
    fn hash(key: &Hmac<Sha256>, challenge: TokenHash, code: &str) -> TokenHash {
        let mut mac = key.clone();
        let pieces = [challenge.as_bytes().as_slice(), code.as_bytes()];
        crate::encoding::pre_authentication_encoding("scoreboard/sent-code/v1", &pieces, |bytes| mac.update(bytes));
        TokenHash::from_bytes(mac.finalize().into_bytes().into())
    }

    fn is_right(&self, challenge: &LoginChallenge, code: &str) -> bool {
        let Some(sent) = challenge.code else { return false };
        let digits: String = code.chars().filter(|letter| *letter != ' ').collect();
        self.0.get().iter().any(|(_, key)| {
            let shown = Self::hash(key, challenge.id, &digits);
            bool::from(shown.as_bytes().ct_eq(sent.as_bytes()))
        })
    }
}

/// Eight digits, all of the same chance.
fn random(ids: &dyn IdSource) -> String {
    const RANGE: u32 = 100_000_000;
    // What is above the last whole range would make the small numbers likelier.
    const WHOLE: u32 = u32::MAX - u32::MAX % RANGE;
    loop {
        let mut bytes = [0; 4];
        ids.fill(&mut bytes);
        let number = u32::from_be_bytes(bytes);
        if number < WHOLE {
            return format!("{:0DIGITS$}", number % RANGE);
        }
    }
}

impl Accounts {
    /// Sends a code for a login that waits: by mail to a confirmed address, or as a text. Three at the most for one login; each takes the
    /// place of the one before.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] if the login is unknown, over or completed, enough were sent, or this is no way to this user: never said
    /// which. [`AccountError::NoFactors`], or a failure of the store or the notifier.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a code may be on its way.
    pub async fn send_code(&self, challenge_id: &str, method: FactorMethod) -> Result<(), AccountError> {
        let shown = ShownChallenge::read(challenge_id)?;
        let id = shown.id();
        let (now, code) = (self.parts.clock.now(), random(&*self.parts.ids));
        let hash = self.parts.sent_codes.kept(id, &code);
        let waits = self.factors()?.store.set_challenge_code(id, hash, MAX_SENT, now).await?;
        let waits = waits.ok_or(AccountError::Unauthorized)?;
        let (user, _) = self.who_waits(&shown, &waits).await?;
        let carrier = self.ways_to(&user).await?.into_iter().find(|(way, _)| *way == method);
        let (_, carrier) = carrier.ok_or(AccountError::Unauthorized)?;
        let minutes = waits.expires_at.since(now).as_secs().div_ceil(60);
        let text = format!(
            "your code to sign in is {code}. It is good for {minutes} minutes, and for the sign-in that asked for it.\n\nNobody will ask you for it. If you \
             are not signing in, somebody knows your password: change it."
        );
        let mut message = self.message(&user, MessageKind::LoginCode, &format!("{code} is your code"), &text);
        message.expires_at = Some(waits.expires_at);
        Ok(carrier.deliver(&message).await?)
    }

    /// Whether this is the code that was sent last for a login.
    pub(super) fn is_sent_code(&self, challenge: &LoginChallenge, code: &str) -> bool {
        self.parts.sent_codes.is_right(challenge, code)
    }

    /// By which ways a code can be sent to a user, and what carries it. None to who must have a second factor: theirs is not to be as weak as
    /// a mailbox.
    pub(super) async fn ways_to(&self, user: &User) -> Result<Vec<(FactorMethod, Arc<dyn Notifier>)>, AccountError> {
        let mut ways = Vec::new();
        if self.must_have_factor(user) {
            return Ok(ways);
        }
        if let Some(mail) = self.parts.mail.as_ref().filter(|_| self.parts.config.mailed_codes)
            && self.parts.store.email_confirmed_at(user.id).await?.is_some()
        {
            ways.push((FactorMethod::Email, mail.clone()));
        }
        if let Some(texts) = &self.parts.texts {
            ways.push((FactorMethod::Sms, texts.clone()));
        }
        Ok(ways)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::id_source::RandomIds;
    use crate::ids::UserId;

    #[test]
    fn a_code_is_right_for_its_login_alone() {
        let ring = KeyRing::random(&RandomIds);
        let codes = SentCodes::new(&ring);
        let (one, other) = (TokenHash::of(b"one"), TokenHash::of(b"other"));
        let code = random(&RandomIds);
        assert!(code.len() == DIGITS && code.bytes().all(|digit| digit.is_ascii_digit()), "{code}");
        let waits = |id, sent: Option<TokenHash>| LoginChallenge {
            id,
            user_id: UserId::from_bytes([1; 16]),
            created_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(1),
            tries: 0,
            sent: 1,
            code: sent,
        };
        let sent = Some(codes.kept(one, &code));
        assert!(codes.is_right(&waits(one, sent), &code));
        assert!(codes.is_right(&waits(one, sent), &format!("{} {}", &code[..4], &code[4..])));
        assert!(!codes.is_right(&waits(other, sent), &code), "of another login");
        assert!(!codes.is_right(&waits(one, None), &code), "none was sent");
        assert!(!codes.is_right(&waits(one, sent), ""));
        assert!(!SentCodes::new(&KeyRing::random(&RandomIds)).is_right(&waits(one, sent), &code), "under another key");
    }
}
