//! Quotas that are counted exactly.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{allowed, cell, limited, millis, per_minute, secs, take, usage};
use crate::limiter::{Decision, Usage};
use crate::testing::fixture::RateLimiterFixture;

/// Exactly the limit is admitted at once, and no more until the first of them is a period ago.
pub async fn exactly_the_limit_is_admitted<F: RateLimiterFixture>(f: &F) {
    let cells = [cell("user", per_minute(10))];
    for n in 1..=10 {
        allowed(f, &cells, &format!("take {n} of 10 a minute")).await;
    }
    limited(f, &cells, "the 11th of 10 a minute").await;
    f.advance(millis(59_999)).await;
    limited(f, &cells, "the 11th of 10, a millisecond before the minute is over").await;
    f.advance(millis(1)).await;
    for n in 1..=10 {
        allowed(f, &cells, &format!("take {n} of 10, when the first ten are a minute ago")).await;
    }
    limited(f, &cells, "the 21st of 10 a minute, a minute after the first").await;
}

/// No border lets more through: a limit used up just before any full minute holds just after it.
pub async fn no_window_has_a_border<F: RateLimiterFixture>(f: &F) {
    let cells = [cell("user", per_minute(10))];
    for _ in 0..13 {
        // Wherever the borders of fixed windows may lie, one of these steps of five seconds crosses one.
        for _ in 0..10 {
            allowed(f, &cells, "ten a minute, a minute after the last ten").await;
        }
        f.advance(secs(5)).await;
        for _ in 0..12 {
            limited(f, &cells, "ten were admitted five seconds ago").await;
        }
        f.advance(secs(55)).await;
        allowed(f, &cells, "the last ten are a minute ago").await;
        f.advance(secs(65)).await;
    }
}

/// The numbers tell of when they are, how many more are admitted now, when one more will be, and when all are free again.
pub async fn the_numbers_are_exact<F: RateLimiterFixture>(f: &F) {
    let quota = per_minute(3);
    let cells = [cell("user", quota)];
    let usage = |remaining, retry_after, reset_after| usage(quota, f.now(), remaining, retry_after, reset_after);
    assert_eq!(allowed(f, &cells, "1st").await, usage(2, secs(0), secs(60)), "after one at 0 s");
    f.advance(secs(10)).await;
    assert_eq!(allowed(f, &cells, "2nd").await, usage(1, secs(0), secs(60)), "after a second at 10 s");
    f.advance(millis(10_500)).await;
    assert_eq!(allowed(f, &cells, "3rd").await, usage(0, millis(39_500), secs(60)), "after a third at 20.5 s");
    f.advance(millis(9_500)).await;
    assert_eq!(limited(f, &cells, "4th").await, usage(0, secs(30), millis(50_500)), "refused at 30 s");
    f.advance(secs(30)).await;
    assert_eq!(allowed(f, &cells, "4th").await, usage(0, secs(10), secs(60)), "the first is a minute ago at 60 s");
    f.advance(secs(300)).await;
    assert_eq!(allowed(f, &cells, "5th").await, usage(2, secs(0), secs(60)), "all are long ago");
}

/// What is refused is not counted: however often it is tried, the next is admitted at the moment that was told.
pub async fn refused_takes_are_not_counted<F: RateLimiterFixture>(f: &F) {
    let cells = [cell("user", per_minute(2))];
    allowed(f, &cells, "1st").await;
    f.advance(secs(20)).await;
    allowed(f, &cells, "2nd").await;
    for second in 20..60 {
        let told = limited(f, &cells, "the 3rd of 2 a minute").await.retry_after;
        assert_eq!(told, secs(60 - second), "retry_after at {second} s");
        f.advance(secs(1)).await;
    }
    allowed(f, &cells, "the 3rd, when the first is a minute ago").await;
    limited(f, &cells, "the 4th, when the second is not").await;
}

/// Whatever comes when, decisions and numbers are those of a list of the times that were admitted.
pub async fn random_arrivals_are_counted_exactly<F: RateLimiterFixture>(f: &F) {
    for seed in 0..20 {
        let mut random = StdRng::seed_from_u64(seed);
        let quota = per_minute(random.random_range(1..=12));
        let (limit, subject) = (quota.limit.get() as usize, format!("user {seed}"));
        let cells = [cell(&subject, quota)];
        let mut admitted: Vec<crate::Timestamp> = Vec::new();
        for _ in 0..200 {
            let step = random.random_range(0..20_000) * u64::from(random.random_bool(0.7));
            // Every other time in whole steps, so that arrivals meet the very ends of windows.
            let step = if seed % 2 == 0 { step / 5_000 * 5_000 } else { step };
            f.advance(millis(step)).await;
            let now = f.now();
            admitted.retain(|at| now.since(*at) < quota.period);
            let admits = admitted.len() < limit;
            if admits {
                admitted.push(now);
            }
            let until_free = |nth: usize| quota.period - now.since(admitted[nth]);
            let usage = Usage {
                policy: "update",
                quota,
                at: now,
                remaining: u32::try_from(limit - admitted.len()).expect("small"),
                retry_after: if admitted.len() < limit { Duration::ZERO } else { until_free(0) },
                reset_after: until_free(admitted.len() - 1),
            };
            let expected = if admits { Decision::Allowed(usage) } else { Decision::Limited(usage) };
            assert_eq!(take(f, &cells).await, expected, "seed {seed}, {limit} a minute, after {admitted:?}");
        }
    }
}
