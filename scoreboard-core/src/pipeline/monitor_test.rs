use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::time::sleep;

use super::*;
use crate::board::{ActionKind, BoardSpec, PointsRule};
use crate::cache::{BoardCache, CacheKey, Cached, Hit, Lease};
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::{BoardId, UserId};
use crate::memory::MemoryScoreStore;
use crate::names::DisplayNames;
use crate::pipeline::{Config, RecordRequest, TopQuery};
use crate::score::Points;
use crate::testing::ManualClock;
use crate::version::Position;

/// A shared cache each of whose calls takes its time, and is counted. Floors take none, so that changes do not wait.
#[derive(Debug)]
struct Slow {
    answers: MemoryBoardCache,
    calls: AtomicUsize,
    floors: AtomicUsize,
    takes: Mutex<Duration>,
}

impl Slow {
    fn new(takes: Duration) -> Arc<Self> {
        let answers = MemoryBoardCache::new(1 << 20);
        Arc::new(Self { answers, calls: AtomicUsize::new(0), floors: AtomicUsize::new(0), takes: Mutex::new(takes) })
    }

    async fn call(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let takes = *self.takes.lock();
        sleep(takes).await;
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl BoardCache for Slow {
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        self.call().await;
        self.answers.get(key, now).await
    }

    async fn lease(&self, _key: &CacheKey, _now: Timestamp, _patience: Duration) -> Lease {
        self.call().await;
        Lease::Granted
    }

    async fn put(&self, key: CacheKey, answer: Cached, now: Timestamp, lifetime: Duration) {
        self.call().await;
        self.answers.put(key, answer, now, lifetime).await;
    }

    async fn raise_floor(&self, board: &BoardId, floor: Position) {
        self.floors.fetch_add(1, Ordering::SeqCst);
        self.answers.raise_floor(board, floor).await;
    }
}

/// Names that take their time: what a slow store does to a load.
#[derive(Debug)]
struct SlowNames(Duration);

#[async_trait]
impl DisplayNames for SlowNames {
    async fn display_names(&self, _users: &[UserId]) -> Result<HashMap<UserId, String>, BackendError> {
        sleep(self.0).await;
        Ok(HashMap::new())
    }
}

const SLOW: Duration = Duration::from_millis(150);

struct Watched {
    clock: ManualClock,
    scoreboard: Scoreboard,
    monitor: Monitor,
    events: BoxStream<'static, CacheEvent>,
}

impl Watched {
    async fn new(cache_bytes: usize, names: Duration, shared: Option<Arc<Slow>>) -> Self {
        let clock = ManualClock::default();
        let config = Config { cache_bytes, update_quota: None, ..Config::default() };
        let mut builder = Scoreboard::builder(Arc::new(MemoryScoreStore::default()))
            .with_clock(Arc::new(clock.clone()))
            .with_names(Arc::new(SlowNames(names)))
            .with_config(config);
        if let Some(shared) = shared {
            builder = builder.with_shared_cache(shared);
        }
        let scoreboard = builder.build();
        let tap = ActionKind {
            kind: "tap".parse().unwrap(),
            points: PointsRule::Fixed(Points::new(1).unwrap()),
            min_duration_seconds: 0,
            lifetime_seconds: 60,
            per_day: None,
        };
        scoreboard.create_board(BoardSpec { kinds: vec![tap], ..BoardSpec::new(BoardId::main()) }).await.unwrap();
        let (events, monitor) = (scoreboard.cache_events(), Monitor::new(scoreboard.clone()));
        let watched = Self { clock, scoreboard, monitor, events };
        watched.play("ada").await;
        watched
    }

    async fn play(&self, name: &str) {
        let user_id = UserId::for_name("monitor", name);
        let request = RecordRequest { board: BoardId::main(), user_id, kind: "tap".parse().unwrap(), points: None };
        self.scoreboard.record(&"game".parse().unwrap(), name, request).await.unwrap();
    }

