//! Step 2, **verify**: the action is ours, unaltered, this user's, and its time is now.

use crate::action::{SignedAction, VerifiedAction};
use crate::board::Board;
use crate::clock::Timestamp;
use crate::error::{Rejection, Result};
use crate::ids::UserId;
use crate::pipeline::Scoreboard;

impl Scoreboard {
    /// Checks the signature, then the owner. Nothing else is looked at before: to a stranger, an action says nothing.
    pub(super) fn verify(&self, user: UserId, action: SignedAction) -> Result<VerifiedAction, Rejection> {
        self.parts.verifier.verify(&action)?;
        if action.claims.user_id != user {
            return Err(Rejection::Mismatch);
        }
        Ok(VerifiedAction::new(action))
    }

    /// Now; for an action that is handed in so little too early that it may be by another node's clock, its time, which is waited for.
    pub(super) async fn moment_of(&self, action: &VerifiedAction) -> Timestamp {
        let (now, due) = (self.parts.clock.now(), action.claims().not_before);
        let early = due.since(now);
        if early.is_zero() || early > self.parts.config.clocks_apart {
            return now;
        }
        tokio::time::sleep(early).await;
        due.max(self.parts.clock.now())
    }
}

/// Checks the season and the time window. An action that was applied before is answered all the same, so the caller looks for
/// a receipt before it passes this refusal on.
pub(super) fn verify_moment(action: &VerifiedAction, board: &Board, now: Timestamp) -> Result<(), Rejection> {
    let claims = action.claims();
    if claims.season != board.season {
        Err(Rejection::Mismatch)
    } else if now < claims.not_before {
        Err(Rejection::NotYetValid)
    } else if now >= claims.expires_at {
        Err(Rejection::Expired)
    } else {
        Ok(())
    }
}
