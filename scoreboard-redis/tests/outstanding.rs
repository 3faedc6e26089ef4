//! What users have under way, counted on Redis: on the conformance kit by the server's own clock, on one server and on a cluster; and over
//! several nodes.

mod support;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::memory::MemoryOutstanding;
use scoreboard_core::testing::OutstandingActionsFixture;
use scoreboard_core::{
    ActionId, ErrorKind, FallbackOutstanding, OutstandingAction, OutstandingActions, Started, Timestamp, UserId,
};
use scoreboard_redis::{Config, Redis, RedisOutstanding};
use support::clocks::{Moved, OnMoved};
use support::server::Process;
use support::{chain, config, shared_cluster, single};
use tokio::time::Instant;

const FIVE: NonZeroU32 = NonZeroU32::new(5).expect("five");
const MINUTE: Duration = Duration::from_secs(60);
/// What a node's own clock shows: nothing that counts.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

impl<const IS_CLUSTER: bool> OutstandingActionsFixture for OnMoved<RedisOutstanding, IS_CLUSTER> {
    fn outstanding_actions(&self) -> Arc<dyn OutstandingActions> {
        self.adapter.clone()
    }

    fn now(&self) -> Timestamp {
        self.now()
    }

    async fn advance(&self, duration: Duration) {
        self.advance(duration);
    }
}

mod on_one_server {
    use super::*;
    scoreboard_core::outstanding_actions_conformance!(OnMoved<RedisOutstanding, false>);
}

mod on_a_cluster {
    use super::*;
    scoreboard_core::outstanding_actions_conformance!(OnMoved<RedisOutstanding, true>);
}

fn user(name: &str) -> UserId {
    UserId::for_name("test", name)
}

fn action(n: u32) -> OutstandingAction {
    OutstandingAction { id: ActionId::from_bytes(u128::from(n).to_be_bytes()), expires_in: MINUTE }
}

fn node(config: &Config) -> RedisOutstanding {
    RedisOutstanding::new(Redis::new(config).expect("a handle"))
}

async fn is_counted(node: &dyn OutstandingActions, user: UserId, n: u32) -> bool {
    node.start(user, action(n), FIVE, NOW).await.unwrap_or_else(|error| panic!("{}", chain(&error))) == Started::Counted
}