    async fn read(&self, limit: usize) {
        self.scoreboard.top_encoded(&TopQuery { limit, ..TopQuery::new(BoardId::main()) }).await.unwrap();
    }

    /// Asks for so many different pages.
    async fn read_many(&self, pages: usize) {
        for limit in 1..=pages {
            self.read(limit).await;
        }
    }

    /// Everything that is kept is too old.
    fn age(&self) {
        self.clock.advance(Duration::from_secs(60));
    }

    /// A look, and what it told.
    async fn look(&mut self) -> Vec<(CacheTrouble, CacheStep)> {
        self.monitor.look().await;
        let mut seen = Vec::new();
        while let Some(Some(event)) = self.events.next().now_or_never() {
            seen.push((event.trouble, event.step));
        }
        seen
    }
}

use CacheReaction::{Evict, PassOverShared, WarmUp};
use CacheStep::{Ended, Raised, Reacted};
use CacheTrouble::{FewHits, HighMemory, SlowAnswers};

const ROOMY: usize = 64 << 20;

#[tokio::test(start_paused = true)]
async fn boards_that_are_not_there_are_no_misses() {
    let mut watched = Watched::new(ROOMY, Duration::ZERO, None).await;
    for number in 0..300 {
        let made_up = TopQuery::new(format!("no{number}").parse().unwrap());
        assert!(watched.scoreboard.top_encoded(&made_up).await.is_err());
    }
    watched.age();
    assert_eq!(watched.look().await, [], "who makes up boards raises no alarm");
    assert_eq!(watched.scoreboard.parts.loads.measures.counts().misses, 0);
}

#[tokio::test(start_paused = true)]
async fn few_hits_are_told_once_and_warmed_up_and_over_when_there_are_many() {
    let mut watched = Watched::new(ROOMY, Duration::ZERO, None).await;
    watched.read_many(60).await;
    assert_eq!(watched.look().await, [], "too few to tell");
    watched.age();
    watched.read_many(60).await;
    watched.age();
    assert_eq!(watched.look().await, [(FewHits, Raised), (FewHits, Reacted(WarmUp))]);
    assert_eq!(watched.scoreboard.cache_troubles(), [FewHits]);

    let misses = watched.scoreboard.parts.loads.measures.counts().misses;
    for _ in 0..100 {
        watched.read(10).await;
        watched.read(100).await;
    }
    let counts = watched.scoreboard.parts.loads.measures.counts();
    assert_eq!(counts.misses, misses, "the reaction has loaded what most ask for");
    assert_eq!(watched.look().await, [], "one good look may be luck");
    for _ in 0..100 {
        watched.read(10).await;
    }
    assert_eq!(watched.look().await, [(FewHits, Ended)]);
    assert_eq!(watched.scoreboard.cache_troubles(), []);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_help_is_not_done_over_and_over() {
    let mut watched = Watched::new(ROOMY, Duration::ZERO, None).await;
    let mut told = Vec::new();
    for _ in 0..20 {
        watched.age();
        watched.read_many(100).await;
        told.extend(watched.look().await);
    }
    let reactions = told.iter().filter(|(_, step)| *step == Reacted(WarmUp)).count();
    assert_eq!((told.len(), reactions), (6, 5), "raised once; after 1, 2, 4, 8 periods: {told:?}");
}

#[tokio::test(start_paused = true)]
async fn high_memory_is_made_room_in_and_what_was_used_last_stays() {
    let mut watched = Watched::new(30 << 10, Duration::ZERO, None).await;
    let room = watched.scoreboard.parts.troubles.room.clone().unwrap();
    let threshold = room.max_bytes() / 100 * 92;
    let mut limit = 1;
    while room.bytes() <= threshold {
        watched.read(limit).await;
        limit += 1;
    }
    let full = room.bytes();
    assert_eq!(watched.look().await[..], [(HighMemory, Raised), (HighMemory, Reacted(Evict))]);
    assert!(room.bytes() <= room.max_bytes() / 100 * 75, "{} of {}", room.bytes(), room.max_bytes());
    assert!(room.bytes() > full / 2, "no more than needed: {} of {full}", room.bytes());
    let loads = |watched: &Watched| watched.scoreboard.parts.loads.measures.counts().loads;
    let before = loads(&watched);
    watched.read(limit - 1).await;
    assert_eq!(loads(&watched), before, "what was asked for last is there");
    watched.read(1).await;
    assert_eq!(loads(&watched), before + 1, "what was asked for first is not");
    assert_eq!(watched.look().await, []);
    assert_eq!(watched.look().await, [(HighMemory, Ended)]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_shared_cache_is_passed_over_and_tried_again() {
    let shared = Slow::new(SLOW);
    let mut watched = Watched::new(ROOMY, Duration::ZERO, Some(shared.clone())).await;
    watched.read_many(10).await;
    assert_eq!(watched.look().await, [(SlowAnswers, Raised), (SlowAnswers, Reacted(PassOverShared))]);

    let (calls, floors) = (shared.calls(), shared.floors.load(Ordering::SeqCst));
    watched.play("bob").await;
    let began = Instant::now();
    watched.read_many(10).await;
    assert_eq!((shared.calls(), began.elapsed()), (calls, Duration::ZERO), "nobody waits for it");
    assert_eq!(shared.floors.load(Ordering::SeqCst), floors + 1, "others serve from it: it is told what has moved");

    // Still slow when it is tried again: twice as long a pause.
    assert_eq!(watched.look().await, []);
    let (mut periods, mut told) = (0, Vec::new());
    while !told.contains(&(SlowAnswers, Ended)) {
        watched.age();
        watched.read_many(10).await;
        told.extend(watched.look().await);
        periods += 1;
        if periods == 3 {
            *shared.takes.lock() = Duration::ZERO;
        }
        assert!(periods < 20, "{told:?}");
    }
    assert_eq!(told, [(SlowAnswers, Reacted(PassOverShared)), (SlowAnswers, Ended)]);
    let calls = shared.calls();
    watched.age();
    watched.read_many(10).await;
    assert!(shared.calls() > calls, "it is used again");
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_is_told_of_and_asked_no_more_than_before() {
    let shared = Slow::new(Duration::ZERO);
    let mut watched = Watched::new(ROOMY, SLOW, Some(shared.clone())).await;
    for _ in 0..3 {
        watched.read_many(100).await;
        let loads = watched.scoreboard.parts.loads.measures.counts().loads;
        let told = watched.look().await;
        assert!(!told.iter().any(|(_, step)| matches!(step, Reacted(_))), "no reaction would help: {told:?}");
        assert_eq!(watched.scoreboard.parts.loads.measures.counts().loads, loads, "nothing was warmed up");
        // A minute later nothing is left, neither here nor in the shared cache.
        watched.age();
    }
    assert_eq!(watched.scoreboard.cache_troubles(), [FewHits, SlowAnswers]);
}

#[tokio::test(start_paused = true)]
async fn the_task_looks_each_period_and_leaves_nothing_behind() {
    let shared = Slow::new(SLOW);
    let mut watched = Watched::new(ROOMY, Duration::ZERO, Some(shared.clone())).await;
    let task = tokio::spawn(watched.scoreboard.clone().monitor_cache());
    tokio::task::yield_now().await;
    watched.read_many(20).await;
    let event = timeout(Duration::from_secs(31), watched.events.next()).await.expect("within a period").unwrap();
    assert_eq!((event.trouble, event.step, event.percent), (SlowAnswers, Raised, 100));
    task.abort();
    assert!(task.await.is_err());
    let calls = shared.calls();
    watched.age();
    watched.read(1).await;
    assert!(shared.calls() > calls, "with the monitor ends what it has switched off");
}
