//! The generic cell rate algorithm (ITU-T I.371): one time, the moment at which the bucket is full again.

/// Parts of a millisecond. Fine enough that a thousand million cells a second have a whole number each.
const PICOS: i128 = 1_000_000_000;

/// In picoseconds, since milliseconds are too coarse for the share of one cell.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gcra {
    full_at: i128,
}

/// What one cell takes, rounded up: in the long run never more than the quota.
fn share(limit: u32, period: i64) -> i128 {
    let limit = i128::from(limit);
    (i128::from(period) * PICOS + limit - 1) / limit
}

/// Whole milliseconds, rounded up: after that long it is surely over.
fn millis(picos: i128) -> i64 {
    i64::try_from((picos + PICOS - 1).max(0) / PICOS).unwrap_or(i64::MAX)
}

impl Gcra {
    /// How long the bucket needs to be full again.
    fn lacks(&self, now: i64) -> i128 {
        (self.full_at - i128::from(now) * PICOS).max(0)
    }

    pub(super) fn remaining(&self, limit: u32, period: i64, now: i64) -> u32 {
        let share = share(limit, period);
        let used = (self.lacks(now) + share - 1) / share;
        u32::try_from((i128::from(limit) - used).max(0)).unwrap_or(limit)
    }

    /// How long until `count` more fit.
    pub(super) fn wait(&self, limit: u32, period: i64, count: u32, now: i64) -> i64 {
        let share = share(limit, period);
        millis(self.lacks(now) + share * (i128::from(count) - i128::from(limit)))
    }

    pub(super) fn take(&mut self, limit: u32, period: i64, now: i64) {
        self.full_at = self.full_at.max(i128::from(now) * PICOS) + share(limit, period);
    }

    /// The moment at which all of the quota is free.
    pub(super) fn free_at(&self) -> i64 {
        millis(self.full_at)
    }

    pub(super) fn hold_within(&mut self, period: i64, now: i64) {
        self.full_at = self.full_at.min((i128::from(now) + 2 * i128::from(period)) * PICOS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_gives_its_limit_and_then_one_a_share() {
        for (limit, period) in [(1, 1), (7, 60_000), (10, 60_000), (999, 1000), (1000, 7)] {
            let mut bucket = Gcra::default();
            for left in (0..limit).rev() {
                assert_eq!(bucket.wait(limit, period, 1, 5), 0, "{limit} in {period}: {left}");
                bucket.take(limit, period, 5);
                assert_eq!(bucket.remaining(limit, period, 5), left, "{limit} in {period}");
            }
            let wait = bucket.wait(limit, period, 1, 5);
            assert_eq!(wait, (period + i64::from(limit) - 1) / i64::from(limit));
            assert_eq!(bucket.wait(limit, period, 1, 5 + wait), 0);
            assert!(bucket.wait(limit, period, 1, 5 + wait - 1) > 0);
        }
    }

    #[test]
    fn the_largest_quota_counts_each_cell() {
        let (limit, period) = (1_000_000_000, 1000);
        let mut bucket = Gcra::default();
        for _ in 0..3 {
            bucket.take(limit, period, 0);
        }
        assert_eq!(bucket.remaining(limit, period, 0), limit - 3);
        assert_eq!(bucket.remaining(limit, period, 1), limit);
    }
}
