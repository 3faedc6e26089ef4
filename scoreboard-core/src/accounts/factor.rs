//! A user's second factor as it is kept, and the rules by which a code counts: decided here once, for every store.

use std::fmt;
use std::time::Duration;

use uuid::Uuid;

use crate::accounts::TokenHash;
use crate::accounts::recovery_codes;
use crate::accounts::totp::TotpSecret;
use crate::clock::Timestamp;
use crate::ids::UserId;

/// How many wrong codes of an account are looked at in [`WINDOW`]. With six digits and two steps, ten guesses a day find a code once in
/// 137 years.
pub(super) const MAX_WRONG: usize = 10;
pub(super) const WINDOW: Duration = Duration::from_secs(86_400);

/// A second factor: an app's secret, and what was done with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Factor {
    /// Whose it is. A user has one, or none.
    pub user_id: UserId,
    /// Drawn anew with each change, so that a state is told from every other, those of an earlier factor too.
    pub stamp: Uuid,
    /// The app's secret, sealed: a store cannot read it.
    pub secret: Vec<u8>,
    /// When the first right code was shown. Until then it was only begun, and counts for nothing.
    pub confirmed_at: Option<Timestamp>,
    /// The step of the last code that counted: none at or before it counts again.
    pub last_step: Option<u64>,
    /// The recovery codes that are left.
    pub recovery_codes: Vec<TokenHash>,
    /// When wrong codes were shown lately, oldest first: ten at the most.
    pub wrong_at: Vec<Timestamp>,
}

impl fmt::Debug for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factor")
            .field("user_id", &self.user_id)
            .field("stamp", &self.stamp)
            .field("confirmed_at", &self.confirmed_at)
            .field("recovery_codes", &self.recovery_codes.len())
            .field("wrong_at", &self.wrong_at)
            .finish_non_exhaustive()
    }
}

/// What is shown to prove that one has the second factor.
#[derive(Clone, Copy)]
pub(super) enum Proof<'a> {
    /// The app's code.
    Totp(&'a str),
    /// A recovery code.
    RecoveryCode(&'a str),
    /// Whether it is the code that was sent for this login.
    Sent(bool),
}

/// What a proof came to, with the state that has to be kept before anybody is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It is right, and used up.
    Right(Factor),
    /// It is wrong.
    Wrong(Factor),
    /// There were too many wrong ones: this one was not looked at, and neither is another for so long.
    TooMany(Duration),
}

