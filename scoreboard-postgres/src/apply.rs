//! Applying a batch: a read, where not all is remembered, one decision, one write, however many changes it holds.
//!
//! Rows go to SQL as one array a column: the statements stay the same for every size of batch, so that each is prepared once, and
//! a batch costs the same few messages to the server and back: one or two, where nobody else writes to its boards meanwhile.

use std::collections::HashMap;

use scoreboard_core::{BoardId, Change, Outcome};

use crate::connection::PostgresStore;
use crate::error::Failure;

mod at_once;
mod locked;
mod remembered;
mod state;
mod unlocked;
mod write;

pub(crate) use unlocked::Known;
pub(crate) use write::{write_boards, write_log, write_scores, write_withheld};

/// The numbers that boards go by inside the database.
pub(crate) type Numbers = HashMap<BoardId, i64>;

/// Applies the batch.
pub(crate) async fn apply(store: &PostgresStore, changes: &[Change]) -> Result<Vec<Outcome>, Failure> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    match unlocked::apply(store, changes).await? {
        Some(outcomes) => Ok(outcomes),
        None => locked::apply(store, changes).await,
    }
}

/// The key by its place among those that were asked for, counted from 1.
fn asked<K: Copy>(keys: &[K], place: u64) -> Result<K, Failure> {
    let index = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
    index.and_then(|index| keys.get(index).copied()).ok_or_else(|| Failure::stored("a key that was not asked for"))
}
