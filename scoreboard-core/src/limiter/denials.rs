//! Refusals that hold until a moment that is known.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::clock::Timestamp;
use crate::limiter::{Cell, Usage};

/// How many are remembered, at about 100 bytes each. Beyond, the shared limiter is asked.
const MAX: usize = 10_000;

/// A subject is known by a keyed hash, as in the limiter in memory.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    kept: HashMap<u64, Denial>,
    hasher: RandomState,
    swept: Option<Timestamp>,
}

#[derive(Debug)]
struct Denial {
    usage: Usage,
    told_at: Timestamp,
}

impl Denial {
    /// The usage as it is now, if it still refuses. A clock that was set back tells nothing of how long is left.
    fn at(&self, now: Timestamp) -> Option<Usage> {
        let gone = now.since(self.told_at);
        (now >= self.told_at && gone < self.usage.retry_after).then(|| Usage {
            at: self.usage.at.plus(gone),
            retry_after: self.usage.retry_after - gone,
            reset_after: self.usage.reset_after.saturating_sub(gone),
            ..self.usage
        })
    }
}

impl Denials {
    fn id(&self, cell: &Cell<'_>) -> u64 {
        self.hasher.hash_one((cell.policy, cell.quota, cell.subject))
    }

    /// What refuses one of these cells for the longest.
    pub(crate) fn find(&mut self, cells: &[Cell<'_>], now: Timestamp) -> Option<Usage> {
        if self.kept.is_empty() {
            return None;
        }
        let mut longest: Option<Usage> = None;
        for cell in cells {
            let id = self.id(cell);
            let Some(denial) = self.kept.get(&id) else { continue };
            match denial.at(now) {
                Some(usage) if longest.is_none_or(|longest| usage.retry_after > longest.retry_after) => {
                    longest = Some(usage);
                }
                Some(_) => {}
                None => drop(self.kept.remove(&id)),
            }
        }
        longest
    }

    /// Remembers that the one of these cells refused which this usage tells of.
    pub(crate) fn keep(&mut self, cells: &[Cell<'_>], usage: Usage, now: Timestamp) {
        let mut told = cells.iter().filter(|cell| cell.policy == usage.policy && cell.quota == usage.quota);
        // Of several it is not known which one it was; and where one was to be taken twice, once may have room.
        let (Some(cell), None) = (told.next(), told.next()) else { return };
        if self.kept.len() >= MAX {
            self.sweep(now);
        }
        if self.kept.len() < MAX {
            let id = self.id(cell);
            self.kept.insert(id, Denial { usage, told_at: now });
        }
    }

    /// Once a second at most: a crowd of refused subjects shall not make each call look at all of them.
    fn sweep(&mut self, now: Timestamp) {
        if self.swept.is_none_or(|swept| now.since(swept).as_secs() >= 1 || now < swept) {
            self.swept = Some(now);
            self.kept.retain(|_, denial| denial.at(now).is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn cell(subject: &str) -> Cell<'_> {
        Cell { policy: "p", subject, quota: "10/s".parse().unwrap() }
    }

    fn usage() -> Usage {
        let second = std::time::Duration::from_secs(1);
        Usage {
            policy: "p",
            quota: "10/s".parse().unwrap(),
            at: at(2000),
            remaining: 0,
            retry_after: second,
            reset_after: 2 * second,
        }
    }

    #[test]
    fn a_denial_holds_until_its_moment_and_not_a_millisecond_longer() {
        let mut denials = Denials::default();
        denials.keep(&[cell("a")], usage(), at(5000));
        let found = denials.find(&[cell("b"), cell("a")], at(5999)).unwrap();
        assert_eq!((found.retry_after.as_millis(), found.reset_after.as_millis()), (1, 1001));
        assert_eq!(denials.find(&[cell("b")], at(5999)), None);
        assert_eq!(denials.find(&[cell("a")], at(6000)), None);
        assert!(denials.kept.is_empty(), "it is forgotten");
    }

    #[test]
    fn a_clock_set_back_shuts_nobody_out() {
        let mut denials = Denials::default();
        denials.keep(&[cell("a")], usage(), at(5000));
        assert_eq!(denials.find(&[cell("a")], at(4999)), None);
    }

    #[test]
    fn a_refusal_of_two_at_once_says_nothing_of_one() {
        let mut denials = Denials::default();
        denials.keep(&[cell("a"), cell("a")], usage(), at(0));
        denials.keep(&[cell("a"), cell("b")], usage(), at(0));
        assert!(denials.kept.is_empty());
    }

    #[test]
    fn their_number_is_bounded_and_old_ones_make_room() {
        let mut denials = Denials::default();
        for n in 0..MAX + 100 {
            denials.keep(&[cell(&n.to_string())], usage(), at(2000));
        }
        assert_eq!(denials.kept.len(), MAX);
        denials.keep(&[cell("new")], usage(), at(4000));
        assert_eq!(denials.kept.len(), 1);
    }
}
