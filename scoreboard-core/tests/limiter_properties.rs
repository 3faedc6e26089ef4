//! The limiter in memory against oracles that keep every arrival and know no cleverness.
//!
//! `SCOREBOARD_TEST_SCALE=100 cargo test -p scoreboard-core --test limiter_properties` has a million arrivals decided for each algorithm.

#[path = "../../tests/support/scale.rs"]
mod scale;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;
use scale::scaled;
use scoreboard_core::memory::MemoryRateLimiter;
use scoreboard_core::{Algorithm, Cell, Decision, Quota, RateLimiter, Timestamp, Usage};

/// Of [`arrivals`]: so many times so many are a million.
const CASES: usize = 1_000;
const ARRIVALS: usize = 1_000;
const POLICIES: [&str; 3] = ["one", "two", "three"];
const SUBJECTS: [&str; 4] = ["alice", "bob", "carol", "dave"];

fn quota(limit: u32, millis: u64) -> Quota {
    Quota::exact(NonZeroU32::new(limit).expect("limits here are positive"), Duration::from_millis(millis))
}

fn take(limiter: &MemoryRateLimiter, cells: &[Cell<'_>], now: i64) -> Result<Usage, Usage> {
    let decision = limiter.take(cells, Timestamp::from_millis(now)).now_or_never().expect("memory does not wait");
    match decision.expect("memory does not fail") {
        Decision::Allowed(usage) => Ok(usage),
        Decision::Limited(usage) => Err(usage),
    }
}

/// Everything that was ever admitted, for each policy and subject.
#[derive(Default)]
struct Oracle {
    admitted: HashMap<(&'static str, &'static str), Vec<i64>>,
}

impl Oracle {
    /// What lies in one window with an arrival at `now`, or ahead of it.
    fn counting(&self, cell: &Cell<'static>, now: i64) -> Vec<i64> {
        let period = cell.quota.period.as_millis() as i64;
        let all = self.admitted.get(&(cell.policy, cell.subject)).map(Vec::as_slice).unwrap_or_default();
        let mut counting: Vec<i64> = all.iter().copied().filter(|at| at + period > now).collect();
        counting.sort_unstable();
        counting
    }

    fn usage(&self, cell: &Cell<'static>, now: i64) -> Usage {
        let (limit, period) = (cell.quota.limit.get(), cell.quota.period.as_millis() as i64);
        let counting = self.counting(cell, now);
        let over = counting.len().checked_sub(limit as usize);
        let until = |at: Option<&i64>| Duration::from_millis(at.map_or(0, |at| at + period - now) as u64);
        Usage {
            policy: cell.policy,
            quota: cell.quota,
            at: Timestamp::from_millis(now),
            remaining: limit.saturating_sub(counting.len() as u32),
            retry_after: until(over.and_then(|over| counting.get(over))),
            reset_after: until(counting.last()),
        }
    }

    fn take(&mut self, cells: &[Cell<'static>], now: i64) -> Result<Usage, Usage> {
        let before = cells.iter().map(|cell| self.usage(cell, now)).filter(|usage| usage.remaining == 0);
        if let Some(refused) = before.reduce(|a, b| if b.retry_after > a.retry_after { b } else { a }) {
            return Err(refused);
        }
        for cell in cells {
            self.admitted.entry((cell.policy, cell.subject)).or_default().push(now);
        }
        let after = cells.iter().map(|cell| self.usage(cell, now));
        Ok(after.reduce(|a, b| if b.remaining < a.remaining { b } else { a }).expect("there are cells"))
    }

    /// The most that any window of the period holds.
    fn fullest(&self, period: i64) -> usize {
        let fullest = |times: &Vec<i64>| {
            let mut times = times.clone();
            times.sort_unstable();
            (0..times.len()).map(|i| times.partition_point(|at| *at < times[i] + period) - i).max().unwrap_or(0)
        };
        self.admitted.values().map(fullest).max().unwrap_or(0)
    }
}

/// Time until the next arrival in milliseconds, now and then negative, the subject, and how many of the policies.
fn arrivals(jitter: bool) -> impl Strategy<Value = Vec<(i64, usize, usize)>> {
    let back = if jitter { -40_i64 } else { 0 };
    let gap = prop_oneof![5 => Just(0_i64), 20 => back..50, 3 => 50..400_i64, 1 => 400..30_000_i64];
    prop::collection::vec((gap, 0..SUBJECTS.len(), 1..=POLICIES.len()), ARRIVALS)
}

fn cells(quotas: &[Quota], subject: usize, count: usize) -> Vec<Cell<'static>> {
    let cell = |(policy, quota): (&&'static str, &Quota)| Cell { policy, subject: SUBJECTS[subject], quota: *quota };
    POLICIES.iter().zip(quotas).map(cell).take(count).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: scaled(CASES) as u32, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each verdict and each number is that of the oracle, also if callers arrive out of order.
    #[test]
    fn the_sliding_log_says_what_an_oracle_says(
        arrivals in prop::bool::ANY.prop_flat_map(arrivals),
        limits in prop::collection::vec((1..12_u32, 1..1500_u64), 3),
    ) {
        let quotas: Vec<Quota> = limits.iter().map(|(limit, millis)| quota(*limit, *millis)).collect();
        let (limiter, mut oracle, mut now) = (MemoryRateLimiter::new(), Oracle::default(), 1_000_000);
        for (gap, subject, count) in arrivals {
            now += gap;
            let cells = cells(&quotas, subject, count);
            prop_assert_eq!(take(&limiter, &cells, now), oracle.take(&cells, now), "at {}", now);
        }
        for (policy, quota) in POLICIES.iter().zip(&quotas) {
            let of_policy = oracle.admitted.iter().filter(|((name, _), _)| name == policy);
            let alone = Oracle { admitted: of_policy.map(|(key, times)| (*key, times.clone())).collect() };
            prop_assert!(alone.fullest(quota.period.as_millis() as i64) <= quota.limit.get() as usize);
        }
    }

    /// The even algorithm against the bucket that it stands for, reckoned in whole numbers: each cell pours `period` in, each
    /// millisecond lets `limit` out, and the bucket holds `limit × period`.
    #[test]
    fn the_even_algorithm_is_a_leaky_bucket(
        arrivals in arrivals(false),
        limit in 1..40_u32,
        period in 1..1500_u64,
    ) {
        let even = quota(limit, period).gcra();
        let limiter = MemoryRateLimiter::new();
        let (limit, period) = (u64::from(limit), period);
        let mut buckets: HashMap<usize, (u64, i64)> = HashMap::new();
        let mut now = 1_000_000;
        for (gap, subject, _) in arrivals {
            now += gap;
            let bucket = buckets.entry(subject).or_insert((0, now));
            *bucket = (bucket.0.saturating_sub((now - bucket.1) as u64 * limit), now);
            let admitted = bucket.0 + period <= limit * period;
            let cell = Cell { policy: "even", subject: SUBJECTS[subject], quota: even };
            let usage = match take(&limiter, &[cell], now) {
                Ok(usage) => {
                    prop_assert!(admitted, "at {}", now);
                    bucket.0 += period;
                    usage
                }
                Err(usage) => {
                    prop_assert!(!admitted, "at {}", now);
                    usage
                }
            };
            prop_assert_eq!(usage.quota.algorithm, Algorithm::Gcra);
            prop_assert_eq!(u64::from(usage.remaining), (limit * period - bucket.0) / period);
            let lacking = (bucket.0 + period).saturating_sub(limit * period);
            prop_assert_eq!(usage.retry_after, Duration::from_millis(lacking.div_ceil(limit)));
            prop_assert_eq!(usage.reset_after, Duration::from_millis(bucket.0.div_ceil(limit)));
        }
    }

    /// Whatever the number of subjects and however small the room, nobody has more than the limit in any window.
    #[test]
    fn a_limiter_without_room_never_admits_more(
        arrivals in prop::bool::ANY.prop_flat_map(arrivals),
        limit in 1..6_u32,
        period in 1..1500_u64,
        room in 1..4_usize,
        strangers in 0..5_i64,
    ) {
        let quota = quota(limit, period);
        let limiter = MemoryRateLimiter::with_max_subjects(room.try_into().expect("room is positive"));
        let (mut oracle, mut now) = (Oracle::default(), 1_000_000);
        for (gap, subject, _) in arrivals {
            now += gap;
            let cell = Cell { policy: "one", subject: SUBJECTS[subject], quota };
            if take(&limiter, &[cell], now).is_ok() {
                oracle.admitted.entry((cell.policy, cell.subject)).or_default().push(now);
            }
            for n in 0..strangers {
                let stranger = format!("stranger {n} at {now}");
                let _ = take(&limiter, &[Cell { policy: "one", subject: &stranger, quota }], now);
            }
        }
        prop_assert!(oracle.fullest(period as i64) <= limit as usize);
    }

    /// Wherever the clock jumps, who is refused is admitted when told, and that is within two periods, or one and ten seconds.
    #[test]
    fn a_clock_that_jumps_shuts_nobody_out(
        jumps in prop::collection::vec(0..100_000_000_i64, 1..200),
        limit in 1..4_u32,
        period in 1..100_000_u64,
        even in prop::bool::ANY,
    ) {
        let quota = quota(limit, period);
        let cell = Cell { policy: "one", subject: "alice", quota: if even { quota.gcra() } else { quota } };
        let limiter = MemoryRateLimiter::new();
        for now in jumps {
            if let Err(usage) = take(&limiter, &[cell], now) {
                prop_assert!(usage.retry_after <= quota.period + quota.period.max(Duration::from_secs(10)));
                let then = now + usage.retry_after.as_millis() as i64;
                prop_assert!(take(&limiter, &[cell], then).is_ok());
            }
        }
    }
}
