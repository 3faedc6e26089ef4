//! What a watcher holds, put together from what it was sent.

use std::collections::HashMap;

use scoreboard_core::{ChangeOp, LiveEvent, Position, UserId};

use crate::history::{Row, Told};

/// The top of the board as a watcher has it. It outlives the node that it watches, as somebody's screen does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Copy {
    pub(crate) position: Position,
    pub(crate) total: u64,
    pub(crate) rows: Vec<Row>,
    pub(crate) has_begun: bool,
}

impl Copy {
    /// Applies an event; the error is why it cannot be.
    pub(crate) fn apply(&mut self, event: &LiveEvent) -> Result<(), String> {
        let at = event.position();
        if at < self.position {
            return Err(format!("from {} back to {at}", self.position));
        }
        match event {
            LiveEvent::Snapshot(snapshot) => {
                let entries = snapshot.entries.iter();
                self.rows = entries.map(|entry| (entry.rank, entry.user_id, entry.score.get())).collect();
                self.total = snapshot.total;
            }
            LiveEvent::Update(update) => {
                if (update.epoch, update.from) != (self.position.epoch, self.position.version) {
                    return Err(format!(
                        "an update from {}.{} to who is at {}",
                        update.epoch, update.from, self.position
                    ));
                }
                let mut users: HashMap<UserId, (u64, i64)> =
                    self.rows.iter().map(|(rank, user, score)| (*user, (*rank, *score))).collect();
                for change in &update.changes {
                    let before = match (change.op, change.rank) {
                        (ChangeOp::Upsert, Some(rank)) => users.insert(change.user_id, (rank, change.score.get())),
                        (ChangeOp::Upsert, None) => return Err(format!("without a rank: {change:?}")),
                        (ChangeOp::Remove, _) => users.remove(&change.user_id),
                    };
                    if before.map(|(rank, _)| rank) != change.previous_rank {
                        return Err(format!("{before:?} before {change:?}"));
                    }
                }
                self.rows = users.into_iter().map(|(user, (rank, score))| (rank, user, score)).collect();
                self.rows.sort_unstable();
                self.total = update.total;
            }
        }
        (self.position, self.has_begun) = (at, true);
        Ok(())
    }

    pub(crate) fn told(&self, limit: usize) -> Told {
        Told::Top { limit, total: self.total, rows: self.rows.clone() }
    }
}
