//! A thousand who want one page at the same moment, at three nodes with one PostgreSQL and one Redis: the store is asked once for all of
//! them, and once a node where there is no Redis.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use scoreboard::testing::ManualClock;
use scoreboard::{
    ActionId, ActionKind, BackendError, Board, BoardId, BoardSpec, Change, ChangeBoard, Config, CreateBoard, Encoded,
    Epoch, KeyRing, LogRow, Outcome, PageQuery, Points, PointsRule, Position, RandomIds, RankStyle, RankedPage,
    RankedUsers, RecordRequest, Scan, Score, ScoreRank, ScoreStore, Scoreboard, Season, TopQuery, UserId, Version,
};
use scoreboard_postgres::PostgresStore;
use scoreboard_redis::{Redis, RedisBoardCache};
use support::fault_proxy::{Fault, FaultProxy, Upstream};
use support::postgres::Schema;
use support::redis::Process;
use support::wait::until;
use tokio::time::sleep;

const NODES: usize = 3;
const READERS: usize = 1_000;
/// So often all come at once: first for a page that nobody has read, then for one whose life is over.
const ROUNDS: usize = 5;
/// So long a page takes, that all come while it is read.
const LOAD: Duration = Duration::from_millis(200);
/// A Redis that is there has so long to answer. With its own 50 ms, a busy machine would decide who finds it gone.
const NO_HURRY: Duration = Duration::from_secs(1);
/// A breaker that has opened looks once a second whether Redis is back.
const RECOVERY: Duration = Duration::from_secs(10);

type Result<T> = std::result::Result<T, BackendError>;

/// The store of all nodes, which counts the pages that are read in it, and takes its time for them.
#[derive(Debug)]
struct Counted {
    store: PostgresStore,
    pages: AtomicUsize,
}

