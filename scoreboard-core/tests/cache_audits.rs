//! Answers out of the cache are compared with the store while they are given out.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without may end it")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use parking_lot::Mutex;
use scoreboard_core::memory::{InProcessBroadcaster, MemoryBoardCache, MemoryScoreStore};
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{
    ActionKind, BoardCache, BoardId, BoardSpec, CacheKey, Cached, Clock, IndexState, Points, PointsRule, Position,
    RankIndexed, RankIndexedConfig, RecordRequest, Scoreboard, TopQuery, UserId,
};

/// What was found, by its name, on this thread.
#[derive(Debug, Default)]
struct Findings(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Findings {
    /// How many were true, behind, ahead, and false.
    fn all(&self) -> [u64; 4] {
        let counts = self.0.lock();
        ["true", "behind", "ahead", "false"]
            .map(|finding| counts.get(finding).map_or(0, |count| count.load(Ordering::Relaxed)))
    }
}

impl Recorder for Findings {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() != "scoreboard_cache_audits_total" {
            return Counter::noop();
        }
        let finding = key.labels().find(|label| label.key() == "finding").unwrap().value().to_owned();
        Counter::from_arc(self.0.lock().entry(finding).or_default().clone())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

async fn play(node: &Scoreboard, name: &str) -> Position {
    let request = RecordRequest {
        board: BoardId::main(),
        user_id: UserId::for_name("audits", name),
        kind: "tap".parse().unwrap(),
        points: None,
    };
    let receipt = node.record(&"game".parse().unwrap(), name, request).await.unwrap();
    Position { epoch: receipt.epoch, version: receipt.version }
}

async fn create_main(node: &Scoreboard) {
    let tap = ActionKind {
        kind: "tap".parse().unwrap(),
        points: PointsRule::Fixed(Points::new(1).unwrap()),
        min_duration_seconds: 0,
        lifetime_seconds: 60,
        per_day: None,
    };
    node.create_board(BoardSpec { kinds: vec![tap], ..BoardSpec::new(BoardId::main()) }).await.unwrap();
}

/// Reads the top so often, and returns what it was the last time.
async fn read(node: &Scoreboard, clock: &ManualClock, times: usize) -> Bytes {
    let mut last = None;
    for _ in 0..times {
        last = Some(node.top_encoded(&TopQuery::new(BoardId::main())).await.unwrap().bytes);
        // A thousand a second, and time for what is done beside them.
        clock.advance(Duration::from_millis(1));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    last.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_false_in_the_shared_cache_is_found_among_the_hits() {
    let findings = Findings::default();
    let _recorder = metrics::set_default_local_recorder(&findings);
    let (clock, shared) = (ManualClock::default(), Arc::new(MemoryBoardCache::new(1 << 20)));
    let node = Scoreboard::builder(Arc::new(MemoryScoreStore::default()))
        .with_clock(Arc::new(clock.clone()))
        .with_shared_cache(shared.clone())
        .build();
    create_main(&node).await;

    play(&node, "ada").await;
    // The first is no hit.
    read(&node, &clock, 1 + 300).await;
    assert_eq!(findings.all(), [3, 0, 0, 0], "one in a hundred, and all is well");

    // The newest answer of somebody who counts as nobody else does.
    let position = play(&node, "bob").await;
    let key = CacheKey { board: BoardId::main(), view: "top/ordinal/10".into() };
    let answer = Cached { position, bytes: r#"{"total":7,"entries":[]}"#.into() };
    shared.put(key, answer.clone(), clock.now(), Duration::from_secs(30)).await;
    assert_eq!(read(&node, &clock, 1 + 200).await, answer.bytes, "it is believed");
    assert_eq!(findings.all(), [3, 0, 0, 2], "and found out");
}

#[tokio::test(start_paused = true)]
async fn what_ranks_in_memory_have_not_heard_of_is_found() {
    let findings = Findings::default();
    let _recorder = metrics::set_default_local_recorder(&findings);
    let (clock, store) = (ManualClock::default(), Arc::new(MemoryScoreStore::default()));
    let elsewhere = Scoreboard::builder(store.clone()).with_clock(Arc::new(clock.clone())).build();
    create_main(&elsewhere).await;
    play(&elsewhere, "ada").await;

    // Nobody tells it anything.
    let ranks = RankIndexed::new(store.clone(), RankIndexedConfig::default());
    let following = tokio::spawn(ranks.clone().follow(Arc::new(InProcessBroadcaster::default())));
    ranks.adopt_all().await.unwrap();
    while ranks.progress().iter().any(|board| board.state != IndexState::Ready) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let node = Scoreboard::builder(Arc::new(ranks)).with_audit_store(store).with_clock(Arc::new(clock.clone())).build();
    let before = read(&node, &clock, 1 + 100).await;
    assert_eq!(findings.all(), [1, 0, 0, 0]);

    play(&elsewhere, "bob").await;
    clock.advance(Duration::from_millis(1));
    assert_eq!(read(&node, &clock, 200).await, before, "nor has it looked for itself");
    assert_eq!(findings.all(), [1, 2, 0, 0]);
    following.abort();
}
