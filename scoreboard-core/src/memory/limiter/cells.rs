//! Many counts, bounded.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasher, RandomState};

use super::count::{Count, slack};
use crate::limiter::{Algorithm, Cell};

/// A clock that falls back further than this, in milliseconds, was set back.
const STEP: i64 = 60_000;

/// How many counts one call looks at, at most, to see if they can be forgotten. More than the one or two that a call adds, so
/// that the sweeping keeps up.
const SWEEP: usize = 8;

/// How many counts the subjects of one policy share for which there is no room: each has one of them, and nobody without the key can aim
/// for another's. With a single one, whoever fills the room would use up the quota of all strangers at once.
const SLOTS: u64 = 1 << 13;

/// Where a cell is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// By itself.
    Own(u64),
    /// By itself, from this call on.
    New(u64),
    /// With some of its policy that found no place of their own either.
    Shared(Slot),
}

type Policy = (&'static str, Algorithm);

/// A count that some subjects of a policy share, by a number below [`SLOTS`].
type Slot = (Policy, u64);

/// The counts of at most `max` subjects, and [`SLOTS`] a policy for all others.
///
/// A subject is known by a keyed hash of its name: names of any length take the same room, and two with one hash (unlikely,
/// and nobody without the key can aim for it) are limited together.
#[derive(Debug)]
pub(super) struct Cells {
    max: usize,
    hasher: RandomState,
    own: HashMap<u64, Kept>,
    /// Grows with the policies, which are names in the program.
    shared: HashMap<Slot, Count>,
    /// Until when any of `shared` counts.
    shared_until: i64,
    /// When to look at each of `own` again, once each.
    due: BinaryHeap<Reverse<(i64, u64)>>,
    latest: i64,
}

#[derive(Debug)]
struct Kept {
    count: Count,
    period: i64,
}

impl Kept {
    fn forget_at(&self) -> i64 {
        self.count.free_at(self.period) + slack(self.period)
    }
}

impl Cells {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            hasher: RandomState::new(),
            own: HashMap::new(),
            shared: HashMap::new(),
            shared_until: i64::MIN,
            due: BinaryHeap::new(),
            latest: i64::MIN,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.own.len()
    }

    /// Forgets some of what counts no more.
    pub(super) fn sweep(&mut self, now: i64) {
        if now < self.latest.saturating_sub(STEP) {
            self.set_back(now);
        }
        self.latest = self.latest.max(now);
        if self.shared_until <= now && !self.shared.is_empty() {
            self.shared = HashMap::new();
        }
        for _ in 0..SWEEP {
            let Some(next) = self.due.peek_mut().filter(|next| next.0.0 <= now) else { return };
            let Reverse((_, id)) = PeekMut::pop(next);
            let Some(kept) = self.own.get(&id) else { continue };
            let forget_at = kept.forget_at();
            if forget_at <= now {
                self.own.remove(&id);
            } else {
                self.due.push(Reverse((forget_at, id)));
            }
        }
    }

    /// Brings every count into reach of the new time, or the old one would keep all of this room for as long as the step.
    fn set_back(&mut self, now: i64) {
        self.latest = now;
        for kept in self.own.values_mut() {
            kept.count.hold_within(kept.period, now);
        }
        self.due = self.own.iter().map(|(id, kept)| Reverse((kept.forget_at(), *id))).collect();
    }

    /// Finds where a cell is counted, in a call that has places for the cells before it.
    pub(super) fn place(&mut self, cell: &Cell<'_>, before: &[Place], now: i64) -> Place {
        let policy = (cell.policy, cell.quota.algorithm);
        let id = self.hasher.hash_one((policy, cell.subject));
        if let Some(kept) = self.own.get_mut(&id) {
            kept.count.hold_within(cell.quota.period_millis(), now);
            return Place::Own(id);
        }
        let slot = (policy, id % SLOTS);
        if let Some(count) = self.shared.get_mut(&slot) {
            count.hold_within(cell.quota.period_millis(), now);
        }
        let new = before.iter().filter(|place| matches!(place, Place::New(other) if *other != id)).count();
        if self.own.len() + new < self.max { Place::New(id) } else { Place::Shared(slot) }
    }

    /// What was counted at a place so far.
    ///
    /// A subject that gets a place of its own starts with what those have used together with whom it would share one: it was one of them
    /// perhaps, and its limit holds whichever way it was counted.
    pub(super) fn count(&self, place: Place, cell: &Cell<'_>) -> Option<&Count> {
        match place {
            Place::Own(id) => self.own.get(&id).map(|kept| &kept.count),
            Place::New(id) => self.shared.get(&((cell.policy, cell.quota.algorithm), id % SLOTS)),
            Place::Shared(slot) => self.shared.get(&slot),
        }
    }

    /// Counts one at a place, and gives what is counted there now.
    pub(super) fn take(&mut self, place: Place, cell: &Cell<'_>, now: i64) -> &Count {
        let policy = (cell.policy, cell.quota.algorithm);
        let period = cell.quota.period_millis();
        let first = match place {
            Place::Own(id) | Place::New(id) => Some(id).filter(|id| !self.own.contains_key(id)),
            Place::Shared(_) => None,
        };
        let count = match place {
            Place::Own(id) | Place::New(id) => {
                let kept = self.own.entry(id).or_insert_with(|| {
                    let shared = self.shared.get(&(policy, id % SLOTS));
                    let used = shared.filter(|shared| shared.free_at(period) + slack(period) > now);
                    let count = used.cloned().unwrap_or_else(|| Count::new(cell.quota.algorithm));
                    Kept { count, period }
                });
                kept.period = period;
                &mut kept.count
            }
            Place::Shared(slot) => self.shared.entry(slot).or_insert_with(|| Count::new(policy.1)),
        };
        count.take(&cell.quota, now);
        let over_at = count.free_at(period) + slack(period);
        if let Some(id) = first {
            // Of a long quota, one cell is free again long before all of it.
            self.due.push(Reverse((over_at, id)));
        }
        if let Place::Shared(_) = place {
            self.shared_until = self.shared_until.max(over_at);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limiter::Quota;

    fn cell(subject: &str) -> Cell<'_> {
        Cell { policy: "test", subject, quota: "2/s".parse::<Quota>().unwrap() }
    }

    fn take(cells: &mut Cells, subject: &str, now: i64) -> Place {
        cells.sweep(now);
        let place = cells.place(&cell(subject), &[], now);
        cells.take(place, &cell(subject), now);
        place
    }

    #[test]
    fn idle_counts_are_forgotten_as_others_come() {
        let mut cells = Cells::new(1000);
        for n in 0..100_000_i64 {
            take(&mut cells, &n.to_string(), n * 100);
            assert!(cells.len() as i64 <= (1000 + slack(1000)) / 100 + 1);
            assert_eq!(cells.due.len(), cells.len());
        }
    }

    #[test]
    fn who_keeps_coming_is_not_forgotten() {
        let mut cells = Cells::new(1000);
        take(&mut cells, "regular", 0);
        for n in 1..1000_i64 {
            let now = n * 1000;
            take(&mut cells, &n.to_string(), now);
            assert!(matches!(take(&mut cells, "regular", now), Place::Own(_)));
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_the_room_taken() {
        const HOUR: i64 = 3_600_000;
        let mut cells = Cells::new(10);
        for n in 0..10 {
            take(&mut cells, &n.to_string(), 10 * HOUR);
        }
        assert!(matches!(take(&mut cells, "new", 9 * HOUR), Place::Shared(_)));
        let soon = 9 * HOUR + 1000 + 2 * slack(1000);
        take(&mut cells, "other", soon);
        assert!(matches!(take(&mut cells, "new", soon), Place::New(_)));
    }

    #[test]
    fn one_cell_of_a_long_quota_keeps_no_room_for_all_of_it() {
        let mut cells = Cells::new(10);
        let quota = "12/h".parse::<Quota>().unwrap().gcra();
        let once = |cells: &mut Cells, subject: &str, now: i64| {
            cells.sweep(now);
            let cell = Cell { policy: "test", subject, quota };
            let place = cells.place(&cell, &[], now);
            cells.take(place, &cell, now);
            place
        };
        for n in 0..10 {
            once(&mut cells, &n.to_string(), 0);
        }
        assert!(matches!(once(&mut cells, "early", 300_000), Place::Shared(_)));
        assert!(matches!(once(&mut cells, "new", 300_000 + slack(3_600_000)), Place::New(_)));
    }

    #[test]
    fn what_strangers_share_is_forgotten_when_it_counts_no_more() {
        let mut cells = Cells::new(1);
        take(&mut cells, "known", 0);
        for n in 0..100 {
            take(&mut cells, &n.to_string(), 0);
        }
        assert!(cells.shared.len() > 90, "few of a hundred share one of 8,192");
        cells.sweep(1000 + slack(1000));
        assert!(cells.shared.is_empty());
    }
}
