//! What becomes of calls when Redis does not work.

mod support;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use scoreboard_core::memory::MemoryRateLimiter;
use scoreboard_core::{
    BoardCache, BoardId, Broadcaster, CacheKey, Cached, Cell, Decision, ErrorKind, FallbackLimiter, Position,
    RateLimiter, Timestamp,
};
use scoreboard_redis::{Config, Redis, RedisBoardCache, RedisBroadcaster, RedisRateLimiter};
use support::cluster::{Cluster, Sentinels, wait_until};
use support::server::{Process, cli};
use support::{STORE, chain, config, shared_cluster, single};
use tokio::time::Instant;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const LIFE: Duration = Duration::from_secs(60);

fn at(position: &str) -> Position {
    position.parse().expect("a position")
}

fn key(view: &str) -> CacheKey {
    CacheKey { board: BoardId::main(), view: view.into() }
}

fn answer(position: &str) -> Cached {
    Cached { position: at(position), bytes: position.to_owned().into() }
}

/// As it is configured for use: 50 milliseconds a call.
fn as_it_is(url: &str) -> Config {
    let patient = config(url);
    Config { namespace: patient.namespace, ..Config::from_url(url).expect("a URL") }
}

async fn take(limiter: &RedisRateLimiter, subject: &str) -> Result<Decision, scoreboard_core::BackendError> {
    limiter.take(&[Cell { policy: "p", subject, quota: "10/min".parse().expect("a quota") }], NOW).await
}

