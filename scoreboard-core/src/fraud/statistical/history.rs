//! What a user did lately: a bounded fold of the log.

use std::collections::VecDeque;

use crate::clock::Timestamp;
use crate::fraud::statistical::intervals::millis;
use crate::ids::KindId;
use crate::score::Points;
use crate::store::{AppliedChange, LogRow, Origin};
use crate::version::Version;

/// One action that counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When it counted.
    pub at: Timestamp,
    /// The version it took on its board: where its row is found.
    pub version: Version,
    /// What was done.
    pub kind: KindId,
    /// What it was worth.
    pub points: Points,
}

/// A user's last [`CAPACITY`](Self::CAPACITY) actions on a board, and how many there were in each of the last [`HOURS`](Self::HOURS) hours.
///
/// It depends on nothing else than those rows, so whoever reads them again has the same history. What a trusted game server recorded is
/// not in it: that server has seen the play.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Oldest first.
    acts: VecDeque<Act>,
    /// By so many milliseconds, in all, they are earlier than the one before each: nodes have clocks of their own, and clocks are set back.
    set_back: u64,
    /// So many of the newest are of one kind and worth the same; no more than are kept.
    alike: usize,
    /// By the hour's number, modulo [`Self::HOURS`].
    hours: [u16; Self::HOURS],
    /// The newest hour that has a count, in hours since 1970.
    newest_hour: i64,
}

impl History {
    /// So many actions are kept.
    pub const CAPACITY: usize = 64;
    /// So many hours are counted.
    pub const HOURS: usize = 24;
    /// What a history takes at most, in bytes, with kinds whose names have up to 63 bytes each.
    ///
    /// Twice the capacity, for a growing queue doubles; and a name with its counts for each act, though most share one.
    pub const MAX_BYTES: usize = size_of::<Self>() + 2 * Self::CAPACITY * size_of::<Act>() + Self::CAPACITY * (63 + 16);

    /// The fold of these rows of one user, in the order of their versions.
    #[must_use]
    pub fn of<'r>(rows: impl IntoIterator<Item = &'r LogRow>) -> Self {
        let mut history = Self::default();
        for row in rows {
            history.push(row);
        }
        history
    }

    /// Takes in the user's next row; one that it has already is no news. Says whether it was taken in.
    pub fn push(&mut self, row: &LogRow) -> bool {
        self.take(&AppliedChange::from(row))
    }

    /// The same for what is known of a row without it.
    pub(crate) fn take(&mut self, row: &AppliedChange) -> bool {
        let version = row.position.version;
        if row.origin != Origin::Action || self.acts.back().is_some_and(|newest| newest.version >= version) {
            return false;
        }
        self.count(row.at);
        if self.acts.len() == Self::CAPACITY
            && let Some(oldest) = self.acts.pop_front()
        {
            self.set_back -= self.acts.front().map_or(0, |next| millis(next.at, oldest.at));
        }
        self.set_back += self.acts.back().map_or(0, |newest| millis(row.at, newest.at));
        let is_alike = self.acts.back().is_some_and(|newest| newest.points == row.points && newest.kind == row.kind);
        self.alike = if is_alike { (self.alike + 1).min(Self::CAPACITY) } else { 1 };
        // One name for all acts of a kind.
        let known = self.acts.iter().rev().find(|act| act.kind == row.kind).map(|act| act.kind.clone());
        let kind = known.unwrap_or_else(|| row.kind.clone());
        self.acts.push_back(Act { at: row.at, version, kind, points: row.points });
        true
    }

    fn count(&mut self, at: Timestamp) {
        const HOURS: i64 = History::HOURS as i64;
        let hour = hour_of(at);
        if hour > self.newest_hour {
            let first = (self.newest_hour + 1).max(hour - HOURS + 1);
            for skipped in first..=hour {
                self.hours[slot(skipped)] = 0;
            }
            self.newest_hour = hour;
        } else if hour <= self.newest_hour - HOURS {
            // A clock that was set back by a day.
            return;
        }
        let count = &mut self.hours[slot(hour)];
        *count = count.saturating_add(1);
    }

    /// The last actions, oldest first.
    pub fn acts(&self) -> impl DoubleEndedIterator<Item = &Act> + ExactSizeIterator {
        self.acts.iter()
    }

    /// The newest action.
    #[must_use]
    pub fn newest(&self) -> Option<&Act> {
        self.acts.back()
    }

    /// The sum of the times between its actions, in milliseconds; where one is earlier than the one before, that is 0.
    pub(super) fn all_intervals(&self) -> u64 {
        let (Some(oldest), Some(newest)) = (self.acts.front(), self.acts.back()) else { return 0 };
        (newest.at.as_millis() - oldest.at.as_millis()).saturating_add_unsigned(self.set_back).unsigned_abs()
    }

    /// Whether all its actions are of one kind and worth the same.
    pub(super) fn is_all_alike(&self) -> bool {
        self.alike >= self.acts.len()
    }

    /// How many actions there were in the hour (UTC) of the newest one, in the hour before, and so on.
    pub fn hours(&self) -> impl Iterator<Item = u16> {
        (0..Self::HOURS as i64).map(|back| self.hours[slot(self.newest_hour - back)])
    }

    /// Where the hours that are counted begin: what is older is of no use but for the last actions.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        Timestamp::from_millis((self.newest_hour - Self::HOURS as i64 + 1).saturating_mul(HOUR_MS))
    }

    /// Where the newest hour begins.
    #[must_use]
    pub fn newest_hour(&self) -> Timestamp {
        Timestamp::from_millis(self.newest_hour.saturating_mul(HOUR_MS))
    }
}

const HOUR_MS: i64 = 3_600_000;

fn hour_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(HOUR_MS)
}

fn slot(hour: i64) -> usize {
    usize::try_from(hour.rem_euclid(History::HOURS as i64)).expect("a remainder is no less than 0")
}

#[cfg(test)]
#[path = "history_test.rs"]
mod tests;
