//! Scoreboards whose boards are in different stores, on one Redis and in one namespace: what is told of the one's boards is not told of the other's.

mod support;

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use scoreboard_core::{BoardCache, BoardId, Broadcaster, CacheKey, Cached, Lease, Position, Timestamp};
use scoreboard_redis::{Redis, RedisBoardCache, RedisBroadcaster};
use support::{config, shared_cluster, single};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const LIFE: Duration = Duration::from_secs(60);

fn at(position: &str) -> Position {
    position.parse().expect("a position")
}

fn answer(position: &str) -> Cached {
    Cached { position: at(position), bytes: position.to_owned().into() }
}

/// What a watcher is told next.
async fn told(watcher: &mut (impl Stream<Item = Position> + Unpin)) -> Option<Position> {
    tokio::time::timeout(LIFE / 4, watcher.next()).await.expect("it is told")
}

async fn answers_are_of_their_store(url: &str) {
    let config = config(url);
    let cache = |store: &str| RedisBoardCache::new(Redis::new(&config).expect("a handle"), store);
    let (board, key) = (BoardId::main(), CacheKey { board: BoardId::main(), view: "top".into() });
    let found = async |cache: &RedisBoardCache| cache.get(&key, NOW).await.map(|hit| hit.answer);
    let (old, new) = (cache("7.1"), cache("7.2"));
    old.put(key.clone(), answer("1.90"), NOW, LIFE).await;
    assert_eq!(found(&new).await, None, "of a board that is another");

    // Its versions begin again, far below.
    new.put(key.clone(), answer("1.2"), NOW, LIFE).await;
    assert_eq!(found(&new).await, Some(answer("1.2")));
    old.raise_floor(&board, at("2.0")).await;
    assert_eq!(found(&old).await, None);
    assert_eq!(found(&new).await, Some(answer("1.2")));
    assert_eq!(found(&cache("7.2")).await, Some(answer("1.2")), "nodes of one store share it");
    assert_eq!(found(&cache("a store {of} any name")).await, None);

    // Who loads an answer of the one keeps nobody from loading the other's.
    let cold = CacheKey { view: "cold".into(), ..key.clone() };
    let lease = async |cache: &RedisBoardCache| cache.lease(&cold, NOW, LIFE).await;
    assert_eq!(
        [lease(&old).await, lease(&new).await, lease(&old).await],
        [Lease::Granted, Lease::Granted, Lease::Held]
    );
    // What is there need not be loaded: it may have been put since it was looked for.
    assert_eq!(new.lease(&key, NOW, LIFE).await, Lease::Held);
    new.raise_floor(&board, at("1.3")).await;
    assert_eq!(new.lease(&key, NOW, LIFE).await, Lease::Granted, "it is old by now");
}

#[tokio::test]
async fn answers_are_of_their_store_on_one_server() {
    answers_are_of_their_store(single()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_of_their_store_on_a_cluster() {
    answers_are_of_their_store(&shared_cluster().url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announcements_are_of_their_store() {
    let config = config(single());
    let node = |store: &str| RedisBroadcaster::new(Redis::new(&config).expect("a handle"), store);
    let board = BoardId::main();
    let (old, new, beside) = (node("7.1"), node("7.2"), node("7.2"));
    let mut watcher = beside.subscribe(&board).await.expect("it listens");
    old.publish(&board, at("1.90")).await.expect("it is announced");
    new.publish(&board, at("1.2")).await.expect("it is announced");
    assert_eq!(told(&mut watcher).await, Some(at("1.2")), "what is announced first is another's");
    // Nor is it found by who reads what was announced before.
    let mut late = beside.subscribe(&board).await.expect("it listens");
    new.publish(&board, at("1.3")).await.expect("it is announced");
    assert_eq!(told(&mut late).await, Some(at("1.3")));
}
