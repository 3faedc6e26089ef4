//! What is good and what is bad, and when enough was seen to tell.

use crate::pipeline::monitor::alarm::Sight;
use crate::pipeline::read::Counts;

/// Fewer answers than this say nothing of how often the cache has them.
const ENOUGH_ANSWERS: u64 = 100;
/// Fewer loads than this say nothing of how long they take. One answers many, so there are fewer of them.
const ENOUGH_LOADS: u64 = 10;
/// After so many periods without enough, what was seen is too old.
const MAX_PERIODS: u32 = 10;

/// The counts since a moment that moves on once there were enough.
#[derive(Debug)]
pub(super) struct Window {
    from: Counts,
    periods: u32,
}

impl From<Counts> for Window {
    fn from(from: Counts) -> Self {
        Self { from, periods: 0 }
    }
}

impl Window {
    /// At the end of a period: what was counted and `measure` makes of it, and a new window, if there was enough.
    pub(super) fn close(&mut self, now: Counts, measure: fn(Counts) -> Option<u8>) -> Option<(Counts, u8)> {
        let counts = now.since(self.from);
        let measured = measure(counts);
        self.periods += 1;
        if measured.is_some() || self.periods >= MAX_PERIODS {
            *self = Self::from(now);
        }
        measured.map(|measured| (counts, measured))
    }
}

/// How many of a hundred, rounded down.
pub(super) fn percent(part: u64, whole: u64) -> u8 {
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    u8::try_from(percent.min(100)).unwrap_or(100)
}

/// Answers that were there, in this process or in the shared cache.
pub(super) fn hit_percent(counts: Counts) -> Option<u8> {
    let answers = counts.hits + counts.misses;
    (answers >= ENOUGH_ANSWERS).then(|| percent(counts.hits + counts.shared_hits, answers))
}

/// Loads that took too long.
pub(super) fn slow_percent(counts: Counts) -> Option<u8> {
    (counts.loads >= ENOUGH_LOADS).then(|| percent(counts.slow_loads, counts.loads))
}

pub(super) const fn of_hits(percent: u8, min: u8) -> Sight {
    let good = if min > 95 { 100 } else { min + 5 };
    if percent < min {
        Sight::Bad
    } else if percent >= good {
        Sight::Good
    } else {
        Sight::Between
    }
}

pub(super) const fn of_memory(percent: u8, max: u8) -> Sight {
    if percent > max {
        Sight::Bad
    } else if percent <= max.saturating_sub(10) {
        Sight::Good
    } else {
        Sight::Between
    }
}

/// Whether most are slow; good, if hardly any is.
pub(super) const fn of_slow(percent: u8) -> Sight {
    if percent > 50 {
        Sight::Bad
    } else if percent <= 25 {
        Sight::Good
    } else {
        Sight::Between
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lasts_until_enough_was_seen() {
        let answers = |hits, misses| Counts { hits, misses, ..Counts::default() };
        let mut window = Window::from(answers(1_000, 0));
        assert_eq!(window.close(answers(1_030, 10), hit_percent), None, "too few");
        let seen = window.close(answers(1_075, 25), hit_percent);
        assert_eq!(seen.map(|(_, percent)| percent), Some(75), "together they are enough");
        for _ in 0..MAX_PERIODS {
            assert_eq!(window.close(answers(1_075, 99), hit_percent), None);
        }
        assert_eq!(window.close(answers(1_075, 150), hit_percent), None, "what is too old does not count");
    }

    #[test]
    fn thresholds_have_two_sides() {
        use Sight::{Bad, Between, Good};
        assert_eq!([79, 80, 84, 85].map(|percent| of_hits(percent, 80)), [Bad, Between, Between, Good]);
        assert_eq!([0, 4, 5].map(|percent| of_hits(percent, 0)), [Between, Between, Good], "never bad");
        assert_eq!([99, 100].map(|percent| of_hits(percent, 100)), [Bad, Good]);
        assert_eq!([91, 90, 81, 80].map(|percent| of_memory(percent, 90)), [Bad, Between, Between, Good]);
        assert_eq!(of_memory(100, 100), Between, "never bad");
        assert_eq!([51, 50, 25].map(of_slow), [Bad, Between, Good]);
        assert_eq!((percent(0, 0), percent(u64::MAX, u64::MAX), percent(999, 1000)), (0, 100, 99));
    }
}
