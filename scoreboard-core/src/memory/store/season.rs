//! The scores of one season, by user and in the board's order.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound::{Excluded, Unbounded};

use crate::correction::Place;
use crate::entry::{Range, Ranked};
use crate::ids::UserId;
use crate::rank_index::{IndexPage, RankIndex};
use crate::ranking::{Ahead, Order, OrderKey, RankStyle};
use crate::store::{Admissions, Reached};

pub(super) struct SeasonScores {
    /// For scans in the order of ids.
    scores: BTreeMap<UserId, Reached>,
    index: RankIndex,
    /// What restricted users have, who have anything.
    withheld: BTreeMap<UserId, Reached>,
    admissions: HashMap<UserId, Admissions>,
}

impl SeasonScores {
    pub(super) fn new(order: Order) -> Self {
        Self {
            scores: BTreeMap::new(),
            index: RankIndex::new(order),
            withheld: BTreeMap::new(),
            admissions: HashMap::new(),
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.scores.len() as u64
    }

    pub(super) fn score(&self, user: UserId) -> Option<Reached> {
        self.scores.get(&user).copied()
    }

    pub(super) fn set(&mut self, user: UserId, reached: Reached) {
        self.scores.insert(user, reached);
        self.index.set(user, reached);
    }

    /// What a user has, whoever is shown it.
    pub(super) fn own(&self, user: UserId) -> Option<Reached> {
        self.withheld.get(&user).copied().or_else(|| self.score(user))
    }

    pub(super) fn withhold(&mut self, user: UserId, reached: Reached) {
        self.withheld.insert(user, reached);
    }

    pub(super) fn admissions(&self, user: UserId) -> Option<&Admissions> {
        self.admissions.get(&user)
    }

    pub(super) fn keep_admissions(&mut self, user: UserId, admissions: Admissions) {
        self.admissions.insert(user, admissions);
    }

    /// Puts a user where a decision says.
    pub(super) fn place(&mut self, place: &Place) {
        match place.shown {
            Some(shown) => self.set(place.user, shown),
            None => {
                self.scores.remove(&place.user);
                self.index.remove(place.user);
            }
        }
        match place.own.filter(|_| place.is_restricted) {
            Some(own) => drop(self.withheld.insert(place.user, own)),
            None => drop(self.withheld.remove(&place.user)),
        }
    }

    pub(super) fn scan(&self, after: Option<UserId>, limit: usize) -> Vec<(UserId, Reached)> {
        let behind = (after.map_or(Unbounded, Excluded), Unbounded);
        self.scores.range(behind).take(limit).map(|(user, reached)| (*user, *reached)).collect()
    }

    /// What stands before an entry with this key, whether there is one or not.
    pub(super) fn ahead_of(&self, key: OrderKey) -> Ahead {
        self.index.ahead_of(key)
    }

    /// The entries of a page, and whether there are any before and behind it.
    pub(super) fn page(&self, range: Range, style: RankStyle) -> IndexPage {
        self.index.page(range, style)
    }

    pub(super) fn standings(&self, style: RankStyle, users: &[UserId]) -> Vec<Option<Ranked>> {
        self.index.standings(style, users)
    }
}

#[cfg(test)]
#[path = "season_test.rs"]
mod tests;
