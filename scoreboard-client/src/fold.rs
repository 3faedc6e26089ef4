//! What the server said of a board, put together. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use scoreboard_core::{ChangeOp, LiveEvent, Position, Snapshot, Update, UserId};

use crate::view::{View, ViewEntry};

/// The view so far. It moves on only as a whole: a message that does not fit changes nothing.
#[derive(Debug)]
pub(crate) struct Fold {
    limit: usize,
    view: Option<Arc<View>>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folded {
    /// The view is another.
    Moved,
    /// Nothing in it is new.
    Held,
    /// It does not join on, or gives what is no top of a board.
    Broken,
}

impl Fold {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, view: None }
    }

    pub(crate) const fn view(&self) -> Option<&Arc<View>> {
        self.view.as_ref()
    }

    pub(crate) fn position(&self) -> Option<Position> {
        self.view.as_ref().map(|view| view.position)
    }

    pub(crate) fn take(&mut self, event: LiveEvent) -> Folded {
        match event {
            LiveEvent::Snapshot(snapshot) => self.snapshot(snapshot),
            LiveEvent::Update(update) => self.update(update),
        }
    }

    fn snapshot(&mut self, snapshot: Snapshot) -> Folded {
        let Snapshot { board, season, epoch, version, total, entries, .. } = snapshot;
        let entries = entries.into_iter().map(ViewEntry::from).collect();
        self.hold(View { board, season, position: Position { epoch, version }, total, entries })
    }

    fn update(&mut self, update: Update) -> Folded {
        let Update { board, season, epoch, from, version, total, changes, .. } = update;
        let Some(view) = &self.view else { return Folded::Broken };
        if view.position.epoch != epoch || view.season != season {
            return Folded::Broken;
        }
        if version <= view.position.version {
            return Folded::Held;
        }
        if from != view.position.version {
            return Folded::Broken;
        }
        let mut entries: HashMap<UserId, ViewEntry> =
            view.entries.iter().map(|entry| (entry.user_id, entry.clone())).collect();
        for change in changes {
            match (change.op, change.rank) {
                (ChangeOp::Remove, _) => drop(entries.remove(&change.user_id)),
                (ChangeOp::Upsert, Some(rank)) => {
                    let (user_id, display_name, score) = (change.user_id, change.display_name, change.score);
                    entries.insert(user_id, ViewEntry { rank, user_id, display_name, score });
                }
                (ChangeOp::Upsert, None) => return Folded::Broken,
            }
        }
        let entries = entries.into_values().collect();
        self.hold(View { board, season, position: Position { epoch, version }, total, entries })
    }

    /// A view is the whole top, numbered without a gap. Anything else was not made by this board's messages alone.
    fn hold(&mut self, mut view: View) -> Folded {
        view.entries.sort_by_key(|entry| entry.rank);
        let length = usize::try_from(view.total).unwrap_or(usize::MAX).min(self.limit);
        let whole =
            view.entries.len() == length && view.entries.iter().zip(1..).all(|(entry, rank)| entry.rank == rank);
        if !whole {
            return Folded::Broken;
        }
        self.view = Some(Arc::new(view));
        Folded::Moved
    }
}

#[cfg(test)]
#[path = "fold_test.rs"]
mod tests;