impl Factor {
    /// Whether it is asked for at a login.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.confirmed_at.is_some()
    }

    /// Looks at a proof. A recovery code cannot be guessed, so that it is looked at however many wrong codes there were: it is the way back
    /// in for who was shut out by somebody else's guesses.
    ///
    /// Without a `secret`, which is one that cannot be opened any more, no code of the app is right.
    pub(super) fn show(&self, proof: Proof<'_>, secret: Option<&TotpSecret>, now: Timestamp, stamp: Uuid) -> Shown {
        let mut next = Self { stamp, ..self.clone() };
        next.forget_wrong(now);
        let wait = next.wait(now);
        match (proof, wait) {
            (Proof::RecoveryCode(code), _) => {
                let hash = recovery_codes::hash(self.user_id, code);
                let left = next.recovery_codes.len();
                next.recovery_codes.retain(|known| *known != hash);
                if next.recovery_codes.len() < left { Shown::Right(next) } else { Shown::Wrong(next) }
            }
            (_, Some(wait)) => Shown::TooMany(wait),
            (Proof::Sent(true), None) => Shown::Right(next),
            (Proof::Sent(false), None) => Shown::Wrong(next.with_wrong(now)),
            (Proof::Totp(code), None) => match secret.and_then(|secret| secret.step_of(code, self.last_step, now)) {
                Some(step) => {
                    next.last_step = Some(step);
                    Shown::Right(next)
                }
                None => Shown::Wrong(next.with_wrong(now)),
            },
        }
    }

    fn forget_wrong(&mut self, now: Timestamp) {
        // What lies in the future was noted by a clock that was wrong since, and shuts nobody out for longer than the rest.
        self.wrong_at.retain(|at| now.since(*at) < WINDOW && *at <= now.plus(WINDOW));
    }

    /// How long no code is looked at, if so.
    fn wait(&self, now: Timestamp) -> Option<Duration> {
        let oldest = self.wrong_at.len().checked_sub(MAX_WRONG).and_then(|over| self.wrong_at.get(over))?;
        Some(oldest.plus(WINDOW).since(now))
    }

    fn with_wrong(mut self, now: Timestamp) -> Self {
        self.wrong_at.push(now);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id_source::RandomIds;

    const NOW: Timestamp = Timestamp::from_millis(59_000);
    const CODE: &str = "287082";

    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890")
    }

    fn factor() -> Factor {
        let user_id = UserId::from_bytes([1; 16]);
        Factor {
            user_id,
            stamp: Uuid::nil(),
            secret: Vec::new(),
            confirmed_at: Some(Timestamp::from_millis(0)),
            last_step: None,
            recovery_codes: Vec::new(),
            wrong_at: Vec::new(),
        }
    }

    fn show(factor: &Factor, code: &str, now: Timestamp) -> Shown {
        factor.show(Proof::Totp(code), Some(&secret()), now, Uuid::max())
    }

    #[test]
    fn a_code_counts_once() {
        let Shown::Right(next) = show(&factor(), CODE, NOW) else { panic!("it is right") };
        assert_eq!((next.last_step, next.stamp), (Some(1), Uuid::max()));
        assert!(matches!(show(&next, CODE, NOW), Shown::Wrong(_)));
    }

    #[test]
    fn of_a_million_guesses_ten_a_day_are_looked_at() {
        let mut factor = factor();
        let (mut looked_at, mut right) = (0, 0);
        for guess in 0..1_000_000u32 {
            // A second a guess: more than eleven days.
            let now = NOW.plus(Duration::from_secs(u64::from(guess)));
            // Never a right one: what is counted is what is looked at.
            match show(&factor, "x", now) {
                Shown::Wrong(next) => {
                    looked_at += 1;
                    factor = next;
                }
                Shown::Right(_) => right += 1,
                Shown::TooMany(wait) => assert!(wait <= WINDOW),
            }
            assert!(factor.wrong_at.len() <= MAX_WRONG);
        }
        assert_eq!((looked_at, right), (120, 0), "ten in each of the twelve days that were begun");
    }

    #[test]
    fn a_wait_ends_when_it_says() {
        let mut factor = factor();
        for _ in 0..MAX_WRONG {
            let Shown::Wrong(next) = show(&factor, "000000", NOW) else { panic!("it is wrong") };
            factor = next;
        }
        let later = NOW.plus(Duration::from_secs(3600));
        assert_eq!(show(&factor, CODE, later), Shown::TooMany(Duration::from_secs(23 * 3600)), "a right one neither");
        assert!(matches!(show(&factor, "000000", NOW.plus(WINDOW)), Shown::Wrong(_)));
    }

    #[test]
    fn a_recovery_code_works_once_and_whatever_was_guessed() {
        let codes = recovery_codes::random(&RandomIds);
        let mut factor = factor();
        factor.recovery_codes = codes.iter().map(|code| recovery_codes::hash(factor.user_id, code)).collect();
        factor.wrong_at = vec![NOW; MAX_WRONG];
        let show = |factor: &Factor, code: &str| factor.show(Proof::RecoveryCode(code), None, NOW, Uuid::max());
        let Shown::Right(next) = show(&factor, &codes[3]) else { panic!("it is right") };
        assert_eq!(next.recovery_codes.len(), 9);
        assert!(matches!(show(&next, &codes[3]), Shown::Wrong(_)));
        assert!(matches!(show(&next, &codes[4]), Shown::Right(_)));
    }

    #[test]
    fn a_secret_that_cannot_be_opened_lets_nobody_in() {
        let shown = factor().show(Proof::Totp(CODE), None, NOW, Uuid::max());
        assert!(matches!(shown, Shown::Wrong(_)));
    }
}
