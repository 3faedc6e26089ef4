//! What the pipeline makes of its caches: nodes that share one, answers before their time, and a store that goes away.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without may end it")]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use parking_lot::Mutex;
use scoreboard_core::memory::{InProcessBroadcaster, MemoryBoardCache, MemoryScoreStore};
use scoreboard_core::testing::{FaultRates, FaultyScoreStore, ManualClock};
use scoreboard_core::{
    ActionKind, BackendError, BoardCache, BoardId, BoardSpec, CacheKey, Cached, Config, DisplayNames, Error, ErrorKind,
    Hit, IssueRequest, KeyRing, Lease, NAMES_BACKEND, Points, PointsRule, Position, RandomIds, RecordRequest,
    Rejection, Scoreboard, Stale, StaleCause, Timestamp, TopQuery, UserId,
};

/// A far cache with true leases, as a server that all nodes ask has them.
#[derive(Debug)]
struct Shared {
    answers: MemoryBoardCache,
    leases: Mutex<HashMap<CacheKey, Timestamp>>,
}

#[async_trait]
impl BoardCache for Shared {
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        self.answers.get(key, now).await
    }

    async fn lease(&self, key: &CacheKey, now: Timestamp, patience: Duration) -> Lease {
        let mut leases = self.leases.lock();
        if leases.get(key).is_some_and(|ends_at| now < *ends_at) {
            return Lease::Held;
        }
        leases.insert(key.clone(), now.plus(patience));
        Lease::Granted
    }

    async fn put(&self, key: CacheKey, answer: Cached, now: Timestamp, lifetime: Duration) {
        self.leases.lock().remove(&key);
        self.answers.put(key, answer, now, lifetime).await;
    }

    async fn raise_floor(&self, board: &BoardId, floor: Position) {
        self.answers.raise_floor(board, floor).await;
    }
}

/// Names that take their time, and count how often they were asked for: once a load.
#[derive(Debug, Default)]
struct SlowNames {
    loads: AtomicUsize,
    takes: Duration,
    are_gone: AtomicBool,
}

#[async_trait]
impl DisplayNames for SlowNames {
    async fn display_names(&self, users: &[UserId]) -> Result<HashMap<UserId, String>, BackendError> {
        if self.are_gone.load(Ordering::SeqCst) {
            return Err(BackendError::new(ErrorKind::Unavailable, "accounts", "display_names"));
        }
        self.loads.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.takes).await;
        Ok(users.iter().map(|user| (*user, "somebody".to_owned())).collect())
    }
}

/// Nodes on one store and one far cache.
struct Nodes {
    clock: ManualClock,
    store: Arc<FaultyScoreStore>,
    shared: Arc<Shared>,
    names: Arc<SlowNames>,
    ring: KeyRing,
}

impl Nodes {
    fn new(takes: Duration) -> Self {
        let store = FaultyScoreStore::new(Arc::new(MemoryScoreStore::default()), 1, FaultRates::default());
        Self {
            clock: ManualClock::default(),
            store: Arc::new(store),
            shared: Arc::new(Shared { answers: MemoryBoardCache::new(1 << 20), leases: Mutex::default() }),
            names: Arc::new(SlowNames { takes, ..SlowNames::default() }),
            ring: KeyRing::random(&RandomIds),
        }
    }

    /// A node, announcing to others by `broadcaster`.
    fn node(&self, broadcaster: &InProcessBroadcaster) -> Scoreboard {
        let mut config = Config::default();
        config.update_quota = None;
        config.poll_interval = Duration::from_millis(200);
        Scoreboard::builder(self.store.clone())
            .with_keys(self.ring.clone())
            .with_clock(Arc::new(self.clock.clone()))
            .with_names(self.names.clone())
            .with_shared_cache(self.shared.clone())
            .with_broadcaster(Arc::new(broadcaster.clone()))
            .with_config(config)
            .build()
    }

