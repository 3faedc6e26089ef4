//! Codes that an authenticator app computes from a shared secret and the time: TOTP (RFC 6238) as every app knows it, with SHA-1, six
//! digits and steps of 30 seconds.

use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::id_source::IdSource;

/// How many bytes a secret has: 160 bits, as RFC 4226 §4 (R6) recommends.
pub(super) const SECRET_BYTES: usize = 20;
/// How long a code is shown, in seconds.
const STEP: i64 = 30;
const DIGITS: usize = 6;

/// The secret of one user's app.
pub(super) struct TotpSecret(Totp);

impl TotpSecret {
    /// A new secret.
    pub(super) fn random(ids: &dyn IdSource) -> Self {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        ids.fill(bytes.as_mut());
        Self::from_bytes(&bytes)
    }

    pub(super) fn from_bytes(bytes: &[u8; SECRET_BYTES]) -> Self {
        // Neighbouring steps are tried here, by the rule of `step_of`.
        let totp = Builder::new().with_secret(Secret::new_stack(*bytes)).with_skew(0).build();
        Self(totp.expect("the secret has 160 bits, and the rest are defaults"))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.secret().as_bytes()
    }

    /// As people type it where there is no camera: Base32 (RFC 4648).
    pub(super) fn to_base32(&self) -> String {
        self.0.secret().to_base32()
    }

    /// The step that a code is of: the present one, or the one before, for a phone that is late or a slow hand. Never a step that is not
    /// behind `last`, for a code counts once (RFC 6238 §5.2).
    pub(super) fn step_of(&self, code: &str, last: Option<u64>, now: Timestamp) -> Option<u64> {
        let digits: String = code.chars().filter(|letter| *letter != ' ').collect();
        if digits.len() != DIGITS || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let present = u64::try_from(now.as_secs() / STEP).ok()?;
        let steps = [Some(present), present.checked_sub(1)];
        let mut found = None;
        for step in steps.into_iter().flatten().filter(|step| last.is_none_or(|last| *step > last)) {
            // Both are computed, and the comparison takes the same time for each digit.
            if self.0.check(&digits, step * STEP.unsigned_abs()).is_some() {
                found = found.or(Some(step));
            }
        }
        found
    }

    /// What an app reads from a QR code: the key URI format, which Google Authenticator began and all others follow.
    pub(super) fn uri(&self, issuer: &str, account: &str) -> String {
        // A colon would end the issuer.
        let issuer = percent_encoded(&issuer.replace(':', " "));
        let (account, secret) = (percent_encoded(account), self.to_base32());
        format!(
            "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP}"
        )
    }
}

/// Everything but the unreserved characters of RFC 3986 §2.3, so that a name stays one part of the URI.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes all that is written");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the secret of its SHA-1 rows, and the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = TotpSecret::from_bytes(b"12345678901234567890");
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let step = u64::try_from(seconds / STEP).unwrap();
            let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
            assert_eq!(secret.step_of(code, None, at(seconds)), Some(step), "{code}");
            assert_eq!(secret.step_of(code, None, at(seconds + STEP)), Some(step), "one step late");
            assert_eq!(secret.step_of(code, None, at(seconds + 2 * STEP)), None, "two steps late");
            assert_eq!(secret.step_of(code, None, at(seconds - STEP)), None, "early");
            assert_eq!(secret.step_of(code, Some(step), at(seconds)), None, "used");
            assert_eq!(secret.step_of(code, Some(step - 1), at(seconds)), Some(step));
            assert_eq!(secret.step_of(&format!("{} {}", &code[..3], &code[3..]), None, at(seconds)), Some(step));
        }
        for wrong in ["", "28708", "2870820", "28708a", "２８７０８２", "000000"] {
            assert_eq!(secret.step_of(wrong, None, Timestamp::from_millis(59_000)), None, "{wrong}");
        }
    }

    #[test]
    fn the_uri_holds_any_name() {
        let secret = TotpSecret::from_bytes(b"12345678901234567890");
        assert_eq!(
            secret.uri("My: Game", "ada+1@example.org"),
            "otpauth://totp/My%20%20Game:ada%2B1%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=My%20%20Game&algorithm=SHA1&digits=6&period=30"
        );
    }
}
