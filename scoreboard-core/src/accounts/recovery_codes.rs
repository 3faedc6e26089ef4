//! Recovery codes: the way back in for who has lost the phone. Each works once, is shown once, and is kept as a hash.

use crate::accounts::TokenHash;
use crate::id_source::IdSource;
use crate::ids::UserId;

/// How many there are.
pub(super) const NUMBER: usize = 10;
/// 120 random bits: more than the 112 below which a fast hash would not do (OWASP ASVS 5.0, 6.5.2).
const BYTES: usize = 15;
/// Crockford's Base32: no letter that looks like a digit, and none that could make a word of it.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUP: usize = 4;

/// New codes, as people write them down: `XXXX-XXXX-XXXX-XXXX-XXXX-XXXX`.
pub(super) fn random(ids: &dyn IdSource) -> Vec<String> {
    (0..NUMBER).map(|_| one(ids)).collect()
}

fn one(ids: &dyn IdSource) -> String {
    let mut bytes = [0; BYTES];
    ids.fill(&mut bytes);
    let mut code = String::new();
    // Five bytes are eight letters.
    for five in bytes.chunks(5) {
        let bits = five.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        for letter in (0..8).rev() {
            if code.len() % (GROUP + 1) == GROUP {
                code.push('-');
            }
            code.push(char::from(ALPHABET[(bits >> (5 * letter) & 31) as usize]));
        }
    }
    code
}

/// What is kept of a code. Bound to its user, so that equal hashes never stand for two.
pub(super) fn hash(user: UserId, code: &str) -> TokenHash {
    let letters = code.chars().filter(|letter| !matches!(letter, '-' | ' '));
    // As Crockford has them read.
    let read = letters.map(|letter| match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    });
    let text: String = read.collect();
    TokenHash::from_bytes(crate::encoding::sha256("scoreboard/recovery-code/v1", &[user.as_bytes(), text.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id_source::RandomIds;

    #[test]
    fn codes_are_long_and_read_as_people_type() {
        let codes = random(&RandomIds);
        assert_eq!(codes.len(), NUMBER);
        let user = UserId::from_bytes([1; 16]);
        for code in &codes {
            assert_eq!((code.len(), code.split('-').count()), (29, 6), "{code}");
            let typed = code.to_lowercase().replace('-', " ").replace('1', "l").replace('0', "o");
            assert!(hash(user, &typed) == hash(user, code), "{typed}");
            assert!(hash(UserId::from_bytes([2; 16]), code) != hash(user, code));
        }
        let distinct: std::collections::HashSet<_> = codes.iter().map(|code| hash(user, code)).collect();
        assert_eq!(distinct.len(), NUMBER);
    }
}
