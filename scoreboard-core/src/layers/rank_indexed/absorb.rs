//! What happened on a board, taken into its index: this node's own changes from their receipts, all others from the log.

use crate::error::BackendError;
use crate::layers::rank_indexed::RankIndexed;
use crate::layers::rank_indexed::indexed_board::{IndexedBoard, Step, Told};
use crate::store::{AppliedChange, Change, Receipt};
use crate::version::Position;

/// How many log rows are read at once.
pub(super) const ROWS: usize = 1_000;

/// A board with no more users is made anew while its reader waits.
const SMALL: u64 = 1_000;

/// What came of a look at the log.
enum Read {
    /// Some, or all.
    More,
    /// There are none.
    End,
    /// What does not go on from where the index is.
    Foreign(&'static str),
}

impl From<&AppliedChange> for Step {
    fn from(change: &AppliedChange) -> Self {
        let AppliedChange { position, season, user_id, becomes, .. } = change;
        Self { position: *position, season: *season, user: *user_id, becomes: *becomes }
    }
}

impl From<&Receipt> for Step {
    fn from(receipt: &Receipt) -> Self {
        Self {
            position: Position { epoch: receipt.epoch, version: receipt.version },
            season: receipt.season,
            user: receipt.user_id,
            becomes: receipt.into(),
        }
    }
}

impl RankIndexed {
    /// Takes in what was applied through this handle, before its caller is told. A replay is no news, but must be seen all the same.
    ///
    /// Where other nodes' changes lie between, no writer waits for their rows: the follower reads them, many at once, or who asks before it has.
    pub(super) fn absorb(&self, indexed: &IndexedBoard, applied: &[(&Change, &Receipt)]) {
        let positions = applied.iter().map(|(_, receipt)| Position { epoch: receipt.epoch, version: receipt.version });
        let Some(newest) = positions.max() else { return };
        let new = || applied.iter().filter(|(_, receipt)| !receipt.replayed);
        self.remember(indexed, new().map(|(change, receipt)| AppliedChange::of(change, receipt)));
        let steps: Vec<Step> = new().map(|(_, receipt)| Step::from(*receipt)).collect();
        let told = indexed.take_own(&steps);
        if let Some(written) = steps.iter().map(|step| step.position).max() {
            indexed.wrote(written);
        }
        indexed.raise_floor(newest);
        if told != Told::Current || indexed.is_behind() {
            self.shared.wake.notify_one();
        }
    }

    /// Brings an index to where its board was seen so far, or, if the log does not go on from where it is, makes it anew. What this node did itself is not
    /// read again.
    pub(super) async fn catch_up(&self, indexed: &IndexedBoard) -> Result<(), BackendError> {
        // What is seen from now on need not be in it: else this could run after the writers for ever, and who waits for the turn with it.
        self.bring_to(indexed, indexed.floor()).await
    }

    /// The same, no further than to this goal.
    pub(super) async fn bring_to(&self, indexed: &IndexedBoard, goal: Position) -> Result<(), BackendError> {
        let turn = indexed.turn.lock().await;
        while indexed.position().is_some() {
            // Before the log is read: what is seen meanwhile may be behind what was read.
            let floor = indexed.floor();
            let why = match indexed.take_ahead() {
                Ok(_) if indexed.position().is_some_and(|position| position >= goal) => return Ok(()),
                Ok(others) => match self.read_on(indexed, others).await? {
                    Read::More => continue,
                    // No row of it has come, but the store was set back.
                    Read::End if indexed.position().is_some_and(|position| position.epoch < floor.epoch) => "epoch",
                    Read::End => return Ok(()),
                    Read::Foreign(why) => why,
                },
                Err(why) => why,
            };
            let small = indexed.look(|live| live.index.total()).is_some_and(|total| total <= SMALL);
            indexed.start_anew(why);
            if small {
                drop(turn);
                return self.fill(indexed).await;
            }
            // Whoever asks does not wait until a large board is filled.
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    /// Reads the next rows of the log; where so many are of others before this node's own, those.
    async fn read_on(&self, indexed: &IndexedBoard, others: Option<u64>) -> Result<Read, BackendError> {
        let Some(position) = indexed.position() else { return Ok(Read::End) };
        let limit = others.and_then(|others| usize::try_from(others).ok()).map_or(ROWS, |others| others.min(ROWS));
        let changes = self.shared.inner.applied(&indexed.id, position.version, limit).await?;
        let steps: Vec<Step> = changes.iter().map(Step::from).collect();
        self.remember(indexed, changes);
        Ok(match indexed.take(&steps) {
            Told::Current if steps.is_empty() => Read::End,
            Told::Current => Read::More,
            // The rows between are archived.
            Told::Gap => Read::Foreign("gap"),
            Told::Foreign(why) => Read::Foreign(why),
        })
    }
}
