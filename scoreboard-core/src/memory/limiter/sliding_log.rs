//! The exact count: the times of what was admitted last.

use std::collections::VecDeque;

use super::count::slack;

/// Times are in milliseconds, sorted, at most as many as the quota's limit.
///
/// A time is not dropped the moment it leaves the window but when a new one takes its place, so that a caller whose `now` is
/// a little behind another's is still counted exactly.
#[derive(Debug, Clone, Default)]
pub(super) struct SlidingLog {
    times: VecDeque<i64>,
}

impl SlidingLog {
    /// How many of the kept times count at `now`: those whose window has not ended, and those ahead of a clock set back.
    fn live(&self, period: i64, now: i64) -> usize {
        self.times.len() - self.times.partition_point(|at| at + period <= now)
    }

    pub(super) fn remaining(&self, limit: u32, period: i64, now: i64) -> u32 {
        let live = u32::try_from(self.live(period, now)).unwrap_or(u32::MAX);
        limit.saturating_sub(live)
    }

    /// How long until `count` more fit.
    pub(super) fn wait(&self, limit: u32, period: i64, count: u32, now: i64) -> i64 {
        let live = self.live(period, now);
        match (live + count as usize).checked_sub(limit as usize) {
            None | Some(0) => 0,
            Some(excess) => {
                let first_live = self.times.len() - live;
                // More at once than the limit never fit; asking again after a period does no harm.
                self.times.get(first_live + excess - 1).map_or(period, |at| at + period - now)
            }
        }
    }

    pub(super) fn take(&mut self, limit: u32, period: i64, now: i64) {
        let stale = self.times.partition_point(|at| at + period + slack(period) <= now);
        let surplus = (self.times.len() + 1).saturating_sub(limit as usize);
        self.times.drain(..stale.max(surplus).min(self.times.len()));
        let place = self.times.partition_point(|at| *at <= now);
        self.times.insert(place, now);
    }

    /// The moment at which nothing counts any more.
    pub(super) fn free_at(&self, period: i64) -> i64 {
        self.times.back().map_or(i64::MIN, |at| at + period)
    }

    /// Holds no time later than `furthest`.
    pub(super) fn hold_within(&mut self, furthest: i64) {
        for at in self.times.iter_mut().rev().take_while(|at| **at > furthest) {
            *at = furthest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn the_window_is_closed_at_its_start_and_open_at_its_end() {
        let mut log = SlidingLog::default();
        for at in [0, 10, 20] {
            assert_eq!(log.wait(3, MINUTE, 1, at), 0);
            log.take(3, MINUTE, at);
        }
        assert_eq!(log.wait(3, MINUTE, 1, 20), MINUTE - 20);
        assert_eq!(log.wait(3, MINUTE, 2, 20), MINUTE - 10);
        assert_eq!(log.wait(3, MINUTE, 1, MINUTE - 1), 1);
        assert_eq!(log.wait(3, MINUTE, 1, MINUTE), 0);
        assert_eq!((log.remaining(3, MINUTE, MINUTE), log.free_at(MINUTE)), (1, MINUTE + 20));
    }

    #[test]
    fn no_more_times_are_kept_than_the_limit() {
        let mut log = SlidingLog::default();
        for n in 0..1000 {
            log.take(10, 1, n);
            assert!(log.times.len() <= 10);
        }
        log.take(1_000_000, 1, 1_000_000);
        assert_eq!(log.times.len(), 1, "what left the window long ago takes no room");
    }

    #[test]
    fn more_at_once_than_the_limit_never_fit() {
        let log = SlidingLog::default();
        assert_eq!(log.wait(2, MINUTE, 3, 0), MINUTE);
        assert_eq!(log.wait(2, MINUTE, 2, 0), 0);
    }
}
