//! What is shown of a board: its rows, and for a moment what has just become of each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use scoreboard_client::{Moved, View};
use scoreboard_core::{ChangeOp, UserId};
use tokio::time::Instant;

/// How long a change stays marked.
const MARKED: Duration = Duration::from_secs(4);

/// The rows, and their marks.
#[derive(Debug, Default)]
pub(super) struct Board {
    view: Option<Arc<View>>,
    marks: HashMap<UserId, Mark>,
}

/// What has just become of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) step: Step,
    /// By how much the score has changed.
    pub(super) points: i64,
    until: Instant,
}

/// How a row moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Up(u64),
    Down(u64),
    Stayed,
    /// It was not in the view before.
    New,
}

impl Board {
    pub(super) fn take(&mut self, moved: &Moved) {
        let now = Instant::now();
        // Of the first view nothing is news.
        if let Some(previous) = &moved.previous {
            let before: HashMap<_, _> =
                previous.entries.iter().map(|entry| (entry.user_id, entry.score.get())).collect();
            for change in moved.changes.iter().filter(|change| change.op == ChangeOp::Upsert) {
                let step = match (change.previous_rank, change.rank) {
                    (Some(before), Some(rank)) if rank < before => Step::Up(before - rank),
                    (Some(before), Some(rank)) if rank > before => Step::Down(rank - before),
                    (Some(_), _) => Step::Stayed,
                    (None, _) => Step::New,
                };
                let points = before.get(&change.user_id).map_or(0, |before| change.score.get() - before);
                self.marks.insert(change.user_id, Mark { step, points, until: now + MARKED });
            }
        }
        self.marks.retain(|_, mark| mark.until > now);
        self.view = Some(moved.view.clone());
    }

    pub(super) fn view(&self) -> Option<&View> {
        self.view.as_deref()
    }

    /// What is still marked of a row.
    pub(super) fn mark(&self, user: UserId) -> Option<&Mark> {
        self.marks.get(&user).filter(|mark| mark.until > Instant::now())
    }
}
