//! Announcements that do not arrive.

mod support;

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use scoreboard_core::{BoardId, Broadcaster, Position};
use scoreboard_redis::{Config, Redis, RedisBroadcaster};
use support::server::Process;
use support::{STORE, config};
use tokio::time::Instant;

fn at(position: &str) -> Position {
    position.parse().expect("a position")
}

/// The next position, and how long it took.
async fn next(watcher: &mut BoxStream<'static, Position>) -> (Position, Duration) {
    let start = Instant::now();
    let next = tokio::time::timeout(Duration::from_secs(15), watcher.next()).await;
    (next.expect("it is told at last").expect("the stream goes on"), start.elapsed())
}

struct Channel {
    server: Process,
    config: Config,
}

impl Channel {
    fn new() -> Self {
        let server = Process::start(&[]);
        let config = config(&server.url());
        Self { server, config }
    }

    fn node(&self) -> RedisBroadcaster {
        RedisBroadcaster::new(Redis::new(&self.config).expect("a handle"), STORE)
    }

    /// What another node announces, and what of it arrives.
    fn announced(&self, board: &str, position: &str) {
        self.server.cli(&["set", &format!("{}:live:{STORE}:{{{board}}}:last", self.config.namespace), position]);
    }

    fn arrives(&self, message: &str) {
        self.server.cli(&["publish", &format!("{}:live:{STORE}", self.config.namespace), message]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_between_numbers_is_made_good_from_the_keys() {
    let channel = Channel::new();
    let node = channel.node();
    let mut watcher = node.subscribe(&BoardId::main()).await.expect("it listens");
    channel.announced("main", "1.1");
    channel.arrives("other-node 1 1.1 main");
    assert_eq!(next(&mut watcher).await.0, at("1.1"));
    channel.announced("main", "1.5");
    // Number 2 is lost, and it was the last of this board. Number 3 is of another.
    channel.arrives("other-node 3 1.1 other");
    let (told, waited) = next(&mut watcher).await;
    assert_eq!(told, at("1.5"));
    assert!(waited < Duration::from_secs(2), "{waited:?}: by the gap, not by the regular check");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_very_last_that_is_lost_is_found_by_the_regular_check() {
    let channel = Channel::new();
    let node = channel.node();
    let mut watcher = node.subscribe(&BoardId::main()).await.expect("it listens");
    channel.announced("main", "1.5");
    let (told, waited) = next(&mut watcher).await;
    assert_eq!(told, at("1.5"));
    assert!(waited < Duration::from_secs(7), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_announced_while_nobody_listened_is_read_after() {
    let channel = Channel::new();
    let node = channel.node();
    let mut watcher = node.subscribe(&BoardId::main()).await.expect("it listens");
    node.publish(&BoardId::main(), at("1.1")).await.expect("it is announced");
    assert_eq!(next(&mut watcher).await.0, at("1.1"));
    for round in 2..6 {
        channel.announced("main", &format!("1.{round}"));
        assert_eq!(channel.server.cli(&["client", "kill", "type", "pubsub"]), "1");
        let (told, waited) = next(&mut watcher).await;
        assert_eq!(told, at(&format!("1.{round}")));
        assert!(waited < Duration::from_secs(2), "{waited:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_of_a_server_that_is_away_wait_for_it() {
    let mut channel = Channel::new();
    channel.server.kill();
    let node = channel.node();
    let start = Instant::now();
    let mut watcher = node.subscribe(&BoardId::main()).await.expect("it does not fail");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    // Watchers of the same process are told all the same, and whoever announces knows that others were not.
    assert!(node.publish(&BoardId::main(), at("1.1")).await.is_err());
    assert_eq!(next(&mut watcher).await.0, at("1.1"));
    channel.server.restart();
    let other = channel.node();
    let start = Instant::now();
    while other.publish(&BoardId::main(), at("1.2")).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(next(&mut watcher).await.0, at("1.2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_paused_is_left_and_found_again() {
    let channel = Channel::new();
    let (node, other) = (channel.node(), channel.node());
    let mut watcher = node.subscribe(&BoardId::main()).await.expect("it listens");
    channel.server.signal("STOP");
    // By the next check and its sign of life.
    let start = Instant::now();
    while !format!("{node:?}").contains("listening: false") {
        assert!(start.elapsed() < Duration::from_secs(8), "{node:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    channel.server.signal("CONT");
    let start = Instant::now();
    while other.publish(&BoardId::main(), at("1.2")).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(next(&mut watcher).await.0, at("1.2"));
}
