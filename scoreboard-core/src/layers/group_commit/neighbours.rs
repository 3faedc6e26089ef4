//! Whether other nodes write to a board too: their versions lie between this node's.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::ids::BoardId;
use crate::store::{Change, Outcome};
use crate::version::Version;

/// After so many batches of a board between which nobody else came, this node is taken to be alone there.
const ALONE_AFTER: u32 = 16;

/// Where a turn was not had in time, something is wrong with who has it. All go on without for so long.
const REST: Duration = Duration::from_secs(5);

/// What this node has seen of the others.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    boards: HashMap<BoardId, Seen>,
    rests_until: Option<Instant>,
}

#[derive(Debug)]
struct Seen {
    /// This node's newest version.
    newest: Version,
    /// For how many batches others are still reckoned with.
    shared_for: u32,
}

impl Neighbours {
    /// Learns from a batch that was applied.
    pub(super) fn see(&mut self, outcomes: &[Outcome]) {
        let mut moved: HashMap<&BoardId, (Version, Version)> = HashMap::new();
        for receipt in outcomes.iter().filter_map(Outcome::receipt).filter(|receipt| !receipt.replayed) {
            let (first, last) = moved.entry(&receipt.board).or_insert((receipt.version, receipt.version));
            (*first, *last) = (receipt.version.min(*first), receipt.version.max(*last));
        }
        for (board, (first, newest)) in moved {
            match self.boards.get_mut(board) {
                Some(seen) => {
                    let alone = first == seen.newest.next();
                    seen.shared_for = if alone { seen.shared_for.saturating_sub(1) } else { ALONE_AFTER };
                    seen.newest = newest;
                }
                None => drop(self.boards.insert(board.clone(), Seen { newest, shared_for: 0 })),
            }
        }
    }

    /// A board of these changes to which others write as well; of several, whichever.
    pub(super) fn shared_board(&self, changes: &[Change]) -> Option<BoardId> {
        if self.rests_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let is_shared = |board: &BoardId| self.boards.get(board).is_some_and(|seen| seen.shared_for > 0);
        changes.iter().map(|change| &change.board).find(|board| is_shared(board)).cloned()
    }

    /// Asks for no turns for a while.
    pub(super) fn leave_it(&mut self) {
        self.rests_until = Some(Instant::now() + REST);
    }
}
