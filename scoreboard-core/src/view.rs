//! A part of a board as a watcher holds it, and what turns one into the next. Pure.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::board::Season;
use crate::entry::rank_entries;
use crate::entry::{Entry, Ranked, RankedPage};
use crate::ids::UserId;
use crate::ranking::{Ahead, Order, RankStyle};
use crate::score::Score;
use crate::store::LogRow;
use crate::version::Position;

/// What becomes of an entry in a watcher's view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ChangeOp {
    /// It is there now, with this rank and score.
    Upsert,
    /// It has left the view.
    Remove,
}

/// One changed entry of a watcher's view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EntryChange {
    /// What becomes of it.
    pub op: ChangeOp,
    /// The new rank; `null` if it has left.
    pub rank: Option<u64>,
    /// The rank before; `null` if it was not in the view.
    pub previous_rank: Option<u64>,
    /// Whose it is.
    pub user_id: UserId,
    /// The name to show; `null` where no account is known.
    pub display_name: Option<String>,
    /// The score; of one that has left, its last in the view.
    pub score: Score,
}

/// What is in a window of a board, in rank order, at one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) season: Season,
    pub(crate) position: Position,
    pub(crate) total: u64,
    pub(crate) entries: Vec<Entry>,
}

impl View {
    /// Whether one may have become the other by changes: both are of one season, in one epoch.
    pub(crate) fn is_comparable(&self, other: &Self) -> bool {
        self.position.epoch == other.position.epoch && self.season == other.season
    }

    /// Where this user stands, if in the window.
    pub(crate) fn entry(&self, user: UserId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.user_id == user)
    }

    /// What a watcher that holds `self` must apply to hold `next`: removals first, then upserts in rank order.
    pub(crate) fn changes_to(&self, next: &Self) -> Vec<EntryChange> {
        let before: HashMap<UserId, &Entry> = self.entries.iter().map(|entry| (entry.user_id, entry)).collect();
        let after: HashMap<UserId, &Entry> = next.entries.iter().map(|entry| (entry.user_id, entry)).collect();
        let removed =
            self.entries.iter().filter(|entry| !after.contains_key(&entry.user_id)).map(|entry| EntryChange {
                op: ChangeOp::Remove,
                rank: None,
                previous_rank: Some(entry.rank),
                user_id: entry.user_id,
                display_name: entry.display_name.clone(),
                score: entry.score,
            });
        let upserted =
            next.entries.iter().filter(|entry| before.get(&entry.user_id) != Some(entry)).map(|entry| EntryChange {
                op: ChangeOp::Upsert,
                rank: Some(entry.rank),
                previous_rank: before.get(&entry.user_id).map(|before| before.rank),
                user_id: entry.user_id,
                display_name: entry.display_name.clone(),
                score: entry.score,
            });
        removed.chain(upserted).collect()
    }
}

/// The top `limit` as it was before `rows`, given a page from the top that is true after them.
///
/// `rows` are all log rows between the two versions, in order, of the page's season. The page must hold at least `limit` + the
/// number of rows entries, or the whole season: then whoever stood in the old top is in it or in a row, since each row moves
/// the others by one place at most.
pub(crate) fn rewind(page: &RankedPage, order: Order, rows: &[LogRow], limit: usize) -> (u64, Vec<Ranked>) {
    let mut touched = HashMap::new();
    for row in rows {
        touched.entry(row.user_id).or_insert(row.previous);
    }
    let newcomers = touched.values().filter(|previous| previous.is_none()).count() as u64;
    let untouched = page.entries.iter().filter(|entry| !touched.contains_key(&entry.user_id)).map(|entry| {
        let at = entry.updated_at;
        (entry.user_id, crate::store::Reached { score: entry.score, version: entry.reached, at })
    });
    let earlier = touched.iter().filter_map(|(user, previous)| previous.map(|previous| (*user, previous)));
    let mut entries: Vec<_> = untouched.chain(earlier).collect();
    entries.sort_by_key(|(_, reached)| order.key(reached.score, reached.version));
    entries.truncate(limit);
    (page.total - newcomers, rank_entries(RankStyle::Ordinal, Ahead::default(), entries))
}
