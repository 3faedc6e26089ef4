//! Step 4, **apply**: one durable transaction, shared with all that wait at the moment.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};

use crate::broadcast::Broadcaster;
use crate::error::{BackendError, ErrorKind, Rejection, Result};
use crate::ids::BoardId;
use crate::layers::{CommitListener, TwoLevelCache};
use crate::pipeline::Scoreboard;
use crate::pipeline::publish::publish;
use crate::pipeline::refresh::{moved, refresh};
use crate::pipeline::write_through::WriteThrough;
use crate::store::{Change, Outcome, Receipt, Refusal, ScoreStore};
use crate::turns::Turns;
use crate::version::Position;

/// So many boards of a batch are told of at once.
const AT_ONCE: usize = 16;

/// What a transaction made of one change.
pub(super) enum Applied {
    /// It counts.
    Yes(Receipt),
    /// It would be more than [`Change::at_most`] allows.
    AboveCount,
    /// It would be more than [`Change::admitted`] allows: so long after that there is room.
    OverQuota(Duration),
}

impl Scoreboard {
    /// Hands the change to the group commit and waits for its own outcome. When it returns, steps 5 and 6 are done too.
    pub(super) async fn apply(&self, change: Change) -> Result<Applied> {
        let mut outcomes = self.parts.store.apply(std::slice::from_ref(&change)).await?;
        let outcome = outcomes.pop().ok_or(BackendError::new(ErrorKind::Refused, "store", "apply"))?;
        let rejection = match outcome {
            Outcome::Applied(receipt) | Outcome::Replayed(receipt) => return Ok(Applied::Yes(receipt)),
            Outcome::Refused(Refusal::AboveCount) => return Ok(Applied::AboveCount),
            Outcome::Refused(Refusal::OverQuota(free_in)) => return Ok(Applied::OverQuota(free_in)),
            Outcome::Refused(Refusal::UnknownBoard) => Rejection::UnknownBoard(change.board),
            Outcome::Refused(Refusal::SeasonOver) => Rejection::Mismatch,
            Outcome::Refused(Refusal::ScoreOutOfRange) => Rejection::ScoreOutOfRange,
            Outcome::Refused(Refusal::Banned) => Rejection::Banned,
            Outcome::Refused(Refusal::Correction) => Rejection::Forbidden,
            Outcome::Refused(Refusal::Archived) => Rejection::Expired,
            Outcome::Refused(Refusal::FingerprintMismatch) => Rejection::IdempotencyMismatch,
        };
        Err(rejection.into())
    }
}

/// Steps 5 and 6, once a batch, by the task that commits: a caller that goes away cannot leave the cache behind the board.
pub(super) struct AfterCommit {
    pub(super) cache: Arc<TwoLevelCache>,
    pub(super) broadcaster: Arc<dyn Broadcaster>,
    pub(super) write_through: Arc<WriteThrough>,
    pub(super) turns: Option<Arc<dyn Turns>>,
}

impl AfterCommit {
    /// Whether another node has done the same already, which wrote for this one.
    fn is_announced(&self, board: &BoardId, position: Position) -> bool {
        self.turns.as_ref().is_some_and(|turns| turns.is_announced(board, position))
    }
}

impl fmt::Debug for AfterCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterCommit").finish_non_exhaustive()
    }
}

#[async_trait]
impl CommitListener for AfterCommit {
    async fn committed(&self, outcomes: &[Outcome]) {
        // Several boards at once: callers wait for it, and what stands behind it may be as far away as Redis is.
        let told = stream::iter(moved(outcomes)).for_each_concurrent(AT_ONCE, |(board, position)| async move {
            let is_announced = self.is_announced(&board, position);
            match is_announced {
                false => refresh(&*self.cache, &board, position).await,
                true => self.cache.raise_near_floor(&board, position).await,
            }
            publish(&*self.broadcaster, &board, position, is_announced).await;
            self.write_through.moved(&board);
        });
        told.await;
    }
}
