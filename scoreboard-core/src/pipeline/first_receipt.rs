//! A retry of what counts already, answered from the log: for where a first try would be refused by now, or cannot be judged.

use crate::action::Fingerprint;
use crate::cache::BoardCache;
use crate::error::{Rejection, Result};
use crate::ids::ActionId;
use crate::pipeline::Scoreboard;
use crate::store::{Receipt, ScoreStore};

impl Scoreboard {
    /// The receipt of an action that was applied before, by whichever node. As with one that is applied now, nothing older is answered by the
    /// time its caller has it.
    pub(super) async fn first_receipt(&self, action: ActionId, fingerprint: Fingerprint) -> Result<Option<Receipt>> {
        let Some((board, row)) = self.parts.store.action(action).await? else { return Ok(None) };
        if row.fingerprint != fingerprint {
            return Err(Rejection::IdempotencyMismatch.into());
        }
        self.parts.cache.raise_floor(&board, row.position).await;
        Ok(Some(row.receipt(&board, true)))
    }
}
