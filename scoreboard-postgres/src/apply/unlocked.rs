//! A batch that locks nothing while it is decided: read in one statement, and written in another, which is its own transaction and finds out
//! whether anything was changed in between.
//!
//! Where that is so, and where something of the batch needs a closer look, the batch is begun anew [under the locks](super::locked) of its boards.

use std::collections::HashSet;
use std::io::ErrorKind;

use scoreboard_core::{Batch, BoardId, Change, Outcome};
use sqlx::PgConnection;
use tokio::time::timeout;

use crate::apply::Numbers;
use crate::apply::at_once::Writing;
use crate::apply::state::{Ids, Places, State, numbers, places};
use crate::batch_connection::Taken;
use crate::connection::{PostgresStore, late};
use crate::error::Failure;

/// After somebody else has written to a board in between, so many batches take the locks.
const LOCKED_FOR: u32 = 16;

/// After an action came that counted before, so many batches look for theirs before they write.
const LOOKS_FOR: u32 = 64;

/// What the batches before have learned. All of it are guesses, of which those that are wrong are found out.
pub(crate) struct Known {
    boards: Places,
    locked_for: u32,
    looks_for: u32,
}

impl Default for Known {
    /// On a new connection. The one before may have been lost behind a commit, of which nobody was told: then the first batch is that one again.
    fn default() -> Self {
        Self { boards: Places::default(), locked_for: 0, looks_for: 1 }
    }
}

/// Applies the batch, or finds that it has to be done under locks: then nothing was written.
pub(super) async fn apply(store: &PostgresStore, changes: &[Change]) -> Result<Option<Vec<Outcome>>, Failure> {
    // A number a day is counted under the lock.
    if store.is_closed() || changes.iter().any(|change| change.at_most.is_some()) {
        return Ok(None);
    }
    let mut taken = match store.batches.take().await {
        Ok(Some(taken)) => taken,
        Err(error) if is_late(&error) => return Err(Failure::Driver(error)),
        // It is another's, or the server has no room for one more: the pool may have one.
        Ok(None) | Err(_) => return Ok(None),
    };
    let patience = store.batches.patience();
    let (connection, known) = taken.parts();
    if known.locked_for > 0 {
        known.locked_for -= 1;
        taken.give_back();
        return Ok(None);
    }
    match timeout(patience, look(connection, known, changes)).await {
        Ok(Ok(Some((state, places)))) => write(taken, changes, state, &numbers(&places)).await,
        Ok(Ok(None)) => {
            taken.give_back();
            Ok(None)
        }
        // It may be the connection, and the pool have better ones.
        Ok(Err(_)) => Ok(None),
        Err(_) => Err(Failure::Driver(late(patience))),
    }
}

/// Whether all the time that there was for a connection is over.
fn is_late(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == ErrorKind::TimedOut)
}

/// Reads what the batch is decided on, if it can be decided without more.
async fn look(
    connection: &mut PgConnection,
    known: &mut Known,
    changes: &[Change],
) -> Result<Option<(State, Places)>, Failure> {
    let names: HashSet<&BoardId> = changes.iter().map(|change| &change.board).collect();
    if names.iter().any(|board| !known.boards.contains_key(*board)) {
        known.boards.extend(find(connection, &names).await?);
    }
    let place = |board: &BoardId| Some((board.clone(), *known.boards.get(board)?));
    let places: Places = names.iter().filter_map(|board| place(board)).collect();
    let ids = if known.looks_for > 0 { Ids::All } else { Ids::of(changes) };
    known.looks_for = known.looks_for.saturating_sub(1);
    let state = State::read(connection, changes, &places, ids).await?;
    if state.has_known_ids {
        known.looks_for = LOOKS_FOR;
        return Ok(None);
    }
    if state.boards.len() < names.len() {
        // One that is not there, or is in another season by now.
        known.boards.retain(|board, _| !names.contains(board));
        return Ok(None);
    }
    Ok(Some((state, places)))
}

async fn find(connection: &mut PgConnection, names: &HashSet<&BoardId>) -> Result<Places, Failure> {
    let rows = sqlx::query("SELECT id, no, season FROM boards WHERE id = ANY ($1)")
        .bind(Vec::from_iter(names.iter().map(|board| board.as_str())))
        .fetch_all(connection)
        .await?;
    places(&rows)
}

async fn write(
    mut taken: Taken,
    changes: &[Change],
    state: State,
    numbers: &Numbers,
) -> Result<Option<Vec<Outcome>>, Failure> {
    let State { boards, scores, rows, restrictions, actions_from, ground, .. } = state;
    let totals = boards.iter().map(|(id, board)| (id.clone(), board.total)).collect();
    let decided = Batch { boards, scores, restrictions, actions_from, ..Batch::default() }.decide(changes);
    // What is refused may have counted before: then it is answered as it was.
    if decided.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused(_))) {
        taken.give_back();
        return Ok(None);
    }
    let (connection, known) = taken.parts();
    match Writing::of(&decided, numbers, &ground, &rows, &totals).write(connection).await {
        Ok(()) => {
            taken.give_back();
            Ok(Some(decided.outcomes))
        }
        Err(failure) if failure.lost_a_race() => {
            match failure {
                Failure::Moved => known.locked_for = LOCKED_FOR,
                _ => known.looks_for = LOOKS_FOR,
            }
            taken.give_back();
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}
