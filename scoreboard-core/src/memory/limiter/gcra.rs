//! The generic cell rate algorithm (ITU-T I.371): one time, the moment at which the bucket is full again.

/// In the `limit`-th parts of a millisecond: the share of one cell, `period / limit`, is then the whole number `period`, and
/// nothing is ever rounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gcra {
    full_at: i128,
    limit: u32,
}

/// A full bucket.
impl Default for Gcra {
    fn default() -> Self {
        Self { full_at: 0, limit: 1 }
    }
}

fn divided_up(parts: i128, by: u32) -> i128 {
    let by = i128::from(by);
    (parts + by - 1).div_euclid(by)
}

fn millis(parts: i128, limit: u32) -> i64 {
    i64::try_from(divided_up(parts.max(0), limit)).unwrap_or(i64::MAX)
}

impl Gcra {
    /// When the bucket is full again, in the parts of this limit, which the program may have changed since the last cell.
    fn full_at(&self, limit: u32) -> i128 {
        if limit == self.limit { self.full_at } else { divided_up(self.full_at * i128::from(limit), self.limit) }
    }

    /// How long the bucket needs to be full again.
    fn lacks(&self, limit: u32, now: i64) -> i128 {
        (self.full_at(limit) - i128::from(now) * i128::from(limit)).max(0)
    }

    pub(super) fn remaining(&self, limit: u32, period: i64, now: i64) -> u32 {
        let room = i128::from(limit) * i128::from(period) - self.lacks(limit, now);
        u32::try_from(room.max(0) / i128::from(period)).unwrap_or(limit)
    }

    /// How long until `count` more fit.
    pub(super) fn wait(&self, limit: u32, period: i64, count: u32, now: i64) -> i64 {
        let surplus = i128::from(period) * (i128::from(count) - i128::from(limit));
        millis(self.lacks(limit, now) + surplus, limit)
    }

    pub(super) fn take(&mut self, limit: u32, period: i64, now: i64) {
        let from = self.full_at(limit).max(i128::from(now) * i128::from(limit));
        *self = Self { full_at: from + i128::from(period), limit };
    }

    /// The moment at which all of the quota is free.
    pub(super) fn free_at(&self) -> i64 {
        millis(self.full_at, self.limit)
    }

    /// Is full at `furthest` at the latest.
    pub(super) fn hold_within(&mut self, furthest: i64) {
        self.full_at = self.full_at.min(i128::from(furthest) * i128::from(self.limit));
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

    #[test]
    fn a_limit_that_is_changed_keeps_what_was_used() {
        let mut bucket = Gcra::default();
        for _ in 0..5 {
            bucket.take(10, 60_000, 0);
        }
        assert_eq!(bucket.remaining(20, 60_000, 0), 10, "half is half");
        bucket.take(20, 60_000, 0);
        assert_eq!((bucket.remaining(20, 60_000, 0), bucket.free_at()), (9, 33_000));
    }
}
