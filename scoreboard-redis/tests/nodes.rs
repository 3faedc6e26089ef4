//! Several nodes on one Redis: what holds over all of them.

mod support;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use scoreboard_core::{BackendError, Cell, Decision, Quota, RateLimiter, Timestamp};
use scoreboard_redis::redis::{self, Script};
use scoreboard_redis::{Config, Redis, RedisRateLimiter};
use support::{config, shared_cluster, single};

const MINUTE: Duration = Duration::from_secs(60);

fn per_minute(limit: u32) -> Quota {
    Quota::exact(NonZeroU32::new(limit).expect("not zero"), MINUTE)
}

fn nodes(config: &Config, count: usize) -> Vec<Arc<dyn RateLimiter>> {
    let node = || Arc::new(RedisRateLimiter::new(Redis::new(config).expect("a handle"))) as Arc<dyn RateLimiter>;
    (0..count).map(|_| node()).collect()
}

/// Each node by its own clock: as it is, ten minutes ahead, ten minutes behind.
fn clocks() -> [Timestamp; 3] {
    let now = Timestamp::from_millis(1_700_000_000_000);
    [now, now.plus(10 * MINUTE), now.minus(10 * MINUTE)]
}

/// How many of so many takes at once, on each of the nodes, are admitted.
async fn admitted_at_once(nodes: &[Arc<dyn RateLimiter>], each: usize, quota: Quota) -> usize {
    let mut tasks = Vec::new();
    for (node, now) in nodes.iter().zip(clocks()) {
        for _ in 0..each {
            let node = node.clone();
            tasks.push(tokio::spawn(async move {
                let cells = [Cell { policy: "update", subject: "alice", quota }];
                matches!(node.take(&cells, now).await.expect("it answers"), Decision::Allowed(_))
            }));
        }
    }
    let mut admitted = 0;
    for task in tasks {
        admitted += usize::from(task.await.expect("it does not panic"));
    }
    admitted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_admit_exactly_ten_of_six_hundred_whatever_their_clocks_show() {
    for url in [single().to_owned(), shared_cluster().url()] {
        for quota in [per_minute(10), per_minute(10).gcra()] {
            let nodes = nodes(&config(&url), 3);
            let admitted = admitted_at_once(&nodes, 200, quota).await;
            assert_eq!(admitted, 10, "{url}: {quota:?}");
        }
    }
}

/// What a limiter must not be: exact, atomic, and by the clock of the node that asks.
#[derive(Debug)]
struct ByTheNodesClock {
    client: redis::Client,
    key: String,
}

#[async_trait]
impl RateLimiter for ByTheNodesClock {
    async fn take(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Decision, BackendError> {
        let script = Script::new(
            "local now, period, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
             redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - period)
             if redis.call('ZCARD', KEYS[1]) >= limit then return 0 end
             redis.call('ZADD', KEYS[1], now, now .. ':' .. redis.call('INCR', KEYS[1] .. ':n'))
             redis.call('EXPIRE', KEYS[1], 60)
             redis.call('EXPIRE', KEYS[1] .. ':n', 60)
             return 1",
        );
        let mut connection = self.client.get_multiplexed_async_connection().await.expect("it connects");
        let quota = cells[0].quota;
        let mut call = script.key(&self.key);
        call.arg(now.as_millis()).arg(quota.period.as_millis().to_string()).arg(quota.limit.get());
        let admitted: bool = call.invoke_async(&mut connection).await.expect("it answers");
        let (retry_after, reset_after) = (MINUTE, MINUTE);
        let usage = scoreboard_core::Usage { policy: "update", quota, at: now, remaining: 0, retry_after, reset_after };
        Ok(if admitted { Decision::Allowed(usage) } else { Decision::Limited(usage) })
    }
}

/// How many are admitted of twenty on each node, the one that is furthest behind first.
async fn admitted_in_turn(nodes: &[Arc<dyn RateLimiter>]) -> usize {
    let mut by_clock: Vec<_> = nodes.iter().zip(clocks()).collect();
    by_clock.sort_by_key(|(_, now)| *now);
    let mut admitted = 0;
    for (node, now) in by_clock {
        for _ in 0..20 {
            let cells = [Cell { policy: "update", subject: "alice", quota: per_minute(10) }];
            let decision = node.take(&cells, now).await.expect("it answers");
            admitted += usize::from(matches!(decision, Decision::Allowed(_)));
        }
    }
    admitted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_clocks_of_nodes_show_changes_nothing() {
    for url in [single().to_owned(), shared_cluster().url()] {
        assert_eq!(admitted_in_turn(&nodes(&config(&url), 3)).await, 10, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_of_clocks_catches_a_limiter_by_the_nodes_clock() {
    let url = single();
    let key = format!("{}:by-the-nodes-clock", config(url).namespace);
    let node = || {
        let client = redis::Client::open(url).expect("a URL");
        Arc::new(ByTheNodesClock { client, key: key.clone() }) as Arc<dyn RateLimiter>
    };
    let nodes = [node(), node(), node()];
    assert_eq!(admitted_in_turn(&nodes).await, 30, "ten by each clock: the check finds it");
}

/// What one take of a wide quota leaves.
async fn remaining(limiter: &dyn RateLimiter, subject: &str, quota: Quota) -> u32 {
    let cells = [Cell { policy: "wide", subject, quota }];
    match limiter.take(&cells, clocks()[0]).await.expect("it answers") {
        Decision::Allowed(usage) => usage.remaining,
        Decision::Limited(usage) => panic!("it has room: {usage:?}"),
    }
}

/// Waits until a bucket has drained what a share is short of by milliseconds.
const ROUNDING: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cells_on_several_nodes_of_a_cluster_are_taken_all_or_none() {
    // A wide bucket whose share is long against the test, so that what refills meanwhile is no whole cell.
    let wide_bucket = Quota::exact(NonZeroU32::new(1000).expect("not zero"), 1000 * MINUTE).gcra();
    for (n, wide) in [per_minute(1000), wide_bucket].into_iter().enumerate() {
        for narrow in [per_minute(10), per_minute(10).gcra()] {
            let nodes = nodes(&config(&shared_cluster().url()), 3);
            let (wide_subject, narrow_subject) = (format!("wide {n}"), format!("narrow {narrow:?}"));
            let mut tasks = Vec::new();
            for call in 0..300 {
                let node = nodes[call % 3].clone();
                let (wide_subject, narrow_subject) = (wide_subject.clone(), narrow_subject.clone());
                tasks.push(tokio::spawn(async move {
                    let wide = Cell { policy: "wide", subject: &wide_subject, quota: wide };
                    let narrow = Cell { policy: "narrow", subject: &narrow_subject, quota: narrow };
                    let cells = if call % 2 == 0 { [wide, narrow] } else { [narrow, wide] };
                    matches!(node.take(&cells, clocks()[0]).await.expect("it answers"), Decision::Allowed(_))
                }));
            }
            let mut admitted = 0;
            for task in tasks {
                admitted += u32::from(task.await.expect("it does not panic"));
            }
            assert_eq!(admitted, 10, "the narrow quota, {narrow:?}, decides");
            tokio::time::sleep(ROUNDING).await;
            let left = remaining(&*nodes[0], &wide_subject, wide).await;
            // Each bucket cell that was given back may be short by the time that it was away.
            let short = if wide == wide_bucket { 1 } else { 0 };
            assert!(
                (1000 - 11 - short..=1000 - 11).contains(&left),
                "{left} of 1000 remain after ten and one: {wide:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_go_away_leave_cells_on_several_nodes_all_used_or_none() {
    let nodes = nodes(&config(&shared_cluster().url()), 1);
    let node = &nodes[0];
    let (one, two) = ("one", "two");
    let mut tasks = Vec::new();
    for n in 0..300 {
        let node = node.clone();
        tasks.push(tokio::spawn(async move {
            let cell = |subject| Cell { policy: "wide", subject, quota: per_minute(1000) };
            let _ = node.take(&[cell(one), cell(two)], clocks()[0]).await;
        }));
        if n % 3 == 0 {
            tokio::task::yield_now().await;
        }
        if n % 2 == 0
            && let Some(task) = tasks.get(n / 2)
        {
            task.abort();
        }
    }
    for task in tasks {
        let _ = task.await;
    }
    // What goes on without its caller.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let left = [remaining(&**node, one, per_minute(1000)).await, remaining(&**node, two, per_minute(1000)).await];
    assert_eq!(left[0], left[1], "both were used as often");
    assert!(left[0] < 999, "some were admitted");
}