    fn loads(&self) -> usize {
        self.names.loads.load(Ordering::SeqCst)
    }

    /// The store cannot be reached, or again.
    fn cut(&self, is_cut: bool) {
        self.store.set_rates(FaultRates { before: f64::from(u8::from(is_cut)), ..FaultRates::default() });
    }
}

async fn board(node: &Scoreboard) {
    let tap = ActionKind {
        kind: "tap".parse().unwrap(),
        points: PointsRule::Fixed(Points::new(1).unwrap()),
        min_duration_seconds: 0,
        lifetime_seconds: 60,
        per_day: None,
    };
    node.create_board(BoardSpec { kinds: vec![tap], ..BoardSpec::new(BoardId::main()) }).await.unwrap();
}

async fn play(node: &Scoreboard, n: usize) -> Position {
    let user = UserId::for_name("cache", &n.to_string());
    let request = RecordRequest { board: BoardId::main(), user_id: user, kind: "tap".parse().unwrap(), points: None };
    let receipt = node.record(&"game".parse().unwrap(), &n.to_string(), request).await.unwrap();
    Position { epoch: receipt.epoch, version: receipt.version }
}

fn top() -> TopQuery {
    TopQuery::new(BoardId::main())
}

#[tokio::test]
async fn of_several_nodes_one_loads() {
    let nodes = Nodes::new(Duration::from_millis(200));
    let broadcaster = InProcessBroadcaster::new();
    let three = [(); 3].map(|()| nodes.node(&broadcaster));
    board(&three[0]).await;
    let position = play(&three[0], 1).await;
    let query = top();
    let asked = (0..1_000).map(|n| three[n % 3].top_encoded(&query));
    for answer in join_all(asked).await {
        let answer = answer.unwrap();
        assert_eq!((answer.position, answer.stale), (position, None));
    }
    assert_eq!(nodes.loads(), 1, "of a thousand who ask three nodes, one loads");
}

