//! Quotas that are counted by the generic cell rate algorithm.

use super::{allowed, cell, limited, millis, per_minute, secs, take, usage};
use crate::limiter::Decision;
use crate::testing::fixture::RateLimiterFixture;

/// A full bucket admits the limit at once, and then one more each time a share of the period has gone by.
pub async fn a_bucket_refills_evenly<F: RateLimiterFixture>(f: &F) {
    let cells = [cell("user", per_minute(10).gcra())];
    for n in 1..=10 {
        allowed(f, &cells, &format!("take {n} from a full bucket of 10")).await;
    }
    for n in 1..=5 {
        limited(f, &cells, "the bucket is empty").await;
        f.advance(millis(5_999)).await;
        limited(f, &cells, "a millisecond before the next of 10 a minute").await;
        f.advance(millis(1)).await;
        allowed(f, &cells, &format!("refill {n}, after six seconds")).await;
    }
    f.advance(secs(18)).await;
    for n in 1..=3 {
        allowed(f, &cells, &format!("take {n} of what 18 seconds refill")).await;
    }
    limited(f, &cells, "18 seconds refill three").await;
}

/// A bucket never holds more than the limit, however long it is left alone.
pub async fn a_bucket_overflows<F: RateLimiterFixture>(f: &F) {
    let cells = [cell("user", per_minute(10).gcra())];
    allowed(f, &cells, "the first").await;
    f.advance(secs(86_400)).await;
    for n in 1..=10 {
        allowed(f, &cells, &format!("take {n} from a full bucket of 10")).await;
    }
    limited(f, &cells, "a day refills ten, not more").await;
}

/// The numbers tell of when they are, how many more are admitted now, when one more will be, and when the bucket is full again.
pub async fn the_numbers_of_a_bucket_are_exact<F: RateLimiterFixture>(f: &F) {
    let quota = per_minute(3).gcra();
    let cells = [cell("user", quota)];
    let usage = |remaining, retry_after, reset_after| usage(quota, f.now(), remaining, retry_after, reset_after);
    assert_eq!(allowed(f, &cells, "1st").await, usage(2, secs(0), secs(20)), "one of three is used");
    assert_eq!(allowed(f, &cells, "2nd").await, usage(1, secs(0), secs(40)), "two of three are used");
    f.advance(secs(5)).await;
    assert_eq!(allowed(f, &cells, "3rd").await, usage(0, secs(15), secs(55)), "all are used, a quarter is refilled");
    f.advance(secs(5)).await;
    assert_eq!(limited(f, &cells, "4th").await, usage(0, secs(10), secs(50)), "refused, and not counted");
    assert_eq!(limited(f, &cells, "4th").await, usage(0, secs(10), secs(50)), "refused again, and not counted");
    f.advance(secs(10)).await;
    assert_eq!(allowed(f, &cells, "4th").await, usage(0, secs(20), secs(60)), "the refilled one is used");
}

/// Who keeps to the rate is never limited.
pub async fn the_steady_rate_is_never_limited<F: RateLimiterFixture>(f: &F) {
    let cells = [cell("user", per_minute(10).gcra())];
    for n in 1..=10 {
        allowed(f, &cells, &format!("take {n} from a full bucket")).await;
    }
    for n in 1..=100 {
        f.advance(secs(6)).await;
        allowed(f, &cells, &format!("take {n}, one in six seconds")).await;
    }
}

/// In any stretch of time, no more than the limit and what that time refills is admitted.
pub async fn a_bucket_never_admits_more_than_it_holds<F: RateLimiterFixture>(f: &F) {
    let cells = [cell("user", per_minute(10).gcra())];
    let start = f.now();
    let mut admitted = 0;
    for step in 0..2000 {
        f.advance(millis(step * 7 % 400)).await;
        if let Decision::Allowed(_) = take(f, &cells).await {
            admitted += 1;
            let refilled = f.now().since(start).as_millis() / 6000;
            assert!(admitted <= 10 + refilled, "{admitted} admitted in {:?}", f.now().since(start));
        }
    }
    let refilled = f.now().since(start).as_millis() / 6000;
    assert_eq!(admitted, 10 + refilled, "who asks all the time gets all that there is");
}
