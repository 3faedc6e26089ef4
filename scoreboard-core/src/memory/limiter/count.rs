//! What one subject used of one quota, by either algorithm. Times are in milliseconds since the Unix epoch.

use super::gcra::Gcra;
use super::sliding_log::SlidingLog;
use crate::limiter::{Algorithm, Quota};

/// How far `now` may fall behind, and everything still be exact: callers read the clock in one order and arrive in another, and
/// clocks are set. A period, ten seconds at least and a minute at most; as long are counts kept after they could be forgotten, and no count
/// lies further ahead. Not longer: what is kept is room that a flood of strangers takes from others.
pub(super) fn slack(period: i64) -> i64 {
    period.clamp(10_000, 60_000)
}

#[derive(Debug, Clone)]
pub(super) enum Count {
    Log(SlidingLog),
    Bucket(Gcra),
}

impl Count {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::SlidingLog => Self::Log(SlidingLog::default()),
            Algorithm::Gcra => Self::Bucket(Gcra::default()),
        }
    }

    pub(super) fn remaining(&self, quota: &Quota, now: i64) -> u32 {
        match self {
            Self::Log(log) => log.remaining(quota.limit.get(), quota.period_millis(), now),
            Self::Bucket(bucket) => bucket.remaining(quota.limit.get(), quota.period_millis(), now),
        }
    }

    /// How long until `demand` more fit.
    pub(super) fn wait(&self, quota: &Quota, demand: u32, now: i64) -> i64 {
        match self {
            Self::Log(log) => log.wait(quota.limit.get(), quota.period_millis(), demand, now),
            Self::Bucket(bucket) => bucket.wait(quota.limit.get(), quota.period_millis(), demand, now),
        }
    }

    pub(super) fn take(&mut self, quota: &Quota, now: i64) {
        match self {
            Self::Log(log) => log.take(quota.limit.get(), quota.period_millis(), now),
            Self::Bucket(bucket) => bucket.take(quota.limit.get(), quota.period_millis(), now),
        }
    }

    /// The moment at which all of the quota is free.
    pub(super) fn free_at(&self, period: i64) -> i64 {
        match self {
            Self::Log(log) => log.free_at(period),
            Self::Bucket(bucket) => bucket.free_at(),
        }
    }

    /// Draws in what lies too far ahead, which only a clock that was set back can cause: who is limited then waits a period and
    /// the [`slack`], and not until the old time comes again.
    pub(super) fn hold_within(&mut self, period: i64, now: i64) {
        let furthest = now + slack(period);
        if self.free_at(period) > furthest + period {
            match self {
                Self::Log(log) => log.hold_within(furthest),
                Self::Bucket(bucket) => bucket.hold_within(furthest + period),
            }
        }
    }
}