/// Tries until it is counted.
async fn until_counted(node: &dyn OutstandingActions, user: UserId, n: u32) {
    let limit = Instant::now() + Duration::from_secs(10);
    while !is_counted(node, user, n).await {
        assert!(Instant::now() < limit, "what was finished elsewhere is told within milliseconds");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// As it is configured for use: 50 milliseconds a call.
fn as_it_is(url: &str) -> Config {
    let patient = config(url);
    Config { namespace: patient.namespace, ..Config::from_url(url).expect("a URL") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_what_three_nodes_start_at_once_five_are_under_way() {
    for url in [single().to_owned(), shared_cluster().url()] {
        let config = config(&url);
        let nodes = [node(&config), node(&config), node(&config)];
        let starts: Vec<_> = (0..300)
            .map(|n| {
                let node = nodes[n as usize % 3].clone();
                tokio::spawn(async move { is_counted(&node, user("alice"), n).await })
            })
            .collect();
        let mut counted = 0;
        for start in starts {
            counted += u32::from(start.await.expect("no panic"));
        }
        assert_eq!(counted, 5, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_handed_in_at_one_node_leaves_its_place_at_all() {
    for url in [single().to_owned(), shared_cluster().url()] {
        let config = config(&url);
        let (one, other) = (node(&config), node(&config));
        for n in 0..5 {
            assert!(is_counted(&one, user("alice"), n).await);
        }
        assert!(!is_counted(&other, user("alice"), 5).await, "{url}: the five of the other node");
        for n in 0..20 {
            other.finish(user("alice"), action(n).id);
            until_counted(&one, user("alice"), n + 5).await;
            assert!(!is_counted(&other, user("alice"), n + 6).await, "{url}: one place, and not two");
        }
        // Who goes on at the same node does not wait for anything to be told.
        for n in 20..25 {
            other.finish(user("alice"), action(n).id);
            assert!(is_counted(&other, user("alice"), n + 5).await, "{url}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_hands_in_at_once_is_told_of() {
    for url in [single().to_owned(), shared_cluster().url()] {
        let config = config(&url);
        let (one, other) = (node(&config), node(&config));
        let name = |n: u32| user(&format!("user {n}"));
        for n in 0..1000 {
            assert!(is_counted(&one, name(n), 1).await);
        }
        for n in 0..1000 {
            other.finish(name(n), action(1).id);
        }
        let one_alone = NonZeroU32::MIN;
        let limit = Instant::now() + Duration::from_secs(20);
        for n in 0..1000 {
            while one.start(name(n), action(2), one_alone, NOW).await.expect("it answers") != Started::Counted {
                assert!(Instant::now() < limit, "{url}: of {n} it is told");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_longer_than_it_counts() {
    let server = Process::start(&[]);
    let config = config(&server.url());
    let node = node(&config);
    let key = format!("{}:outstanding:{{{}}}", config.namespace, user("alice"));
    assert!(is_counted(&node, user("alice"), 1).await);
    let left: u64 = server.cli(&["pttl", &key]).parse().expect("a time");
    assert!((50_000..=60_000).contains(&left), "{left}");
    let long = OutstandingAction { expires_in: 30 * 24 * 60 * MINUTE, ..action(2) };
    assert_eq!(node.start(user("alice"), long, FIVE, NOW).await.expect("it answers"), Started::Counted);
    let left: u64 = server.cli(&["pttl", &key]).parse().expect("a time");
    assert!((86_000_000..=86_400_000).contains(&left), "a day at most: {left}");
    for n in [1, 2] {
        node.finish(user("alice"), action(n).id);
    }
    let limit = Instant::now() + Duration::from_secs(10);
    while server.cli(&["exists", &key]) != "0" {
        assert!(Instant::now() < limit, "what is finished is gone");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_keeps_nobody_out_for_more_than_a_day() {
    let mut server = Moved::single().await;
    let node = node(&config(&server.url));
    let now = server.now();
    for n in 0..5 {
        assert!(is_counted(&node, user("alice"), n).await);
    }
    server.set(now.minus(365 * 24 * 60 * MINUTE));
    let Started::Full(under_way) = node.start(user("alice"), action(9), FIVE, NOW).await.expect("it answers") else {
        panic!("they are under way");
    };
    assert!(under_way.iter().all(|action| action.expires_in == 24 * 60 * MINUTE), "{under_way:?}");
    server.advance(24 * 60 * MINUTE);
    assert!(is_counted(&node, user("alice"), 9).await);
    server.set(now);
}

#[tokio::test]
async fn what_is_none_of_ours_does_not_count_and_is_in_nobodys_way() {
    let server = Process::start(&[]);
    let config = config(&server.url());
    let node = node(&config);
    let others: [&[&str]; 6] = [
        &["set", "KEY", "garbage"],
        &["set", "KEY", "1"],
        &["rpush", "KEY", "a", "b", "c", "d", "e", "f"],
        &["hset", "KEY", "a", "b"],
        &["sadd", "KEY", "a", "b", "c", "d", "e", "f"],
        &["zadd", "KEY", "7", "a", "8", "b", "9", "c", "-inf", "d", "10", "e"],
    ];
    for (round, other) in others.iter().enumerate() {
        let alice = user(&format!("alice {round}"));
        let key = format!("{}:outstanding:{{{alice}}}", config.namespace);
        let command: Vec<&str> = other.iter().map(|part| if *part == "KEY" { &key[..] } else { part }).collect();
        let answered = server.cli(&command);
        assert!(!answered.contains("ERR"), "{answered}");
        // Telling of what is finished does no harm either, and opens no breaker.
        node.finish(alice, action(77).id);
        for n in 0..5 {
            assert!(is_counted(&node, alice, n).await, "{other:?}");
        }
        assert!(!is_counted(&node, alice, 5).await, "{other:?}");
    }
    // What counts, and has an id that is none, is no answer: who asks falls back.
    let key = format!("{}:outstanding:{{{}}}", config.namespace, user("bob"));
    let far = "99999999999999";
    server.cli(&["zadd", &key, far, "a", far, "b", far, "c", far, "d", far, "e"]);
    let error = node.start(user("bob"), action(1), FIVE, NOW).await.expect_err("no ids");
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_node_counts_what_it_started_and_makes_nobody_wait() {
    let mut server = Process::start(&[]);
    let config = as_it_is(&server.url());
    let handle = Redis::new(&config).expect("a handle");
    let shared = RedisOutstanding::new(handle.clone());
    let here = FallbackOutstanding::new(Arc::new(shared), Arc::new(MemoryOutstanding::default()));
    let limit = Instant::now() + Duration::from_secs(10);
    while handle.check().await.is_err() {
        assert!(Instant::now() < limit, "Redis is there");
    }
    for n in 0..3 {
        assert!(is_counted(&here, user("alice"), n).await);
    }
    server.kill();
    let began = Instant::now();
    for n in 3..5 {
        assert!(is_counted(&here, user("alice"), n).await, "two more are under way");
    }
    assert!(!is_counted(&here, user("alice"), 5).await, "it knows the three of before");
    here.finish(user("alice"), action(0).id);
    assert!(is_counted(&here, user("alice"), 5).await);
    for n in 0..1000 {
        here.finish(user("alice"), action(n).id);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "nobody waits: {:?}", began.elapsed());

    server.restart();
    let limit = Instant::now() + Duration::from_secs(5);
    while handle.check().await.is_err() {
        assert!(Instant::now() < limit, "it is found again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Others than were finished: that may be told only now.
    for n in 1010..1015 {
        assert!(is_counted(&here, user("alice"), n).await, "it came back empty");
    }
    assert!(!is_counted(&here, user("alice"), 1015).await);
    let other = node(&config);
    assert!(!is_counted(&other, user("alice"), 1015).await, "and all count together again");
}
