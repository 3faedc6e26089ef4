//! Tokens whose signature was good, so that a client that asks often is not checked from the first letter each time.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::ids::{SessionId, UserId};

/// How many tokens a generation holds: with its two, some 4 MB at the most.
const GENERATION: usize = 16 * 1024;

/// What a token says, its signature checked. Its times are still to be held against the clock, in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Signed {
    pub(super) user_id: UserId,
    pub(super) session_id: SessionId,
    pub(super) issued_at: i64,
    pub(super) expires_at: i64,
    pub(super) must_enrol: bool,
}

/// Known by their SHA-256: the tokens themselves are kept nowhere, and how long a look takes tells nothing of them.
type Generation = HashMap<[u8; 32], Signed>;

/// Bounded: when the younger generation is full, the elder is forgotten. Who is forgotten is checked again; only what was
/// checked gets in, so that nobody can push others out with tokens of their own making.
#[derive(Default)]
pub(super) struct KnownTokens(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    younger: Generation,
    elder: Generation,
}

impl KnownTokens {
    pub(super) fn get(&self, digest: &[u8; 32]) -> Option<Signed> {
        let mut generations = self.0.lock();
        if let Some(signed) = generations.younger.get(digest) {
            return Some(*signed);
        }
        let signed = generations.elder.remove(digest)?;
        generations.insert(*digest, signed);
        Some(signed)
    }

    pub(super) fn insert(&self, digest: [u8; 32], signed: Signed) {
        self.0.lock().insert(digest, signed);
    }
}

impl Generations {
    fn insert(&mut self, digest: [u8; 32], signed: Signed) {
        if self.younger.len() >= GENERATION {
            self.elder = std::mem::take(&mut self.younger);
        }
        self.younger.insert(digest, signed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_again_is_remembered_and_the_number_is_bounded() {
        let known = KnownTokens::default();
        let (user_id, session_id) = (UserId::MIN, SessionId::MIN);
        let signed = Signed { user_id, session_id, issued_at: 0, expires_at: 60, must_enrol: false };
        let digest = |n: usize| {
            let mut digest = [0; 32];
            digest[..8].copy_from_slice(&n.to_le_bytes());
            digest
        };
        for n in 1..=10 * GENERATION {
            known.insert(digest(n), signed);
            if n == 1 || n % (GENERATION / 2) == 0 {
                assert!(known.get(&digest(1)).is_some(), "asked often enough, after {n}");
            }
            let held = known.0.lock();
            assert!(held.younger.len() <= GENERATION && held.elder.len() <= GENERATION);
        }
        assert!(known.get(&digest(2)).is_none(), "not asked for again");
    }
}
