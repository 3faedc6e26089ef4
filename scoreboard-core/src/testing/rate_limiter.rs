//! The suite of [`RateLimiter`](crate::RateLimiter): each function is one case, and its documentation the rule.
//!
//! Run by [`rate_limiter_conformance!`](crate::rate_limiter_conformance).

use std::num::NonZeroU32;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::limiter::{Cell, Decision, Quota, Usage};
use crate::testing::fixture::RateLimiterFixture;

mod cells;
mod gcra;
mod sliding_log;

pub use cells::*;
pub use gcra::*;
pub use sliding_log::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// So many a minute, counted exactly.
fn per_minute(limit: u32) -> Quota {
    Quota::exact(NonZeroU32::new(limit).expect("the suite's limits are not zero"), secs(60))
}

fn cell(subject: &str, quota: Quota) -> Cell<'_> {
    Cell { policy: "update", subject, quota }
}

/// What is told of a [`cell`] at this moment.
fn usage(quota: Quota, at: Timestamp, remaining: u32, retry_after: Duration, reset_after: Duration) -> Usage {
    Usage { policy: "update", quota, at, remaining, retry_after, reset_after }
}

/// Takes one from each cell now.
async fn take<F: RateLimiterFixture>(f: &F, cells: &[Cell<'_>]) -> Decision {
    f.rate_limiter().take(cells, f.now()).await.expect("take answers")
}

/// Takes one, which must be allowed.
async fn allowed<F: RateLimiterFixture>(f: &F, cells: &[Cell<'_>], why: &str) -> Usage {
    match take(f, cells).await {
        Decision::Allowed(usage) => usage,
        Decision::Limited(usage) => panic!("must be allowed: {why}: {usage:?}"),
    }
}

/// Takes one, which must be refused.
async fn limited<F: RateLimiterFixture>(f: &F, cells: &[Cell<'_>], why: &str) -> Usage {
    match take(f, cells).await {
        Decision::Limited(usage) => usage,
        Decision::Allowed(usage) => panic!("must be limited: {why}: {usage:?}"),
    }
}