#[tokio::test]
async fn a_node_learns_what_another_has_changed() {
    let nodes = Nodes::new(Duration::ZERO);
    let broadcaster = InProcessBroadcaster::new();
    // The third hears nothing, and has to ask.
    let [here, there, deaf] = [&broadcaster, &broadcaster, &InProcessBroadcaster::new()].map(|heard| nodes.node(heard));
    board(&here).await;
    for node in [&there, &deaf] {
        tokio::spawn(node.clone().follow());
    }
    let query = top();
    for n in 1..=5 {
        let position = play(&here, n).await;
        assert_eq!(here.top_encoded(&query).await.unwrap().position, position, "one's own change is seen at once");
        for (node, within) in [(&there, Duration::from_millis(150)), (&deaf, Duration::from_millis(600))] {
            let newest = async {
                while node.top_encoded(&query).await.unwrap().position < position {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(within, newest).await.expect("another's change is seen soon");
        }
    }
}

/// Who starts at one node and hands in at another has nothing under way.
#[tokio::test]
async fn what_was_handed_in_elsewhere_is_under_way_no_more() {
    let nodes = Nodes::new(Duration::ZERO);
    let [here, there] = [(); 2].map(|()| nodes.node(&InProcessBroadcaster::new()));
    board(&here).await;
    let user = UserId::for_name("cache", "ada");
    let issue = async || here.issue(user, IssueRequest::new(BoardId::main(), "tap".parse().unwrap())).await;
    for _ in 0..20 {
        let action = issue().await.unwrap();
        there.submit(user, action).await.unwrap();
    }
    for _ in 0..5 {
        issue().await.unwrap();
    }
    assert!(matches!(issue().await, Err(Error::RateLimited(_))), "five that nobody handed in are under way");
}

#[tokio::test]
async fn who_is_told_of_a_change_reads_nothing_older() {
    let nodes = Nodes::new(Duration::ZERO);
    let broadcaster = InProcessBroadcaster::new();
    let [here, there] = [(); 2].map(|()| nodes.node(&broadcaster));
    board(&here).await;
    let query = top();
    let mut told = there.subscribe(&BoardId::main(), 10, None).await.unwrap();
    told.next().await.unwrap();
    for n in 1..=20 {
        // So that there is something old to read.
        there.top_encoded(&query).await.unwrap();
        let position = play(&here, n).await;
        while told.next().await.unwrap().position() < position {}
        assert!(there.top_encoded(&query).await.unwrap().position >= position);
    }
}

/// Whose action counted at one node, and is handed in again at another when it can count no more.
#[tokio::test]
async fn who_is_told_of_it_again_reads_nothing_older() {
    let nodes = Nodes::new(Duration::ZERO);
    let [here, there] = [(); 2].map(|()| nodes.node(&InProcessBroadcaster::new()));
    board(&here).await;
    let user = UserId::for_name("cache", "ada");
    let request = IssueRequest::new(BoardId::main(), "tap".parse().unwrap());
    let action = here.issue(user, request).await.unwrap();
    nodes.clock.advance(Duration::from_secs(50));
    let old = there.top_encoded(&top()).await.unwrap().position;
    let first = here.submit(user, action.clone()).await.unwrap();
    nodes.clock.advance(Duration::from_secs(20));
    assert_eq!(there.top_encoded(&top()).await.unwrap().position, old, "it has heard of nothing yet");
    let again = there.submit(user, action).await.unwrap();
    assert!(again.replayed && again.version == first.version);
    assert_eq!(there.top_encoded(&top()).await.unwrap().position.version, first.version);
}

#[tokio::test]
async fn what_the_shared_cache_has_lost_is_not_believed() {
    let nodes = Nodes::new(Duration::ZERO);
    let node = nodes.node(&InProcessBroadcaster::new());
    board(&node).await;
    let (query, old) = (top(), play(&node, 1).await);
    let before = node.top_encoded(&query).await.unwrap();
    let new = play(&node, 2).await;
    // A shared cache that comes back without its floors, and with an answer from before.
    let restored = Arc::new(Shared { answers: MemoryBoardCache::new(1 << 20), leases: Mutex::default() });
    let key = CacheKey { board: BoardId::main(), view: "top/ordinal/10".into() };
    let answer = Cached { position: old, bytes: before.bytes };
    let nodes = Nodes { shared: restored, ..nodes };
    let (now, lifetime) = (ManualClock::START, Duration::from_secs(30));
    nodes.shared.put(key, answer, now, lifetime).await;
    let other = nodes.node(&InProcessBroadcaster::new());
    assert_eq!(other.warm_up(|_, _| {}).await.unwrap(), 1);
    assert_eq!(other.top_encoded(&query).await.unwrap().position, new, "a node that starts asks the store first");
}

#[tokio::test]
async fn a_store_that_is_gone_leaves_answers_that_say_so() {
    let nodes = Nodes::new(Duration::ZERO);
    let node = nodes.node(&InProcessBroadcaster::new());
    board(&node).await;
    let (query, position) = (top(), play(&node, 1).await);
    let fresh = node.top_encoded(&query).await.unwrap();
    // This one has never asked the store for it.
    let other = nodes.node(&InProcessBroadcaster::new());
    assert_eq!(other.top_encoded(&query).await.unwrap(), fresh);
    nodes.cut(true);
    assert_eq!(node.top_encoded(&query).await.unwrap(), fresh, "what is in the cache is true as long as nothing moved");
    nodes.clock.advance(Duration::from_secs(40));
    assert_eq!(other.top_encoded(&query).await.unwrap().stale, by_store(40));
    let stale = node.top_encoded(&query).await.unwrap();
    assert_eq!((stale.position, &stale.bytes), (position, &fresh.bytes));
    assert_eq!(stale.stale, by_store(40), "its lifetime is over, and it says so");
    let ahead = TopQuery { min_version: scoreboard_core::Version::new(2), ..top() };
    assert!(matches!(node.top_encoded(&ahead).await, Err(Error::Backend(_))), "nothing older than what is asked for");
    nodes.clock.advance(Duration::from_secs(300));
    assert!(matches!(node.top_encoded(&query).await, Err(Error::Backend(_))), "too old to be of use");
    nodes.cut(false);
    assert_eq!(node.top_encoded(&query).await.unwrap().stale, None);
}

/// Whose store has fallen silent, and who follows others: they may have gone on. What it has it gives out, and says so.
#[tokio::test(start_paused = true)]
async fn a_node_that_has_lost_touch_with_the_store_says_that_its_pages_may_be_old() {
    let nodes = Nodes::new(Duration::ZERO);
    let [alone, following] = [(); 2].map(|()| nodes.node(&InProcessBroadcaster::new()));
    board(&alone).await;
    tokio::spawn(following.clone().follow());
    let stale = async |node: &Scoreboard| node.top_encoded(&top()).await.unwrap().stale;
    for _ in 0..50 {
        assert_eq!((stale(&alone).await, stale(&following).await), (None, None), "nothing is lost");
        tokio::time::sleep(Duration::from_millis(90)).await;
    }
    nodes.cut(true);
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(stale(&following).await, None, "some polls may fail");
    tokio::time::sleep(Duration::from_millis(600)).await;
    let lost = stale(&following).await.expect("nobody knows what others did");
    assert!(lost.cause == StaleCause::Store && (1_300..1_900).contains(&lost.age.as_millis()), "{lost:?}");
    assert_eq!(stale(&alone).await, None, "nobody else moves its boards");
    nodes.cut(false);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(stale(&following).await, None);
}

const fn by_store(seconds: u64) -> Option<Stale> {
    Some(Stale { age: Duration::from_secs(seconds), cause: StaleCause::Store })
}

#[tokio::test]
async fn names_that_are_gone_leave_answers_that_say_so() {
    let nodes = Nodes::new(Duration::ZERO);
    let node = nodes.node(&InProcessBroadcaster::new());
    board(&node).await;
    play(&node, 1).await;
    let fresh = node.top_encoded(&top()).await.unwrap();
    nodes.names.are_gone.store(true, Ordering::SeqCst);
    // The board moves: what is in the cache is below its floor.
    let position = play(&node, 2).await;
    let stale = node.top_encoded(&top()).await.unwrap();
    assert!(stale.bytes == fresh.bytes && stale.position < position);
    assert_eq!(stale.stale.map(|stale| stale.cause), Some(StaleCause::Names), "the store is well");
    let Err(Error::Backend(error)) = node.top_encoded(&TopQuery { limit: 7, ..top() }).await else {
        panic!("a page that nobody had")
    };
    assert_eq!((error.backend(), error.is_retryable()), (NAMES_BACKEND, true));
    nodes.names.are_gone.store(false, Ordering::SeqCst);
    let again = node.top_encoded(&top()).await.unwrap();
    assert_eq!((again.position, again.stale), (position, None));
}

#[tokio::test]
async fn an_answer_is_loaded_again_before_its_end() {
    let nodes = Nodes::new(Duration::from_millis(50));
    let node = nodes.node(&InProcessBroadcaster::new());
    board(&node).await;
    let query = top();
    play(&node, 1).await;
    node.top_encoded(&query).await.unwrap();
    assert_eq!(nodes.loads(), 1);
    for life in 2..=4 {
        // A lifetime is 27 to 33 s. Asked every other millisecond, its end is never reached.
        nodes.clock.advance(Duration::from_millis(26_500));
        while nodes.loads() < life {
            nodes.clock.advance(Duration::from_millis(2));
            let asked = tokio::time::Instant::now();
            assert_eq!(node.top_encoded(&query).await.unwrap().stale, None);
            assert!(asked.elapsed() < Duration::from_millis(50), "nobody waits for a load");
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(nodes.loads(), 4, "each life was begun once");
}

#[tokio::test]
async fn a_warm_node_answers_without_the_store() {
    let nodes = Nodes::new(Duration::ZERO);
    let node = nodes.node(&InProcessBroadcaster::new());
    board(&node).await;
    play(&node, 1).await;
    let mut told = Vec::new();
    assert_eq!(node.warm_up(|done, of| told.push((done, of))).await.unwrap(), 1);
    assert_eq!(told, [(0, 1), (1, 1)]);
    nodes.cut(true);
    for limit in [10, 100] {
        assert_eq!(node.top_encoded(&TopQuery { limit, ..top() }).await.unwrap().stale, None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_asks_for_is_loaded_again_every_five_minutes() {
    let nodes = Nodes::new(Duration::ZERO);
    let node = nodes.node(&InProcessBroadcaster::new());
    board(&node).await;
    play(&node, 1).await;
    tokio::spawn(node.clone().keep_warm());
    let (began, a_second) = (tokio::time::Instant::now(), Duration::from_secs(1));
    // A store that is away at one time is asked again the next.
    for (round, is_cut) in (1..).zip([false, true, false]) {
        nodes.clock.advance(Duration::from_secs(300));
        let (due, loads) = (began + Duration::from_secs(300) * round, nodes.loads());
        tokio::time::sleep_until(due - a_second).await;
        assert_eq!(nodes.loads(), loads, "not before its time");
        nodes.cut(is_cut);
        tokio::time::sleep_until(due + a_second).await;
        assert_eq!(nodes.loads(), loads + if is_cut { 0 } else { 2 }, "both first pages, in round {round}");
    }
    nodes.cut(true);
    for limit in [10, 100] {
        assert_eq!(node.top_encoded(&TopQuery { limit, ..top() }).await.unwrap().stale, None);
    }
}

#[tokio::test]
async fn a_board_that_is_not_there_is_not_looked_for_again_at_once() {
    let nodes = Nodes::new(Duration::ZERO);
    let node = nodes.node(&InProcessBroadcaster::new());
    let unknown = |answer: Result<_, Error>| matches!(answer, Err(Error::Rejected(Rejection::UnknownBoard(_))));
    let query = top();
    assert!(unknown(node.top_encoded(&query).await));
    nodes.cut(true);
    assert!(unknown(node.top_encoded(&query).await), "the store was not asked again");
    nodes.clock.advance(Duration::from_secs(2));
    assert!(!unknown(node.top_encoded(&query).await), "it was asked again");
    nodes.cut(false);
    assert!(unknown(node.top_encoded(&query).await));
    board(&node).await;
    assert!(node.top_encoded(&query).await.is_ok(), "a new board is there at once");
}

/// A node whose first page is loaded again after each change; what a load takes is given by the names on it.
async fn writes_through(nodes: &Nodes, broadcaster: &InProcessBroadcaster) -> Scoreboard {
    let node = nodes.node(broadcaster);
    tokio::spawn(node.clone().write_through());
    node
}

/// Longer than a load ahead waits and takes.
const A_WHILE: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn after_a_change_the_next_read_is_a_hit() {
    let nodes = Nodes::new(Duration::from_millis(20));
    let broadcaster = InProcessBroadcaster::new();
    let here = writes_through(&nodes, &broadcaster).await;
    let there = writes_through(&nodes, &broadcaster).await;
    board(&here).await;
    let query = top();
    for n in 1..=10 {
        // At first the other hears of nothing, and does nothing.
        let nodes_that_hear = if n <= 5 { vec![&here] } else { vec![&here, &there] };
        if n == 6 {
            tokio::spawn(there.clone().follow());
            there.top_encoded(&query).await.unwrap();
        }
        let position = play(&here, n).await;
        tokio::time::sleep(A_WHILE).await;
        // The first time nobody has ever read it.
        nodes.cut(n > 1);
        let loads = nodes.loads();
        for node in nodes_that_hear {
            let asked = tokio::time::Instant::now();
            let answer = node.top_encoded(&query).await.unwrap();
            assert_eq!((answer.position, answer.stale), (position, None));
            assert!(n == 1 || asked.elapsed().is_zero(), "it was there: {:?}", asked.elapsed());
        }
        assert!(n == 1 || nodes.loads() == loads);
        nodes.cut(false);
    }
    assert!(nodes.loads() <= 11, "one load a change for both nodes: {}", nodes.loads());
}

#[tokio::test(start_paused = true)]
async fn a_board_that_nobody_reads_costs_no_loads() {
    let nodes = Nodes::new(Duration::ZERO);
    let node = writes_through(&nodes, &InProcessBroadcaster::new()).await;
    board(&node).await;
    node.warm_up(|_, _| {}).await.unwrap();
    let warm = nodes.loads();
    for n in 1..=50 {
        play(&node, n).await;
        tokio::time::sleep(A_WHILE).await;
    }
    assert_eq!(nodes.loads(), warm, "a warm-up is no reader");
    for _ in 0..3 {
        node.top_encoded(&top()).await.unwrap();
    }
    let read = nodes.loads();
    for n in 51..=150 {
        play(&node, n).await;
        tokio::time::sleep(A_WHILE).await;
    }
    assert!(nodes.loads() <= read + 20, "readers that have gone are not loaded for: {}", nodes.loads() - read);
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_updates_waits_for_no_load_and_shares_them() {
    let nodes = Nodes::new(Duration::from_millis(5));
    let node = writes_through(&nodes, &InProcessBroadcaster::new()).await;
    board(&node).await;
    play(&node, 0).await;
    for _ in 0..100 {
        node.top_encoded(&top()).await.unwrap();
    }
    let (loads, began) = (nodes.loads(), tokio::time::Instant::now());
    for n in 1..=1_000 {
        let asked = tokio::time::Instant::now();
        play(&node, n).await;
        assert!(asked.elapsed().is_zero(), "an update waits for nothing of it: {:?}", asked.elapsed());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let stormy = nodes.loads() - loads;
    assert!((1..=12).contains(&stormy), "{stormy} loads in {:?} of 1,000 updates", began.elapsed());
    // And what came last is there in the end.
    tokio::time::sleep(2 * A_WHILE).await;
    let loads = nodes.loads();
    assert_eq!(node.top_encoded(&top()).await.unwrap().position.version.get(), 1_001);
    assert_eq!(nodes.loads(), loads, "it was there");
}

#[tokio::test(start_paused = true)]
async fn readers_and_loads_behind_changes_do_not_wait_for_each_other() {
    let nodes = Nodes::new(Duration::from_millis(20));
    let broadcaster = InProcessBroadcaster::new();
    let both = [writes_through(&nodes, &broadcaster).await, writes_through(&nodes, &broadcaster).await];
    board(&both[0]).await;
    for node in &both {
        tokio::spawn(node.clone().follow());
    }
    let writes = async {
        for n in 0..200 {
            play(&both[n % 2], n).await;
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
    };
    let readers = (0..10).map(|reader| {
        let node = &both[reader % 2];
        async move {
            let mut longest = Duration::ZERO;
            for n in 0..200 {
                tokio::time::sleep(Duration::from_millis(1 + (n * reader as u64) % 11)).await;
                let asked = tokio::time::Instant::now();
                node.top_encoded(&top()).await.unwrap();
                longest = longest.max(asked.elapsed());
            }
            longest
        }
    });
    let ((), longest) = tokio::join!(writes, join_all(readers));
    let longest = longest.into_iter().max().unwrap();
    assert!(longest < Duration::from_millis(300), "a reader waited {longest:?} for a load of 20 ms");
}
