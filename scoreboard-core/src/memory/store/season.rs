//! The scores of one season, by user and in the board's order.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use crate::entry::rank_entries;
use crate::entry::{Range, Ranked};
use crate::ids::UserId;
use crate::ranking::{Ahead, Order, OrderKey, RankStyle};
use crate::store::Reached;

#[derive(Default)]
pub(super) struct SeasonScores {
    scores: BTreeMap<UserId, Reached>,
    /// Whose score sorts where: one key for each of `scores`.
    order: BTreeMap<OrderKey, UserId>,
}

/// An entry where it sorts.
type Placed = (OrderKey, UserId);

impl SeasonScores {
    pub(super) fn total(&self) -> u64 {
        self.scores.len() as u64
    }

    pub(super) fn score(&self, user: UserId) -> Option<Reached> {
        self.scores.get(&user).copied()
    }

    pub(super) fn set(&mut self, order: Order, user: UserId, reached: Reached) {
        if let Some(old) = self.scores.insert(user, reached) {
            self.order.remove(&order.key(old.score, old.version));
        }
        self.order.insert(order.key(reached.score, reached.version), user);
    }

    pub(super) fn scan(&self, after: Option<UserId>, limit: usize) -> Vec<(UserId, Reached)> {
        let behind = (after.map_or(Unbounded, Excluded), Unbounded);
        self.scores.range(behind).take(limit).map(|(user, reached)| (*user, *reached)).collect()
    }

    /// What stands before an entry with this key, whether there is one or not.
    pub(super) fn ahead_of(&self, key: OrderKey) -> Ahead {
        let before = self.order.range(..key).map(|(key, _)| (key.score, ()));
        walk(before.chain([(key.score, ())])).last().map(|(ahead, ())| ahead).unwrap_or_default()
    }

    /// The entries of a page, and whether there are any before and behind it.
    pub(super) fn page(&self, order: Order, range: Range, style: RankStyle) -> (Vec<Ranked>, bool, bool) {
        let placed = match range {
            Range::Top { limit } => self.behind(None, limit),
            Range::After { key, limit } => self.behind(Some(key), limit),
            Range::Before { key, limit } => self.in_front(key, limit),
            Range::Around { user, radius } => match self.around(order, user, radius) {
                Some(placed) => placed,
                None => return (Vec::new(), false, false),
            },
        };
        let ahead = match (placed.first(), range) {
            (Some((first, _)), _) => self.ahead_of(*first),
            // An empty page still has a place on the board: right behind or right in front of its key.
            (None, Range::After { key, .. }) => {
                Ahead { entries: self.order.range(..=key).count() as u64, ..Ahead::default() }
            }
            (None, Range::Before { key, .. }) => self.ahead_of(key),
            (None, Range::Top { .. } | Range::Around { .. }) => Ahead::default(),
        };
        let has_next = ahead.entries + (placed.len() as u64) < self.total();
        let entries = placed.into_iter().map(|(_, user)| (user, self.scores[&user]));
        (rank_entries(style, ahead, entries), ahead.entries > 0, has_next)
    }

    /// One walk down the board, as far as the last of `users`.
    pub(super) fn standings(&self, order: Order, style: RankStyle, users: &[UserId]) -> Vec<Option<Ranked>> {
        let key_of = |reached: Reached| order.key(reached.score, reached.version);
        let mut keys: Vec<OrderKey> = users.iter().filter_map(|user| self.score(*user)).map(key_of).collect();
        keys.sort_unstable();
        keys.dedup();
        let Some(last) = keys.last() else { return vec![None; users.len()] };
        let mut wanted = keys.iter().peekable();
        let ranks: Vec<u64> = walk(self.order.range(..=last).map(|(key, _)| (key.score, key)))
            .filter(|(_, key)| wanted.next_if_eq(key).is_some())
            .map(|(ahead, _)| ahead.rank(style))
            .collect();
        let ranked = |user: &UserId| {
            let reached = self.score(*user)?;
            let place = keys.binary_search(&key_of(reached)).ok()?;
            Some(Ranked {
                rank: *ranks.get(place)?,
                user_id: *user,
                score: reached.score,
                reached: reached.version,
                updated_at: reached.at,
            })
        };
        users.iter().map(ranked).collect()
    }

    fn behind(&self, key: Option<OrderKey>, limit: usize) -> Vec<Placed> {
        let range = (key.map_or(Unbounded, Excluded), Unbounded);
        self.order.range(range).take(limit).map(|(key, user)| (*key, *user)).collect()
    }

    fn in_front(&self, key: OrderKey, limit: usize) -> Vec<Placed> {
        let mut placed: Vec<Placed> =
            self.order.range(..key).rev().take(limit).map(|(key, user)| (*key, *user)).collect();
        placed.reverse();
        placed
    }

    fn around(&self, order: Order, user: UserId, radius: usize) -> Option<Vec<Placed>> {
        let reached = self.score(user)?;
        let key = order.key(reached.score, reached.version);
        let both = radius.saturating_mul(2);
        let mut placed = self.in_front(key, both);
        let mut behind = self.behind(Some(key), both);
        // What one side lacks, the other gives.
        let front = placed.len().min(radius.max(both.saturating_sub(behind.len())));
        placed.drain(..placed.len() - front);
        behind.truncate(both - front);
        placed.push((key, user));
        placed.append(&mut behind);
        Some(placed)
    }
}

/// Pairs what sorts at each score, from the top down, with what stands before it.
fn walk<T>(scores: impl Iterator<Item = (i64, T)>) -> impl Iterator<Item = (Ahead, T)> {
    let mut above: Option<(Ahead, i64)> = None;
    scores.map(move |(score, item)| {
        let ahead = above.map(|(ahead, last)| ahead.step(last == score)).unwrap_or_default();
        above = Some((ahead, score));
        (ahead, item)
    })
}

#[cfg(test)]
#[path = "season_test.rs"]
mod tests;