/// Tries until a call succeeds.
async fn until_it_works(redis: &Redis, within: Duration) -> Duration {
    let start = Instant::now();
    while redis.check().await.is_err() {
        assert!(start.elapsed() < within, "Redis is back, and calls still fail after {within:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_is_missed_at_once_and_found_again() {
    let mut server = Process::start(&[]);
    let redis = Redis::new(&as_it_is(&server.url())).expect("a handle");
    let (limiter, cache) = (RedisRateLimiter::new(redis.clone()), RedisBoardCache::new(redis.clone(), STORE));
    until_it_works(&redis, LIFE).await;
    cache.put(key("top"), answer("1.1"), NOW, LIFE).await;
    assert_eq!(cache.get(&key("top"), NOW).await.map(|hit| hit.answer), Some(answer("1.1")));

    server.kill();
    for n in 0..20 {
        let start = Instant::now();
        let error = take(&limiter, "alice").await.expect_err("nobody is there");
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::OutcomeUnknown), "{}", chain(&error));
        assert!(start.elapsed() < Duration::from_millis(250), "call {n} took {:?}", start.elapsed());
        assert_eq!(cache.get(&key("top"), NOW).await, None, "a miss");
    }
    assert!(redis.is_broken());
    cache.raise_floor(&BoardId::main(), at("1.5")).await;

    server.restart();
    let back = until_it_works(&redis, Duration::from_secs(3)).await;
    assert!(!redis.is_broken());
    assert!(take(&limiter, "alice").await.is_ok(), "after {back:?}");
    // What the floor could not be raised to meanwhile is made good before anything else.
    let other = RedisBoardCache::new(redis.clone(), STORE);
    assert_eq!(cache.get(&key("top"), NOW).await, None);
    other.put(key("top"), answer("1.4"), NOW, LIFE).await;
    assert_eq!(other.get(&key("top"), NOW).await, None, "another node finds the floor that was owed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_paused_costs_fifty_milliseconds_five_times_and_then_nothing() {
    let server = Process::start(&[]);
    let redis = Redis::new(&as_it_is(&server.url())).expect("a handle");
    let limiter = RedisRateLimiter::new(redis.clone());
    until_it_works(&redis, LIFE).await;
    assert!(take(&limiter, "alice").await.is_ok());

    server.signal("STOP");
    let mut waited = Vec::new();
    while !redis.is_broken() {
        let start = Instant::now();
        let error = take(&limiter, "alice").await.expect_err("nobody answers");
        assert_eq!(error.kind(), ErrorKind::OutcomeUnknown, "it was sent, and may count: {}", chain(&error));
        waited.push(start.elapsed());
    }
    assert_eq!(waited.len(), 5, "{waited:?}");
    for waited in &waited {
        assert!((50..250).contains(&waited.as_millis()), "{waited:?}");
    }
    let start = Instant::now();
    let (mut asked, calls) = (0, 1000);
    for _ in 0..calls {
        let error = take(&limiter, "alice").await.expect_err("the breaker is open");
        asked += usize::from(error.kind() != ErrorKind::Unavailable);
    }
    let elapsed = start.elapsed();
    assert!(asked <= 1 + elapsed.as_secs() as usize, "{asked} of {calls} were let through in {elapsed:?}");

    server.signal("CONT");
    let back = until_it_works(&redis, Duration::from_secs(3)).await;
    assert!(back < Duration::from_millis(2500), "one call a second is let through: {back:?}");
    assert!(take(&limiter, "bob").await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_room_says_so_and_counts_nothing() {
    let server = Process::start(&[]);
    let redis = support::redis(&server.url());
    let (limiter, cache) = (RedisRateLimiter::new(redis.clone()), RedisBoardCache::new(redis, STORE));
    assert!(take(&limiter, "alice").await.is_ok());
    server.cli(&["config", "set", "maxmemory", "1"]);
    for _ in 0..3 {
        let error = take(&limiter, "alice").await.expect_err("there is no room");
        assert_eq!(error.kind(), ErrorKind::Full, "{}", chain(&error));
    }
    cache.put(key("top"), answer("1.1"), NOW, LIFE).await;
    assert_eq!(cache.get(&key("top"), NOW).await, None);
    server.cli(&["config", "set", "maxmemory", "0"]);
    let Decision::Allowed(usage) = take(&limiter, "alice").await.expect("there is room again") else {
        panic!("one of ten was used")
    };
    assert_eq!(usage.remaining, 8);
    cache.put(key("top"), answer("1.1"), NOW, LIFE).await;
    assert_eq!(cache.get(&key("top"), NOW).await.map(|hit| hit.answer), Some(answer("1.1")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_a_server_forgot_are_no_error() {
    let server = Process::start(&[]);
    for url in [server.url(), shared_cluster().url()] {
        let redis = support::redis(&url);
        let (limiter, cache) = (RedisRateLimiter::new(redis.clone()), RedisBoardCache::new(redis.clone(), STORE));
        let broadcaster = RedisBroadcaster::new(redis.clone(), STORE);
        for round in 1..=5 {
            assert!(take(&limiter, "alice").await.is_ok(), "{url}");
            cache.put(key("top"), answer(&format!("1.{round}")), NOW, LIFE).await;
            assert_eq!(
                cache.get(&key("top"), NOW).await.map(|hit| hit.answer),
                Some(answer(&format!("1.{round}"))),
                "{url}"
            );
            broadcaster.publish(&BoardId::main(), at("1.1")).await.expect("it is announced");
            server.cli(&["script", "flush"]);
            for node in &shared_cluster().nodes {
                node.cli(&["script", "flush"]);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_old_is_served_after_a_flush() {
    let server = Process::start(&[]);
    let config = config(&server.url());
    let node = || RedisBoardCache::new(Redis::new(&config).expect("a handle"), STORE);
    let (writer, reader) = (node(), node());
    writer.put(key("top"), answer("1.8"), NOW, LIFE).await;
    writer.raise_floor(&BoardId::main(), at("1.9")).await;
    server.cli(&["flushall"]);
    // A reader of the store that was slow, on another node.
    reader.put(key("top"), answer("1.8"), NOW, LIFE).await;
    assert_eq!(writer.get(&key("top"), NOW).await, None, "it was told of 1.9");
    assert_eq!(writer.get(&key("top"), NOW).await, None, "and tells Redis again");
    assert_eq!(reader.get(&key("top"), NOW).await, None, "so that others know too");
    writer.put(key("top"), answer("1.9"), NOW, LIFE).await;
    assert_eq!(reader.get(&key("top"), NOW).await.map(|hit| hit.answer), Some(answer("1.9")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_old_is_served_after_an_old_copy_has_come_back() {
    let mut server = Process::start(&["--dbfilename", "dump.rdb"]);
    let redis = Redis::new(&as_it_is(&server.url())).expect("a handle");
    let cache = RedisBoardCache::new(redis.clone(), STORE);
    let broadcaster = RedisBroadcaster::new(redis.clone(), STORE);
    until_it_works(&redis, LIFE).await;
    cache.raise_floor(&BoardId::main(), at("1.5")).await;
    cache.put(key("top"), answer("1.5"), NOW, LIFE).await;
    broadcaster.publish(&BoardId::main(), at("1.5")).await.expect("it is announced");
    assert_eq!(server.cli(&["save"]), "OK");
    let copy = std::fs::read(server.folder.join("dump.rdb")).expect("it was saved");
    cache.raise_floor(&BoardId::main(), at("1.90")).await;
    cache.put(key("top"), answer("1.90"), NOW, LIFE).await;
    let mut watcher = broadcaster.subscribe(&BoardId::main()).await.expect("it listens");
    broadcaster.publish(&BoardId::main(), at("1.90")).await.expect("it is announced");
    assert_eq!(watcher.next().await, Some(at("1.90")));

    server.kill();
    std::fs::write(server.folder.join("dump.rdb"), copy).expect("the old copy is put there");
    server.restart();
    let old = server.cli(&["get", &format!("{}:cache:{STORE}:{{main}}:floor", namespace(&redis))]);
    assert_eq!(old, "1.5", "the test put an old copy there");
    until_it_works(&redis, Duration::from_secs(3)).await;
    for _ in 0..10 {
        let found = cache.get(&key("top"), NOW).await;
        assert!(found.as_ref().is_none_or(|found| found.answer.position >= at("1.90")), "{found:?} was served");
    }
    cache.put(key("top"), answer("1.90"), NOW, LIFE).await;
    assert_eq!(cache.get(&key("top"), NOW).await.map(|hit| hit.answer), Some(answer("1.90")));
    broadcaster.publish(&BoardId::main(), at("1.91")).await.expect("it is announced");
    assert_eq!(watcher.next().await, Some(at("1.91")), "watchers are told no older position");
}

fn namespace(redis: &Redis) -> String {
    let shown = format!("{redis:?}");
    let start = shown.find("test-").expect("the namespace is shown");
    shown[start..].split('"').next().expect("it ends").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sentinels_new_master_takes_over() {
    let mut sentinels = Sentinels::start();
    let mut config = as_it_is(&sentinels.url());
    config.call_timeout = Duration::from_millis(250);
    let redis = Redis::new(&config).expect("a handle");
    let (limiter, cache) = (RedisRateLimiter::new(redis.clone()), RedisBoardCache::new(redis.clone(), STORE));
    let (here, there) =
        (RedisBroadcaster::new(redis.clone(), STORE), RedisBroadcaster::new(Redis::new(&config).expect("one"), STORE));
    until_it_works(&redis, LIFE).await;
    cache.raise_floor(&BoardId::main(), at("1.7")).await;
    cache.put(key("top"), answer("1.7"), NOW, LIFE).await;
    assert_eq!(cache.get(&key("top"), NOW).await.map(|hit| hit.answer), Some(answer("1.7")));
    let mut watcher = there.subscribe(&BoardId::main()).await.expect("it listens");
    here.publish(&BoardId::main(), at("1.7")).await.expect("it is announced");
    assert_eq!(watcher.next().await, Some(at("1.7")));

    let before = sentinels.master_port();
    let index = sentinels.servers.iter().position(|server| server.port == before).expect("one of them");
    sentinels.servers[index].kill();
    wait_until("the sentinels name another master", || sentinels.master_port() != before);
    until_it_works(&redis, Duration::from_secs(15)).await;
    assert!(take(&limiter, "alice").await.is_ok());
    cache.put(key("top"), answer("1.8"), NOW, LIFE).await;
    let kept =
        cli(sentinels.master_port(), &["exists", &format!("{}:cache:{STORE}:{{main}}:floor", namespace(&redis))]);
    assert_eq!(kept, "1", "it was written on the new master");
    // Whoever listens at the new master by now is told; whoever does not yet reads it when he comes.
    here.publish(&BoardId::main(), at("1.8")).await.expect("it is announced");
    let told = tokio::time::timeout(Duration::from_secs(15), watcher.next()).await;
    assert_eq!(told.expect("watchers are told after the failover"), Some(at("1.8")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_that_is_silent_is_passed_over() {
    let sentinels = Sentinels::start();
    // The first in the URL.
    sentinels.sentinels[0].signal("STOP");
    let redis = Redis::new(&as_it_is(&sentinels.url())).expect("a handle");
    let waited = until_it_works(&redis, Duration::from_secs(10)).await;
    assert!(take(&RedisRateLimiter::new(redis), "alice").await.is_ok(), "after {waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_limit_by_themselves_while_redis_is_gone() {
    let mut server = Process::start(&[]);
    let config = as_it_is(&server.url());
    let three = NonZeroU32::new(3).expect("not zero");
    let node = || {
        let shared = Arc::new(RedisRateLimiter::new(Redis::new(&config).expect("a handle")));
        FallbackLimiter::new(shared, Arc::new(MemoryRateLimiter::default()), three)
    };
    let nodes = [node(), node(), node()];
    let admitted = async |subject: &'static str| {
        let mut admitted = 0;
        for call in 0..60 {
            let cells = [Cell { policy: "p", subject, quota: "10/min".parse().expect("a quota") }];
            let start = Instant::now();
            let decision = nodes[call % 3].take(&cells, NOW).await.expect("it never fails");
            assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
            admitted += u32::from(matches!(decision, Decision::Allowed(_)));
        }
        admitted
    };
    assert_eq!(admitted("before").await, 10);
    server.kill();
    assert_eq!(admitted("during").await, 9, "three on each of three nodes");
    assert_eq!(admitted("before").await, 0, "each node knows what it has admitted in this minute");
    server.restart();
    for node in &nodes {
        let start = Instant::now();
        loop {
            let cells = [Cell { policy: "p", subject: "probe", quota: "1000/s".parse().expect("a quota") }];
            let Decision::Allowed(usage) = node.take(&cells, NOW).await.expect("it never fails") else {
                panic!("a thousand a second")
            };
            // By itself a node counts its third.
            if usage.quota == cells[0].quota {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(3), "Redis is back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(admitted("after").await, 10, "one count again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_became_a_replica_is_left() {
    let (old, new) = (Process::start(&[]), Process::start(&[]));
    let redis = Redis::new(&as_it_is(&old.url())).expect("a handle");
    let limiter = RedisRateLimiter::new(redis.clone());
    until_it_works(&redis, LIFE).await;
    assert!(take(&limiter, "alice").await.is_ok());
    let before = old.cli(&["info", "stats"]);
    old.cli(&["replicaof", "127.0.0.1", &new.port.to_string()]);
    let error = take(&limiter, "alice").await.expect_err("it takes no writes");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", chain(&error));
    old.cli(&["replicaof", "no", "one"]);
    until_it_works(&redis, Duration::from_secs(3)).await;
    let made = |info: &str| -> u32 {
        let line = info.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
        line.expect("it is told").trim().parse().expect("a number")
    };
    // Two by `redis-cli`, and at least one that is new: by the old ones it would not have been seen who is master.
    assert!(made(&old.cli(&["info", "stats"])) >= made(&before) + 4, "the connections from before are not used again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_without_one_of_its_nodes_serves_what_lies_on_the_others() {
    let mut cluster = Cluster::start(&[]);
    let redis = Redis::new(&as_it_is(&cluster.url())).expect("a handle");
    let limiter = RedisRateLimiter::new(redis.clone());
    until_it_works(&redis, LIFE).await;
    let subjects: Vec<String> = (0..30).map(|n| format!("user {n}")).collect();
    for subject in &subjects {
        assert!(take(&limiter, subject).await.is_ok());
    }
    cluster.nodes[0].kill();
    let (mut served, mut failed) = (0, 0);
    for subject in &subjects {
        match take(&limiter, subject).await {
            Ok(_) => served += 1,
            Err(error) => {
                assert!(error.is_retryable(), "{}", chain(&error));
                failed += 1;
            }
        }
    }
    assert!(failed > 0, "a third lies on the node that is gone");
    assert!(served > 5, "{served} of 30 were served, two thirds lie on the others");
    cluster.nodes[0].restart();
    for subject in &subjects {
        let start = Instant::now();
        while let Err(error) = take(&limiter, subject).await {
            assert!(start.elapsed() < Duration::from_secs(10), "{}", chain(&error));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_waits_for_no_longer_than_a_call() {
    // One connection, a server that is slow, and a call each millisecond: the queue is bounded by the time that a call has.
    let server = Process::start(&[]);
    let config = Config { connections: 1, ..as_it_is(&server.url()) };
    let redis = Redis::new(&config).expect("a handle");
    until_it_works(&redis, LIFE).await;
    server.signal("STOP");
    let mut calls = Vec::new();
    for _ in 0..200 {
        let limiter = RedisRateLimiter::new(redis.clone());
        calls.push(tokio::spawn(async move {
            let start = Instant::now();
            let error = take(&limiter, "alice").await.expect_err("nobody answers");
            (error.kind(), start.elapsed())
        }));
    }
    let mut kinds = std::collections::BTreeMap::new();
    for call in calls {
        let (kind, waited) = call.await.expect("it does not panic");
        assert!(waited < Duration::from_millis(500), "{waited:?}");
        *kinds.entry(kind.to_string()).or_insert(0) += 1;
    }
    server.signal("CONT");
    assert!(kinds.contains_key("overloaded"), "those that found no connection say so: {kinds:?}");
    until_it_works(&redis, Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_given_server_is_asked_by_every_adapter() {
    let redis = support::redis(single());
    redis.check().await.expect("it is there");
    assert!(take(&RedisRateLimiter::new(redis.clone()), "alice").await.is_ok());
}
