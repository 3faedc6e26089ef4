//! A batch that locks nothing while it is decided: read in one statement, and written in another, which is its own transaction and finds out
//! whether anything was changed in between. Of whom all is [remembered](super::remembered) from batches before, nothing is read: one statement
//! is all.
//!
//! Where what was remembered is not so any more, it is read; where what was read is not, and where something of the batch needs a closer look, the
//! batch is begun anew [under the locks](super::locked) of its boards.

use std::collections::HashSet;
use std::io::ErrorKind;

use scoreboard_core::{Batch, BoardId, Change, Outcome};
use sqlx::PgConnection;
use tokio::time::timeout;

use crate::apply::at_once::Writing;
use crate::apply::remembered::Remembered;
use crate::apply::state::{Ids, Places, State, numbers, places};
use crate::connection::{PostgresStore, late};
use crate::error::Failure;

/// After somebody else has written to a board in between, so many batches take the locks.
const LOCKED_FOR: u32 = 16;

/// After an action came that counted before, so many batches look for theirs before they write.
const LOOKS_FOR: u32 = 64;

/// What the batches before have learned. All of it are guesses, of which those that are wrong are found out.
pub(crate) struct Known {
    boards: Places,
    remembered: Remembered,
    locked_for: u32,
    looks_for: u32,
}

impl Default for Known {
    /// On a new connection. The one before may have been lost behind a commit, of which nobody was told: then the first batch is that one again.
    fn default() -> Self {
        Self { boards: Places::default(), remembered: Remembered::default(), locked_for: 0, looks_for: 1 }
    }
}

impl Known {
    /// What the batch is decided on, if all of it is remembered, and nothing says that some of it may have counted before.
    fn recall(&mut self, changes: &[Change]) -> Option<State> {
        let knows_boards = changes.iter().all(|change| self.boards.contains_key(&change.board));
        if !knows_boards || self.looks_for > 0 || Ids::of(changes) != Ids::Foreign {
            return None;
        }
        self.remembered.recall(changes)
    }

    /// Those of the boards that the changes name.
    fn places(&self, changes: &[Change]) -> Places {
        let names: HashSet<&BoardId> = changes.iter().map(|change| &change.board).collect();
        let place = |board: &BoardId| Some((board.clone(), *self.boards.get(board)?));
        names.into_iter().filter_map(place).collect()
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
    let mut done = Done::Moved;
    if let Some(state) = known.recall(changes) {
        done = match write(connection, known, changes, state, Seen::Nothing).await {
            // Nothing was written, and the pool may have better connections.
            Err(failure) if failure.ended_the_connection() => return Ok(None),
            done => done?,
        };
        if matches!(done, Done::Moved) {
            known.remembered.doubt();
        }
    }
    if matches!(done, Done::Moved) {
        done = match timeout(patience, look(connection, known, changes)).await {
            Ok(Ok(Some(state))) => write(connection, known, changes, state, Seen::Ids).await?,
            Ok(Ok(None)) => Done::Closer,
            // It may be the connection, and the pool have better ones.
            Ok(Err(_)) => return Ok(None),
            Err(_) => return Err(Failure::Driver(late(patience))),
        };
        if matches!(done, Done::Moved) {
            known.locked_for = LOCKED_FOR;
        }
    }
    if !matches!(done, Done::Applied(_)) {
        // It is written on another connection.
        known.remembered.forget();
    }
    taken.give_back();
    match done {
        Done::Applied(outcomes) => Ok(Some(outcomes)),
        Done::Moved | Done::Closer => Ok(None),
    }
}

/// Whether all the time that there was for a connection is over.
fn is_late(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == ErrorKind::TimedOut)
}

/// Reads what the batch is decided on, if it can be decided without more.
async fn look(connection: &mut PgConnection, known: &mut Known, changes: &[Change]) -> Result<Option<State>, Failure> {
    let names: HashSet<&BoardId> = changes.iter().map(|change| &change.board).collect();
    if names.iter().any(|board| !known.boards.contains_key(*board)) {
        known.boards.extend(find(connection, &names).await?);
    }
    let places = known.places(changes);
    let ids = if known.looks_for > 0 { Ids::All } else { Ids::of(changes) };
    known.looks_for = known.looks_for.saturating_sub(1);
    let state = State::read(connection, changes, &places, ids).await?;
    if state.has_known_ids {
        known.looks_for = LOOKS_FOR;
        return Ok(None);
    }
    if state.boards.len() < names.len() {
        // One that is not there, or is in another season by now.
        known.boards.retain(|board, _| !names.contains(board) || state.boards.contains_key(board));
        return Ok(None);
    }
    Ok(Some(state))
}

async fn find(connection: &mut PgConnection, names: &HashSet<&BoardId>) -> Result<Places, Failure> {
    let rows = sqlx::query("SELECT id, no, season FROM boards WHERE id = ANY ($1)")
        .bind(Vec::from_iter(names.iter().map(|board| board.as_str())))
        .fetch_all(connection)
        .await?;
    places(&rows)
}

/// What has come of a batch.
enum Done {
    Applied(Vec<Outcome>),
    /// What it was decided on is so no more.
    Moved,
    /// Something of it needs a closer look.
    Closer,
}

/// What was looked for before the batch is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Ids,
    Nothing,
}

async fn write(
    connection: &mut PgConnection,
    known: &mut Known,
    changes: &[Change],
    state: State,
    seen: Seen,
) -> Result<Done, Failure> {
    let numbers = numbers(&known.places(changes));
    let State { boards, scores, rows, restrictions, admissions, actions_from, ground, .. } = state;
    let totals = boards.iter().map(|(id, board)| (id.clone(), board.total)).collect();
    let batch = Batch { boards, scores, restrictions, admissions, actions_from, ..Batch::default() };
    let decided = batch.decide(changes);
    // What is refused may have counted before: then it is answered as it was.
    if decided.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Refused(_))) {
        return Ok(Done::Closer);
    }
    let mut writing = Writing::of(&decided, &numbers, &ground, &rows, &totals);
    if seen == Seen::Nothing {
        writing = writing.unseen(changes);
    }
    match writing.write(connection).await {
        Ok(written) => {
            let users = writing.users(&written);
            known.remembered.learn(&ground, actions_from, written.left(decided.boards, users));
            Ok(Done::Applied(decided.outcomes))
        }
        Err(Failure::Moved) => Ok(Done::Moved),
        Err(failure) if failure.lost_a_race() => {
            known.looks_for = LOOKS_FOR;
            Ok(Done::Closer)
        }
        Err(failure) => Err(failure),
    }
}
