//! The limiter that falls back on this node's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use scoreboard_core::memory::MemoryRateLimiter;
use scoreboard_core::testing::{Fixture, ManualClock, RateLimiterFixture};
use scoreboard_core::{
    BackendError, Cell, Clock, Decision, ErrorKind, FallbackLimiter, Quota, RateLimiter, Timestamp, Usage,
};

/// A limiter that can be taken away.
#[derive(Debug, Default)]
struct Shared {
    limiter: Mutex<MemoryRateLimiter>,
    gone: AtomicBool,
    calls: AtomicU32,
    /// By how much its clock is ahead of its callers'.
    ahead: Mutex<Duration>,
}

#[async_trait]
impl RateLimiter for Shared {
    async fn take(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Decision, BackendError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.gone.load(Ordering::Relaxed) {
            return Err(BackendError::new(ErrorKind::Unavailable, "shared", "take"));
        }
        let limiter = self.limiter.lock().clone();
        let ahead = *self.ahead.lock();
        limiter.take(cells, now.plus(ahead)).await
    }
}

fn over(shared: &Arc<Shared>, nodes: u32) -> FallbackLimiter {
    let nodes = nodes.try_into().expect("not zero");
    FallbackLimiter::new(shared.clone(), Arc::new(MemoryRateLimiter::default()), nodes)
}

async fn take(limiter: &FallbackLimiter, subject: &str, quota: &str, millis: i64) -> Result<Usage, Usage> {
    let quota: Quota = quota.parse().expect("a quota");
    let cells = [Cell { policy: "update", subject, quota }];
    match limiter.take(&cells, Timestamp::from_millis(millis)).await.expect("it never fails") {
        Decision::Allowed(usage) => Ok(usage),
        Decision::Limited(usage) => Err(usage),
    }
}

/// The layer over a limiter that works is that limiter.
struct Layered {
    limiter: Arc<FallbackLimiter>,
    clock: ManualClock,
}

impl Fixture for Layered {
    async fn fresh() -> Self {
        Self { limiter: Arc::new(over(&Arc::default(), 3)), clock: ManualClock::default() }
    }
}

impl RateLimiterFixture for Layered {
    fn rate_limiter(&self) -> Arc<dyn RateLimiter> {
        self.limiter.clone()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }
}

scoreboard_core::rate_limiter_conformance!(Layered);

#[tokio::test]
async fn without_the_shared_limiter_all_nodes_together_keep_the_quota() {
    let shared = Arc::<Shared>::default();
    shared.gone.store(true, Ordering::Relaxed);
    let nodes: Vec<FallbackLimiter> = (0..3).map(|_| over(&shared, 3)).collect();
    let mut admitted = 0;
    for millis in 0..60_000 / 20 {
        for node in &nodes {
            admitted += u32::from(take(node, "alice", "10/min", millis * 20).await.is_ok());
        }
    }
    assert_eq!(admitted, 9, "three nodes, three each: of ten a minute none too many, and never none");
}

#[tokio::test]
async fn what_must_rather_stay_shut_has_half_of_its_part() {
    let shared = Arc::<Shared>::default();
    let limiter = over(&shared, 2).halving(&["update"]);
    assert_eq!(
        take(&limiter, "alice", "12/min", 0).await.map(|usage| usage.remaining),
        Ok(11),
        "not while all is well"
    );
    shared.gone.store(true, Ordering::Relaxed);
    for left in [2, 1, 0] {
        assert_eq!(take(&limiter, "eve", "12/min", 1).await.map(|usage| usage.remaining), Ok(left), "twelve by four");
    }
    assert!(take(&limiter, "eve", "12/min", 1).await.is_err());
    assert!(take(&limiter, "bob", "3/min", 1).await.is_ok(), "never not at all");
    let others = over(&shared, 2).halving(&["login"]);
    assert_eq!(take(&others, "alice", "12/min", 1).await.map(|usage| usage.remaining), Ok(5), "another quota");
}

#[tokio::test]
async fn a_quota_smaller_than_the_nodes_stays_one() {
    let shared = Arc::<Shared>::default();
    shared.gone.store(true, Ordering::Relaxed);
    let limiter = over(&shared, 5);
    assert!(take(&limiter, "alice", "2/min", 0).await.is_ok());
    assert!(take(&limiter, "alice", "2/min", 0).await.is_err());
}

#[tokio::test]
async fn the_shared_limiter_decides_again_once_it_is_back() {
    let shared = Arc::<Shared>::default();
    let limiter = over(&shared, 2);
    assert_eq!(take(&limiter, "alice", "4/min", 0).await.map(|usage| usage.remaining), Ok(3));
    shared.gone.store(true, Ordering::Relaxed);
    assert_eq!(take(&limiter, "alice", "4/min", 1).await.map(|usage| usage.remaining), Ok(0), "half of four, less two");
    shared.gone.store(false, Ordering::Relaxed);
    assert_eq!(take(&limiter, "alice", "4/min", 2).await.map(|usage| usage.remaining), Ok(2));
}

/// How many of so many calls of a subject are admitted at this moment, at these nodes in turn.
async fn come(nodes: &[&FallbackLimiter], subject: &str, millis: i64, calls: usize) -> u32 {
    let mut admitted = 0;
    for call in 0..calls {
        admitted += u32::from(take(nodes[call % nodes.len()], subject, "10/min", millis).await.is_ok());
    }
    admitted
}

