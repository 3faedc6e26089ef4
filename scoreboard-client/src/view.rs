//! A part of a board as a game holds it, and what turns one view of it into the next. Pure.

use std::collections::HashMap;

use scoreboard_core::{BoardId, ChangeOp, Entry, EntryChange, Position, Score, Season, UserId};

/// One user's place in a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewEntry {
    /// From 1. Without gaps, but for a list of users.
    pub rank: u64,
    /// Whose it is.
    pub user_id: UserId,
    /// The name to show; `None` where no account is known.
    pub display_name: Option<String>,
    /// The score.
    pub score: Score,
}

/// The part of a board that is followed, at one position. Never changed: each change makes another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The board.
    pub board: BoardId,
    /// The season.
    pub season: Season,
    /// When it is true.
    pub position: Position,
    /// All entries of the season, not only those here.
    pub total: u64,
    /// In rank order.
    pub entries: Vec<ViewEntry>,
}

impl View {
    /// What must be applied to hold `next` in the place of `self`: removals first, then upserts in rank order.
    ///
    /// ```
    /// use scoreboard_client::{View, ViewEntry};
    /// use scoreboard_core::{BoardId, ChangeOp, Epoch, Position, Score, Season, UserId, Version};
    ///
    /// let at = |version, names: &[&str]| View {
    ///     board: BoardId::main(),
    ///     season: Season::FIRST,
    ///     position: Position { epoch: Epoch::new(1), version: Version::new(version) },
    ///     total: 2,
    ///     entries: names.iter().zip(1..).map(|(name, rank)| ViewEntry {
    ///         rank,
    ///         user_id: UserId::for_name("game", name),
    ///         display_name: Some((*name).to_owned()),
    ///         score: Score::ZERO,
    ///     }).collect(),
    /// };
    /// let changes = at(1, &["ada", "ben"]).changes_to(&at(2, &["ben"]));
    /// assert_eq!((changes[0].op, changes[0].previous_rank), (ChangeOp::Remove, Some(1)));
    /// assert_eq!((changes[1].op, changes[1].previous_rank, changes[1].rank), (ChangeOp::Upsert, Some(2), Some(1)));
    /// ```
    #[must_use]
    pub fn changes_to(&self, next: &Self) -> Vec<EntryChange> {
        changes(&self.entries, &next.entries)
    }

    /// All of it as changes, for who holds nothing.
    pub(crate) fn as_changes(&self) -> Vec<EntryChange> {
        changes(&[], &self.entries)
    }
}

fn changes(before: &[ViewEntry], after: &[ViewEntry]) -> Vec<EntryChange> {
    fn by_user(entries: &[ViewEntry]) -> HashMap<UserId, &ViewEntry> {
        entries.iter().map(|entry| (entry.user_id, entry)).collect()
    }
    let (held, there) = (by_user(before), by_user(after));
    let removed = before.iter().filter(|entry| !there.contains_key(&entry.user_id));
    let removed = removed.map(|entry| change(ChangeOp::Remove, None, Some(entry.rank), entry));
    let upserted = after.iter().filter(|entry| held.get(&entry.user_id) != Some(entry)).map(|entry| {
        let previous = held.get(&entry.user_id).map(|held| held.rank);
        change(ChangeOp::Upsert, Some(entry.rank), previous, entry)
    });
    removed.chain(upserted).collect()
}

fn change(op: ChangeOp, rank: Option<u64>, previous_rank: Option<u64>, entry: &ViewEntry) -> EntryChange {
    let ViewEntry { user_id, ref display_name, score, .. } = *entry;
    EntryChange { op, rank, previous_rank, user_id, display_name: display_name.clone(), score }
}

impl From<Entry> for ViewEntry {
    fn from(Entry { rank, user_id, display_name, score, updated_at: _ }: Entry) -> Self {
        Self { rank, user_id, display_name, score }
    }
}