#[async_trait]
impl ScoreStore for Counted {
    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
        self.pages.fetch_add(1, Ordering::SeqCst);
        sleep(LOAD).await;
        self.store.page(board, query).await
    }

    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard> {
        self.store.create_board(spec).await
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard> {
        self.store.change_board(from, to).await
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>> {
        self.store.board(board).await
    }

    async fn boards(&self) -> Result<Vec<Board>> {
        self.store.boards().await
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>> {
        self.store.apply(changes).await
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>> {
        self.store.action(action).await
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>> {
        self.store.standings(board, season, style, users).await
    }

    async fn score_rank(&self, board: &BoardId, style: RankStyle, score: Score) -> Result<Option<ScoreRank>> {
        self.store.score_rank(board, style, score).await
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>> {
        self.store.history(board, user, before, limit).await
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>> {
        self.store.log(board, after, limit).await
    }

    async fn scan(&self, board: &BoardId, season: Season, after: Option<UserId>, limit: usize) -> Result<Option<Scan>> {
        self.store.scan(board, season, after, limit).await
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch> {
        self.store.raise_epoch(above).await
    }

    async fn check(&self) -> Result<()> {
        self.store.check().await
    }
}

/// Three nodes that have read nothing yet of a board that is there, each with its own way to Redis.
struct Nodes {
    scoreboards: [Scoreboard; NODES],
    proxies: [FaultProxy; NODES],
    store: Arc<Counted>,
    clock: ManualClock,
    /// What all are to be given.
    expected: Encoded,
    /// In this order, for the schema goes with the rest.
    _schema: Schema,
    _redis: Process,
}

impl Nodes {
    async fn start(call_timeout: Option<Duration>) -> Self {
        let (redis, schema) = (Process::start(&[]), Schema::create().await);
        let store = schema.store().await;
        let name = store.identity().await.expect("it answers");
        let store = Arc::new(Counted { store, pages: AtomicUsize::new(0) });
        let (clock, ring) = (ManualClock::default(), KeyRing::random(&RandomIds));
        let builder = || {
            let mut config = Config::default();
            config.update_quota = None;
            Scoreboard::builder(store.clone())
                .with_keys(ring.clone())
                .with_clock(Arc::new(clock.clone()))
                .with_config(config)
        };
        // By another node than those that are asked, and with no cache: these know nothing of the board.
        let apart = builder().build();
        let position = play(&apart).await;
        let page = apart.top(&top()).await.expect("it is read");
        let bytes = serde_json::to_vec(&page).expect("JSON").into();
        let expected = Encoded { position, bytes, stale: None };
        store.pages.store(0, Ordering::SeqCst);

        let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, redis.port));
        let [one, two, three] = [(); NODES].map(|()| FaultProxy::start(Upstream::Port(upstream)));
        let proxies = [one.await, two.await, three.await];
        let scoreboards = proxies.each_ref().map(|proxy| {
            let url = format!("redis://{}", proxy.address());
            let mut config = scoreboard_redis::Config::from_url(&url).expect("a URL");
            config.call_timeout = call_timeout.unwrap_or(config.call_timeout);
            let cache = RedisBoardCache::new(Redis::new(&config).expect("it is made"), &name);
            builder().with_shared_cache(Arc::new(cache)).build()
        });
        Self { scoreboards, proxies, store, clock, expected, _schema: schema, _redis: redis }
    }

    fn set(&self, fault: Fault) {
        for proxy in &self.proxies {
            proxy.set(fault);
        }
    }

    /// All ask at once for a page that no cache has or whose life is over. Gives how often the store was asked for it.
    async fn storm(&self) -> usize {
        self.clock.advance(2 * Config::default().cache_lifetime);
        let before = self.store.pages.load(Ordering::SeqCst);
        let asked = (0..READERS).map(|reader| {
            let node = self.scoreboards[reader % NODES].clone();
            tokio::spawn(async move { node.top_encoded(&top()).await })
        });
        for answer in join_all(asked).await {
            assert_eq!(answer.expect("nobody panics").expect("it is answered"), self.expected);
        }
        self.store.pages.load(Ordering::SeqCst) - before
    }
}

fn top() -> TopQuery {
    TopQuery::new(BoardId::main())
}

/// Some users with different scores; gives how far the board is then.
async fn play(node: &Scoreboard) -> Position {
    let tap = ActionKind {
        kind: "tap".parse().expect("a kind"),
        points: PointsRule::Fixed(Points::new(1).expect("points")),
        min_duration_seconds: 0,
        lifetime_seconds: 60,
        per_day: None,
    };
    node.create_board(BoardSpec { kinds: vec![tap], ..BoardSpec::new(BoardId::main()) }).await.expect("it is made");
    let mut position = None;
    for nth in 0..15_u32 {
        let user_id = UserId::for_name("herd", &nth.isqrt().to_string());
        let request =
            RecordRequest { board: BoardId::main(), user_id, kind: "tap".parse().expect("a kind"), points: None };
        let receipt =
            node.record(&"game".parse().expect("a name"), &nth.to_string(), request).await.expect("it counts");
        position = Some(Position { epoch: receipt.epoch, version: receipt.version });
    }
    position.expect("somebody has played")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_who_ask_three_nodes_at_once_cost_the_store_one_page() {
    let nodes = Nodes::start(Some(NO_HURRY)).await;
    for round in 0..ROUNDS {
        assert_eq!(nodes.storm().await, 1, "round {round}: of three nodes one loads");
    }
    println!("{READERS} ask {NODES} nodes at once, {ROUNDS} times: 1 page is read each time");
}

/// Closed, and then silent: nobody waits for a lease that nobody can give.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_they_cost_it_one_page_a_node() {
    let nodes = Nodes::start(None).await;
    for fault in [Fault::Cut, Fault::HalfOpen] {
        nodes.set(fault);
        for round in 0..ROUNDS {
            assert_eq!(nodes.storm().await, NODES, "{fault:?}, round {round}: each node loads for all of its own");
        }
        println!("{READERS} ask {NODES} nodes at once, {ROUNDS} times, {fault:?}: {NODES} pages are read each time");
        nodes.set(Fault::None);
        until("one loads for all again", RECOVERY, async || (nodes.storm().await == 1).then_some(())).await;
    }
}
