//! Nodes that say something to each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use parking_lot::Mutex;
use scoreboard_core::{
    ActionId, Answer, Ask, BoardId, Change, Fingerprint, KeyRing, KindId, Origin, Outcome, Peers, Points, Refusal,
    Said, Season, Secret, Timestamp, UserId, Version,
};
use scoreboard_redis::{Config, Redis, RedisPeers};
use tokio::time::{Instant, sleep, timeout};

use super::STORE;

const LONG: Duration = Duration::from_secs(15);

/// The keys that all nodes of a test have.
pub(crate) fn ring() -> KeyRing {
    ring_of(&[("k1", 1)])
}

pub(crate) fn ring_of(ids: &[(&str, u8)]) -> KeyRing {
    KeyRing::new(keys(ids)).expect("keys")
}

pub(crate) fn keys(ids: &[(&str, u8)]) -> Vec<(scoreboard_core::KeyId, Secret)> {
    ids.iter().map(|(id, byte)| (id.parse().expect("a key id"), Secret::from_bytes([*byte; 32]))).collect()
}

/// A node, and what it hears.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) peers: RedisPeers,
    pub(crate) said: Hears,
}

/// A stream that can be shown.
pub(crate) struct Hears(BoxStream<'static, Said>);

impl std::fmt::Debug for Hears {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hears")
    }
}

impl Node {
    /// A node that listens.
    pub(crate) async fn new(config: &Config) -> Self {
        Self::with(config, &ring()).await
    }

    pub(crate) async fn with(config: &Config, ring: &KeyRing) -> Self {
        Self::on(STORE, config, ring).await
    }

    /// The same on another store.
    pub(crate) async fn on(store: &str, config: &Config, ring: &KeyRing) -> Self {
        let peers = RedisPeers::new(Redis::new(config).expect("a handle"), ring, store);
        let said = Hears(peers.listen().await.expect("it listens"));
        until("it listens", || format!("{peers:?}").contains("listening: true")).await;
        Self { peers, said }
    }

    pub(crate) fn shows(&self, text: &str) -> bool {
        format!("{:?}", self.peers).contains(text)
    }
}

impl Hears {
    /// The next word, if there is one.
    pub(crate) async fn next(&mut self) -> Option<Said> {
        timeout(LONG, self.0.next()).await.expect("something is heard, or the stream ends")
    }

    pub(crate) async fn ask(&mut self) -> Ask {
        match self.next().await {
            Some(Said::Ask(ask)) => ask,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn claim(&mut self) -> (String, BoardId) {
        match self.next().await {
            Some(Said::Claim { node, board }) => (node, board),
            other => panic!("{other:?}"),
        }
    }

    /// What was said until now, and not more.
    pub(crate) fn now(&mut self) -> Option<Said> {
        futures_util::FutureExt::now_or_never(self.0.next()).flatten()
    }
}

/// An answer of no more than this.
pub(crate) fn answer_of(outcomes: Vec<Outcome>) -> Answer {
    Answer { outcomes, ..Answer::default() }
}

/// One asks, and is told that all is refused: proof that words go both ways.
pub(crate) async fn they_talk(asker: &Node, answerer: &mut Node) {
    let outcomes = || vec![Outcome::Refused(Refusal::UnknownBoard)];
    let answering = async { answerer.said.ask().await.answer(Ok(answer_of(outcomes()))) };
    let changes = [change(7)];
    let asking = timeout(LONG, asker.peers.ask(answerer.peers.name(), &changes, Version::ZERO));
    let (told, ()) = tokio::join!(asking, answering);
    assert_eq!(told.expect("it is answered").expect("it is well").outcomes, outcomes());
}

/// What was passed over, by why, on this thread.
#[derive(Debug, Default, Clone)]
pub(crate) struct Dropped(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl Dropped {
    pub(crate) fn count(&self, why: &str) -> u64 {
        self.0.lock().get(why).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    pub(crate) fn all(&self) -> u64 {
        self.0.lock().values().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

impl Recorder for Dropped {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        if key.name() != "scoreboard_peer_words_dropped_total" {
            return Counter::noop();
        }
        let why = key.labels().find(|label| label.key() == "why").expect("it says why").value().to_owned();
        Counter::from_arc(self.0.lock().entry(why).or_default().clone())
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// A change that is told by its number.
pub(crate) fn change(n: u128) -> Change {
    Change {
        action_id: ActionId::from_bytes(n.to_be_bytes()),
        fingerprint: Fingerprint::from_bytes((!n).to_be_bytes()),
        board: BoardId::main(),
        season: Season::FIRST,
        user_id: UserId::from_bytes(n.to_le_bytes()),
        kind: KindId::new("win").expect("a slug"),
        points: Points::new(10).expect("in range"),
        origin: Origin::Action,
        at: Timestamp::from_millis(1_700_000_000_000),
        at_most: None,
        admitted: None,
    }
}

/// Looks again and again, for a quarter of a minute.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LONG, "not after 15 s: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
