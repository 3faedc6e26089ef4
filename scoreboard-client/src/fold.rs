//! What the server said of a part of a board, put together. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use scoreboard_core::{ChangeOp, LiveEvent, LiveWindow, Position, Snapshot, Update, UserId, WindowExtent};

use crate::view::{View, ViewEntry};

/// The view so far. It moves on only as a whole: a message that does not fit changes nothing.
#[derive(Debug)]
pub(crate) struct Fold {
    window: LiveWindow,
    view: Option<Arc<View>>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folded {
    /// The view is another.
    Moved,
    /// Nothing in it is new.
    Held,
    /// It does not join on, or gives what is not that part of a board.
    Broken,
}

impl Fold {
    pub(crate) const fn new(window: LiveWindow) -> Self {
        Self { window, view: None }
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

    /// A view is the whole of its part. Anything else was not made by this part's messages alone.
    fn hold(&mut self, mut view: View) -> Folded {
        view.entries.sort_by_key(|entry| entry.rank);
        if !is_whole(&self.window, &view) {
            return Folded::Broken;
        }
        self.view = Some(Arc::new(view));
        Folded::Moved
    }
}

/// Whether these can be all entries of the part, and no others.
fn is_whole(window: &LiveWindow, View { total, entries, .. }: &View) -> bool {
    let total = *total;
    let is_full = |most: usize| entries.len() as u64 == total.min(most as u64);
    let from = |first: u64| entries.iter().zip(0..).all(|(entry, nth)| entry.rank.checked_sub(first) == Some(nth));
    match window.extent() {
        WindowExtent::Top { limit } => is_full(*limit) && from(1),
        // Empty while the user is not on the board, and else as long as ever, also at its ends.
        WindowExtent::Around { user, radius } => entries.first().is_none_or(|first| {
            let ends = first.rank.checked_add(entries.len() as u64 - 1);
            is_full(2 * radius + 1)
                && (1..=total).contains(&first.rank)
                && ends.is_some_and(|last| last <= total)
                && from(first.rank)
                && entries.iter().any(|entry| entry.user_id == *user)
        }),
        WindowExtent::Users(users) => {
            let is_listed = |entry: &ViewEntry| users.binary_search(&entry.user_id).is_ok();
            entries.iter().all(|entry| is_listed(entry) && (1..=total).contains(&entry.rank))
                && entries.windows(2).all(|two| two[0].rank < two[1].rank)
        }
    }
}

#[cfg(test)]
#[path = "fold_test.rs"]
mod tests;
