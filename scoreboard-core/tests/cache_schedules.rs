//! Loads, changes and reads of a page by two nodes with a cache each and one that they share, in orders drawn at random: no answer is ever below
//! what its node knew when it asked, and none that is old survives.
//!
//! Each call of a cache takes two steps, on its way there and on its way back, and each actor is a future. One step of one of them is made
//! at a time, and a seed says whose. Nothing else can come in another order: what a cache does within a call it does under its lock, at once.
//! A tool that orders threads (`shuttle`, `loom`) would need caches made of its own locks, and not the real ones.

#[path = "../../tests/support/scale.rs"]
mod scale;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scoreboard_core::memory::MemoryBoardCache;
use scoreboard_core::testing::broken::board_cache::FloorOnlyEvicts;
use scoreboard_core::testing::broken::{Defect, Intact};
use scoreboard_core::{
    BoardCache, BoardId, CacheKey, Cached, Epoch, Hit, Lease, Position, Timestamp, TwoLevelCache, Version,
};

const NOW: Timestamp = Timestamp::from_millis(0);
const LIFE: Duration = Duration::from_secs(30);
const NODES: usize = 2;

/// How often each node changes the board, loads a page without having been asked to, and reads.
const CHANGES: usize = 2;
const LOADS: usize = 2;
const READS: usize = 3;

fn at(version: u64) -> Position {
    Position { epoch: Epoch::new(1), version: Version::new(version) }
}

fn key() -> CacheKey {
    CacheKey { board: BoardId::main(), view: "top".into() }
}

/// Lets the others go on.
async fn step() {
    let mut waited = false;
    std::future::poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// A cache that one has to go to and come back from.
#[derive(Debug)]
struct Away(Arc<dyn BoardCache>);

#[async_trait]
impl BoardCache for Away {
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        step().await;
        let hit = self.0.get(key, now).await;
        step().await;
        hit
    }

    async fn lease(&self, key: &CacheKey, now: Timestamp, patience: Duration) -> Lease {
        step().await;
        self.0.lease(key, now, patience).await
    }

    async fn put(&self, key: CacheKey, answer: Cached, now: Timestamp, lifetime: Duration) {
        step().await;
        self.0.put(key, answer, now, lifetime).await;
        step().await;
    }

    async fn raise_floor(&self, board: &BoardId, floor: Position) {
        step().await;
        self.0.raise_floor(board, floor).await;
        step().await;
    }
}

/// A node: its two levels, and the newest version that it knows of.
struct Node {
    cache: TwoLevelCache,
    known: AtomicU64,
}

/// The board's version in the store, and the nodes over it.
struct World {
    version: AtomicU64,
    nodes: Vec<Node>,
}

impl World {
    fn new<D: Defect>() -> Self {
        let level =
            || -> Arc<dyn BoardCache> { Arc::new(Away(D::board_cache(Arc::new(MemoryBoardCache::new(1 << 20))))) };
        let shared = level();
        let node = |_| Node { cache: TwoLevelCache::new(level(), Some(shared.clone())), known: AtomicU64::new(0) };
        Self { version: AtomicU64::new(0), nodes: (0..NODES).map(node).collect() }
    }

    /// What the store answers now, put into the cache later.
    async fn load(&self, node: &Node) {
        let version = self.version.load(Ordering::SeqCst);
        step().await;
        let answer = Cached { position: at(version), bytes: version.to_string().into() };
        node.cache.put(key(), answer, NOW, LIFE).await;
    }

    /// Commits, raises the floor, and then tells who wrote, and the other node.
    async fn change(&self, node: &Node) {
        let version = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        step().await;
        node.cache.raise_floor(&BoardId::main(), at(version)).await;
        node.known.fetch_max(version, Ordering::SeqCst);
        self.load(node).await;
        for other in self.nodes.iter().filter(|other| !std::ptr::eq(*other, node)) {
            step().await;
            other.cache.raise_near_floor(&BoardId::main(), at(version)).await;
            other.known.fetch_max(version, Ordering::SeqCst);
        }
    }

    /// The error is an answer that is too old.
    async fn read(&self, node: &Node) -> Result<(), String> {
        let known = self.known_to(node);
        match node.cache.get(&key(), NOW).await {
            Some(hit) if hit.answer.position < at(known) => {
                Err(format!("{} was answered where {known} was known", hit.answer.position))
            }
            Some(_) => Ok(()),
            None => {
                self.load(node).await;
                Ok(())
            }
        }
    }

    fn known_to(&self, node: &Node) -> u64 {
        node.known.load(Ordering::SeqCst)
    }
}

type Actor<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>;

/// Makes single steps of the actors, in the order of the seed, until all have ended.
fn play(random: &mut StdRng, mut actors: Vec<Actor<'_>>) -> Result<(), String> {
    let mut context = Context::from_waker(Waker::noop());
    while !actors.is_empty() {
        let next = random.random_range(0..actors.len());
        if let Poll::Ready(ended) = actors[next].as_mut().poll(&mut context) {
            drop(actors.swap_remove(next));
            ended?;
        }
    }
    Ok(())
}

/// One schedule; the error is what was old.
fn run<D: Defect>(seed: u64) -> Result<(), String> {
    let world = World::new::<D>();
    let mut actors: Vec<Actor<'_>> = Vec::new();
    for node in &world.nodes {
        let world = &world;
        actors.push(Box::pin(async move {
            for _ in 0..CHANGES {
                world.change(node).await;
            }
            Ok(())
        }));
        for _ in 0..LOADS {
            actors.push(Box::pin(async move {
                world.load(node).await;
                Ok(())
            }));
        }
        actors.push(Box::pin(async move {
            for _ in 0..READS {
                world.read(node).await?;
            }
            Ok(())
        }));
    }
    let mut random = StdRng::seed_from_u64(seed);
    play(&mut random, actors)?;
    // All has been told to all: who is left must be of now.
    let last_look = world.nodes.iter().map(|node| -> Actor<'_> {
        assert_eq!(world.known_to(node), (CHANGES * NODES) as u64);
        Box::pin(world.read(node))
    });
    play(&mut random, last_look.collect())
}

#[test]
fn in_no_order_of_loads_changes_and_reads_is_anything_old_answered_or_left() {
    for seed in 0..scale::scaled(50_000) as u64 {
        if let Err(why) = run::<Intact>(seed) {
            panic!("schedule {seed}: {why}");
        }
    }
}

#[test]
fn a_cache_that_only_deletes_is_found() {
    let found = (0..10_000).find_map(|seed| run::<FloorOnlyEvicts>(seed).err().map(|why| (seed, why)));
    let (seed, why) = found.expect("some order lets an old answer in");
    println!("schedule {seed}: {why}");
}
