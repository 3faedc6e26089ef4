//! What cheats try with an action that was signed for them.

use std::time::Duration;

use scoreboard_core::{Points, Scoreboard, SignedAction, Timestamp, UserId};

use crate::actor::{Actor, Family};

/// What came of attempts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attempts {
    pub(crate) tried: u64,
    /// How many were refused, or answered as the repeats that they were.
    pub(crate) caught: u64,
}

impl Attempts {
    fn count(&mut self, is_caught: bool) {
        self.tried += 1;
        self.caught += u64::from(is_caught);
    }
}

/// Before an honest action is handed in, or after: a cheat's attempt. `others` is an action of somebody else.
pub(crate) async fn before(
    actor: &mut Actor,
    scoreboard: &Scoreboard,
    user: UserId,
    action: &SignedAction,
    others: Option<&SignedAction>,
    attempts: &mut Attempts,
) {
    match actor.family {
        Family::Tamper => {
            let mut altered = action.clone();
            let claims = &mut altered.claims;
            match actor.choose(5) {
                0 => claims.points = Points::new(claims.points.get() + 1).expect("small"),
                1 => {
                    let other = if claims.kind.as_str() == "boss" { "quest" } else { "boss" };
                    claims.kind = other.parse().expect("a slug");
                }
                2 => claims.not_before = Timestamp::from_millis(0),
                3 => claims.expires_at = claims.expires_at.plus(Duration::from_secs(86_400)),
                _ => {
                    // Another's action, with one's own name on it.
                    let Some(others) = others else { return };
                    altered = others.clone();
                    altered.claims.user_id = user;
                }
            }
            attempts.count(scoreboard.submit(user, altered).await.is_err());
        }
        Family::Replay => {
            let Some(others) = others else { return };
            attempts.count(scoreboard.submit(user, others.clone()).await.is_err());
        }
        _ => {}
    }
}

/// The same action once more, after it has counted.
pub(crate) async fn after(
    actor: &Actor,
    scoreboard: &Scoreboard,
    user: UserId,
    action: &SignedAction,
    attempts: &mut Attempts,
) {
    if actor.family == Family::Replay {
        let again = scoreboard.submit(user, action.clone()).await;
        attempts.count(again.is_ok_and(|receipt| receipt.replayed));
    }
}

/// Too early: a moment after it was signed.
pub(crate) async fn early(
    actor: &Actor,
    scoreboard: &Scoreboard,
    user: UserId,
    action: &SignedAction,
    attempts: &mut Attempts,
) {
    if actor.family == Family::TooFast {
        attempts.count(scoreboard.submit(user, action.clone()).await.is_err());
    }
}
