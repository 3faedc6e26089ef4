//! A million random arrivals: Redis decides and counts as the limiter in memory does, and as a list of all that was admitted.
//!
//! `SCOREBOARD_TEST_SCALE=100 cargo test -p scoreboard-redis --test oracle -- --nocapture` runs all of it, and says how many there were.

#[path = "../../tests/support/scale.rs"]
mod scale;
mod support;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scale::scaled;
use scoreboard_core::memory::MemoryRateLimiter;
use scoreboard_core::{Algorithm, Cell, Decision, Quota, RateLimiter};
use scoreboard_redis::RedisRateLimiter;
use support::clocks::Moved;
use support::redis;

const ARRIVALS: usize = 1_000_000;
const POLICIES: [&str; 4] = ["one", "two", "three", "four"];
const SUBJECTS: [&str; 10] = ["alice", "bob", "carol", "dave", "eve", "frank", "grace", "heidi", "{ivan}", ""];

/// Small and large limits, short and long periods, by both algorithms.
fn quotas(random: &mut StdRng) -> Vec<Quota> {
    let quota = |n: usize, random: &mut StdRng| {
        let limit = if n == 3 { random.random_range(1..1_000_000_000) } else { random.random_range(1..15) };
        let period = Duration::from_micros(random.random_range(1..90_000_000));
        let quota = Quota::exact(NonZeroU32::new(limit).expect("not zero"), period);
        // A log of a billion would take the room of one.
        if n == 3 || random.random_bool(0.5) { quota.gcra() } else { quota }
    };
    (0..POLICIES.len()).map(|n| quota(n, random)).collect()
}

/// Whether any window of the period holds more than the limit.
fn overfull(times: &[i64], quota: &Quota) -> bool {
    let period = i64::try_from(quota.period.as_nanos().div_ceil(1_000_000)).expect("short");
    let limit = quota.limit.get() as usize;
    times.windows(limit + 1).any(|window| window[limit] - window[0] < period)
}

#[tokio::test]
async fn every_verdict_and_every_number_is_that_of_the_limiter_in_memory() {
    const ROUND: usize = 2000;
    let mut server = Moved::single().await;
    let redis = redis(&server.url);
    let (mut decided, mut allowed) = (0, 0);
    for round in 0..scaled(ARRIVALS) / ROUND {
        let mut random = StdRng::seed_from_u64(round as u64);
        let quotas = quotas(&mut random);
        let (shared, memory) = (RedisRateLimiter::new(redis.clone()), MemoryRateLimiter::default());
        let subjects = SUBJECTS.map(|subject| format!("{subject} {round}"));
        let mut admitted: HashMap<(usize, usize), Vec<i64>> = HashMap::new();
        for arrival in 0..ROUND / SUBJECTS.len() {
            let step = match random.random_range(0..10) {
                0..4 => 0,
                4..8 => random.random_range(0..300),
                8 => random.random_range(0..20_000),
                _ => random.random_range(0..100) * random.random_range(0..2000),
            };
            server.advance(Duration::from_millis(step));
            let now = server.now();
            // One of each subject at once: they do not touch each other.
            let calls = subjects.each_ref().map(|subject| {
                let policies: Vec<usize> =
                    (0..random.random_range(1..4)).map(|_| random.random_range(0..POLICIES.len())).collect();
                let cell = |policy: &usize| Cell { policy: POLICIES[*policy], subject, quota: quotas[*policy] };
                (policies.iter().map(cell).collect::<Vec<_>>(), policies)
            });
            let told = join_all(calls.iter().map(|(cells, _)| shared.take(cells, now))).await;
            for (subject, (told, (cells, policies))) in told.into_iter().zip(calls).enumerate() {
                let told = told.expect("it answers");
                let expected = memory.take(&cells, now).await.expect("memory does not fail");
                assert_eq!(told, expected, "round {round}, arrival {arrival}: {cells:?}");
                decided += 1;
                if matches!(told, Decision::Allowed(_)) {
                    allowed += 1;
                    for policy in policies {
                        admitted.entry((policy, subject)).or_default().push(now.as_millis());
                    }
                }
            }
        }
        for ((policy, _), times) in admitted {
            let quota = &quotas[policy];
            if quota.algorithm == Algorithm::SlidingLog {
                assert!(!overfull(&times, quota), "round {round}: {quota:?}");
            }
        }
    }
    println!("{decided} arrivals, {allowed} of them allowed: each verdict and each number as in memory");
}

#[tokio::test]
async fn a_limit_that_is_changed_keeps_what_was_used() {
    let server = Moved::single().await;
    let (shared, memory) = (RedisRateLimiter::new(redis(&server.url)), MemoryRateLimiter::default());
    let mut random = StdRng::seed_from_u64(7);
    let now = server.now();
    for _ in 0..500 {
        let limit = NonZeroU32::new(random.random_range(1..1000)).expect("not zero");
        let quota = Quota::exact(limit, Duration::from_secs(60));
        let quota = if random.random_bool(0.5) { quota.gcra() } else { quota };
        let cells = [Cell { policy: "p", subject: "alice", quota }];
        let expected = memory.take(&cells, now).await.expect("memory does not fail");
        assert_eq!(shared.take(&cells, now).await.expect("it answers"), expected, "{quota:?}");
    }
}

#[tokio::test]
async fn a_servers_clock_that_is_set_back_admits_no_more_and_shuts_nobody_out_for_long() {
    const HOUR: Duration = Duration::from_secs(3600);
    let mut server = Moved::single().await;
    let limiter = RedisRateLimiter::new(redis(&server.url));
    let start = server.now();
    for quota in ["3/min".parse::<Quota>().expect("a quota"), "3/min".parse::<Quota>().expect("a quota").gcra()] {
        let cells = [Cell { policy: "p", subject: "alice", quota }];
        server.set(start.plus(10 * HOUR));
        for _ in 0..3 {
            assert!(matches!(limiter.take(&cells, start).await.expect("it answers"), Decision::Allowed(_)));
        }
        for back in [Duration::from_millis(1), Duration::from_secs(30), HOUR, 5 * HOUR] {
            server.set(start.plus(10 * HOUR - back));
            let Decision::Limited(usage) = limiter.take(&cells, start).await.expect("it answers") else {
                panic!("{back:?} back, by {quota:?}")
            };
            assert!(usage.retry_after <= 2 * quota.period, "{usage:?}");
            // Where it is set back for good, the moment that was told is the moment.
            if back == 5 * HOUR {
                server.advance(usage.retry_after);
                let then = limiter.take(&cells, start).await.expect("it answers");
                assert!(matches!(then, Decision::Allowed(_)), "told {usage:?}, then {then:?}");
            }
        }
    }
    server.set(start.plus(11 * HOUR));
}
