//! Whether moderators have put anything right on a board, read from its log once for all windows that want to know.

use tokio::sync::Mutex;

use crate::error::Result;
use crate::ids::BoardId;
use crate::pipeline::Scoreboard;
use crate::store::Origin;
use crate::version::{Epoch, Position, Version};

/// How many rows are read at once, and at the most for one question.
const CHUNK: usize = 1_000;
const MAX_READ: u64 = 20_000;

/// What is known of a board's corrections: one stretch of its log, which grows with what is asked. However many windows ask, each row is read
/// about once.
#[derive(Debug, Default)]
pub(super) struct Corrected(Mutex<Option<Stretch>>);

#[derive(Debug)]
struct Stretch {
    epoch: Epoch,
    /// Behind this version and up to that one the log was looked at.
    after: Version,
    until: Version,
    /// The last correction in it.
    last: Option<Version>,
}

impl Corrected {
    /// Whether there may be a correction behind one version and up to another, of one epoch. True also where that takes too much to tell.
    ///
    /// # Errors
    ///
    /// Those of [`Scoreboard::changes`].
    ///
    /// # Cancel safety
    ///
    /// The next who asks goes on.
    pub(super) async fn may_be(
        &self,
        scoreboard: &Scoreboard,
        board: &BoardId,
        after: Position,
        until: Version,
    ) -> Result<bool> {
        let mut known = self.0.lock().await;
        let covers = |stretch: &Stretch| stretch.epoch == after.epoch && stretch.after <= after.version;
        let fresh = Stretch { epoch: after.epoch, after: after.version, until: after.version, last: None };
        let mut stretch = known.take().filter(covers).unwrap_or(fresh);
        if until.get().saturating_sub(stretch.until.get()) > MAX_READ {
            return Ok(true);
        }
        while stretch.until < until {
            let changes = scoreboard.changes(board, stretch.until, CHUNK).await?;
            let Some(last) = changes.rows.last().filter(|_| changes.after == stretch.until) else {
                // Archived, or not there yet where it is read.
                return Ok(true);
            };
            stretch.until = last.position.version;
            let corrections = changes.rows.iter().filter(|row| row.origin == Origin::Correction);
            stretch.last = corrections.map(|row| row.position.version).max().or(stretch.last);
        }
        let may_be = stretch.last.is_some_and(|last| last > after.version);
        *known = Some(stretch);
        Ok(may_be)
    }
}