/// Neither when the shared limiter goes nor when it comes back with nothing of what it had counted.
#[tokio::test]
async fn who_has_had_all_gets_nothing_more_when_the_shared_limiter_goes_or_has_forgotten() {
    let shared = Arc::<Shared>::default();
    let nodes: Vec<FallbackLimiter> = (0..3).map(|_| over(&shared, 3)).collect();
    let come = async |subject: &str, from: i64, calls: usize, at: &[usize]| {
        let nodes: Vec<_> = at.iter().map(|at| &nodes[*at]).collect();
        come(&nodes, subject, from, calls).await
    };
    assert_eq!(come("everywhere", 0, 10, &[0, 1, 2]).await, 10);
    assert_eq!(come("at one", 1, 10, &[1]).await, 10);
    shared.gone.store(true, Ordering::Relaxed);
    assert_eq!(come("everywhere", 10, 30, &[0, 1, 2]).await, 0);
    assert_eq!(come("at one", 10, 30, &[1]).await, 0);
    assert_eq!(come("later", 10, 30, &[2]).await, 3);
    *shared.limiter.lock() = MemoryRateLimiter::default();
    shared.gone.store(false, Ordering::Relaxed);
    assert_eq!(come("at one", 59_999, 5, &[1]).await, 0, "this node knows it still");
    assert_eq!(come("later", 59_999, 30, &[2]).await, 7);
    assert_eq!(
        come("at one", 60_001, 30, &[1]).await,
        9,
        "and no longer than it holds; the shared one was asked for one of those that were refused"
    );
    assert_eq!(come("new", 60_001, 30, &[0, 1, 2]).await, 10);
}

/// No call fails, so nobody can tell that it counts from nothing. Who was refused before waits all the same, at the node that refused.
#[tokio::test]
async fn ten_of_ten_a_minute_are_twenty_in_that_minute_when_the_shared_limiter_is_emptied() {
    let shared = Arc::<Shared>::default();
    let nodes: Vec<FallbackLimiter> = (0..3).map(|_| over(&shared, 3)).collect();
    let all: Vec<_> = nodes.iter().collect();
    assert_eq!(come(&all, "everywhere", 0, 10).await, 10);
    assert_eq!(come(&all[..1], "at one", 0, 10).await, 10);
    assert_eq!(come(&all[..1], "refused", 0, 11).await, 10);
    *shared.limiter.lock() = MemoryRateLimiter::default();
    assert_eq!(come(&all[..1], "refused", 1, 30).await, 0, "this node was told when");
    for subject in ["everywhere", "at one", "refused"] {
        assert_eq!(come(&all[1..], subject, 1, 30).await, 10, "{subject}: as if nothing had been");
        for millis in [2, 1_000, 30_000, 59_999, 60_000] {
            assert_eq!(come(&all, subject, millis, 30).await, 0, "{subject}: no more until the last ten leave");
        }
        assert_eq!(come(&all, subject, 60_001, 30).await, 10, "{subject}: then ten again");
    }
}

#[tokio::test]
async fn ten_at_one_of_three_nodes_are_sixteen_in_that_minute_when_the_shared_limiter_goes() {
    let shared = Arc::<Shared>::default();
    let nodes: Vec<FallbackLimiter> = (0..3).map(|_| over(&shared, 3)).collect();
    let all: Vec<_> = nodes.iter().collect();
    assert_eq!(come(&all[..1], "alice", 0, 10).await, 10);
    shared.gone.store(true, Ordering::Relaxed);
    assert_eq!(come(&all[..1], "alice", 1, 30).await, 0, "this node has counted along");
    assert_eq!(come(&all[1..2], "alice", 1, 30).await, 3, "the part of this one");
    assert_eq!(come(&all[2..], "alice", 1, 30).await, 3, "and of this one");
    for millis in [2, 1_000, 30_000, 59_999] {
        assert_eq!(come(&all, "alice", millis, 30).await, 0, "and no more in that minute");
    }
    assert_eq!(come(&all[..1], "alice", 60_000, 30).await, 3, "while it is away each has its part");
}

/// By the shared limiter's clock, which its nodes' clocks need not show: so times are alike before and after it has gone, whoever says them.
#[tokio::test]
async fn while_the_shared_limiter_is_gone_its_clock_goes_on() {
    let shared = Arc::<Shared>::default();
    *shared.ahead.lock() = Duration::from_secs(600);
    let limiter = over(&shared, 2);
    let at = |usage: Result<Usage, Usage>| {
        let millis = |usage: Usage| usage.at.as_millis();
        usage.map(millis).map_err(millis)
    };
    assert_eq!(at(take(&limiter, "alice", "4/min", 1000).await), Ok(601_000));
    shared.gone.store(true, Ordering::Relaxed);
    assert_eq!(at(take(&limiter, "alice", "4/min", 3000).await), Ok(603_000));
    assert_eq!(at(take(&limiter, "alice", "4/min", 4000).await), Err(604_000), "half of four, and one before");
    assert_eq!(at(take(&limiter, "alice", "4/min", 61_000).await), Ok(661_000), "a minute after the first");
}

#[tokio::test]
async fn who_is_refused_is_refused_here_until_the_moment_that_was_told() {
    let shared = Arc::<Shared>::default();
    let limiter = over(&shared, 2);
    assert!(take(&limiter, "alice", "1/min", 0).await.is_ok());
    for millis in 1..1000 {
        let told = take(&limiter, "alice", "1/min", millis).await.expect_err("one a minute");
        assert_eq!(i64::try_from(told.retry_after.as_millis()), Ok(60_000 - millis));
    }
    assert_eq!(shared.calls.load(Ordering::Relaxed), 2, "one was admitted, one was refused");
    // Also while the shared limiter is gone: this node would admit one.
    shared.gone.store(true, Ordering::Relaxed);
    assert!(take(&limiter, "alice", "1/min", 59_999).await.is_err());
    shared.gone.store(false, Ordering::Relaxed);
    assert!(take(&limiter, "alice", "1/min", 60_000).await.is_ok());
}
