//! Two nodes with one PostgreSQL and one Redis, written and read at once: no answer is one that cannot be, whatever happens to the
//! announcements and to Redis.
//!
//! `SCOREBOARD_TEST_SCALE=100 cargo test --test coherence -- --nocapture` runs all of it: 100,000 writes and a million reads.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use scoreboard::{
    ActionKind, BoardId, BoardSpec, Config, KeyRing, Points, PointsRule, RandomIds, RecordRequest, Scoreboard,
    TopQuery, UserId,
};
use scoreboard_redis::{Redis, RedisBoardCache, RedisBroadcaster};
use support::fault_proxy::{Fault, FaultProxy, Upstream};
use support::history::{History, Staleness};
use support::postgres::Schema;
use support::redis::Process;
use support::scale::scaled;
use support::seed::Seeded;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

const CLIENTS: usize = 64;
const USERS: u64 = 50;
/// Of the run in which announcements are lost: ten times as many reads come with them.
const WRITES: usize = 100_000;
/// Of the run without faults that comes before, with which it is compared.
const QUIET_WRITES: usize = 10_000;
const READS_A_WRITE: usize = 10;
/// How far behind 99 of 100 answers are at the most where nothing is lost, and how long they take in any case.
const PROMPT: Duration = Duration::from_millis(250);
/// So many times as long as without faults may 99 of 100 answers take while Redis comes and goes.
const SLOWER: u32 = 3;
/// Shorter answers than this count as taking so long. Where one waits for a turn of two busy cores among 64 clients, chance decides
/// about milliseconds: thrice a lucky millisecond would say nothing about Redis. A node that waited for a Redis that is gone would
/// take its time limit of 50 ms, and that is seen.
const NOISE: Duration = Duration::from_millis(15);
/// How often Redis is flushed, killed, and given back an old copy.
const LOSSES: usize = 30;

/// Two nodes on a schema of their own, each with its own way to Redis.
struct Nodes {
    scoreboards: [Scoreboard; 2],
    proxies: [FaultProxy; 2],
    seeded: Mutex<Seeded>,
    written: AtomicUsize,
    /// Last, for it goes with the rest.
    _schema: Schema,
}

impl Nodes {
    async fn start(redis: &Process) -> Arc<Self> {
        let schema = Schema::create().await;
        let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, redis.port));
        let proxies = [(); 2].map(|()| FaultProxy::start(Upstream::Port(upstream)));
        let [one, other] = proxies;
        let proxies = [one.await, other.await];
        let ring = KeyRing::random(&RandomIds);
        let [one, other] = proxies.each_ref().map(|proxy| node(&schema, proxy, &ring));
        let scoreboards = [one.await, other.await];
        let tap = ActionKind {
            kind: "tap".parse().expect("a kind"),
            points: PointsRule::Fixed(Points::new(1).expect("points")),
            min_duration_seconds: 0,
            lifetime_seconds: 60,
            per_day: None,
        };
        let spec = BoardSpec { kinds: vec![tap], ..BoardSpec::new(BoardId::main()) };
        scoreboards[0].create_board(spec).await.expect("it is made");
        for scoreboard in &scoreboards {
            scoreboard.warm_up(|_, _| {}).await.expect("the store is there");
            tokio::spawn(scoreboard.clone().follow());
            tokio::spawn(scoreboard.clone().write_through());
            tokio::spawn(scoreboard.clone().monitor_cache());
        }
        let seeded = Mutex::new(Seeded::new());
        Arc::new(Self { scoreboards, proxies, seeded, written: AtomicUsize::new(0), _schema: schema })
    }

    fn draw(&self, below: u64) -> u64 {
        self.seeded.lock().expect("nobody panics with it").within(0..below)
    }

    /// One write anywhere, then reads anywhere, until `goes_on` ends. What fails is noted.
    async fn play(self: Arc<Self>, goes_on: impl Fn() -> bool) -> History {
        let (query, mut history) = (TopQuery::new(BoardId::main()), History::default());
        while goes_on() {
            let node = usize::from(self.draw(2) == 1);
            let request = RecordRequest {
                board: BoardId::main(),
                user_id: UserId::for_name("coherence", &self.draw(USERS).to_string()),
                kind: "tap".parse().expect("a kind"),
                points: None,
            };
            let key = self.written.fetch_add(1, Ordering::Relaxed).to_string();
            match self.scoreboards[node].record(&"game".parse().expect("a name"), &key, request).await {
                Ok(receipt) => history.acknowledged(node, receipt.version),
                Err(error) => history.refused.push(error.to_string()),
            }
            for _ in 0..READS_A_WRITE {
                sleep(Duration::from_micros(self.draw(2_000))).await;
                let node = usize::from(self.draw(2) == 1);
                let began = Instant::now();
                match self.scoreboards[node].top_encoded(&query).await {
                    Ok(answer) => history.read(node, began, answer),
                    Err(error) => history.failed_reads.push(error.to_string()),
                }
            }
        }
        history
    }

    async fn all_play(self: &Arc<Self>, goes_on: impl Fn() -> bool + Clone + Send + 'static) -> History {
        let clients = (0..CLIENTS).map(|_| tokio::spawn(self.clone().play(goes_on.clone())));
        let mut history = History::default();
        for client in join_all(clients).await {
            history.append(client.expect("no client panics"));
        }
        history
    }

    /// What there is to compare with: the same load without faults, in the same run.
    async fn quiet(self: &Arc<Self>) -> Staleness {
        let history = self.write(scaled(QUIET_WRITES)).await;
        assert_eq!((&history.refused[..], &history.failed_reads[..]), (&[][..], &[][..]));
        let updates = history.updates();
        let seen = history.check(&*self.scoreboards[0].store(), &BoardId::main()).await;
        println!("{updates} updates, nothing lost: {seen}");
        seen
    }

    async fn write(self: &Arc<Self>, writes: usize) -> History {
        let end = self.written.load(Ordering::Relaxed) + writes;
        let nodes = self.clone();
        self.all_play(move || nodes.written.load(Ordering::Relaxed) < end).await
    }
}

async fn node(schema: &Schema, proxy: &FaultProxy, ring: &KeyRing) -> Scoreboard {
    let store = schema.store().await;
    let name = store.identity().await.expect("it answers");
    let redis = Redis::from_url(&format!("redis://{}", proxy.address())).expect("a URL");
    let mut config = Config::default();
    config.update_quota = None;
    Scoreboard::builder(Arc::new(store))
        .with_keys(ring.clone())
        .with_shared_cache(Arc::new(RedisBoardCache::new(redis.clone(), &name)))
        .with_broadcaster(Arc::new(RedisBroadcaster::new(redis, &name)))
        .with_config(config)
        .build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_impossible_and_few_are_old_whatever_becomes_of_announcements() {
    let redis = Process::start(&[]);
    let nodes = Nodes::start(&redis).await;
    let store = nodes.scoreboards[0].store();

    let quiet = nodes.quiet().await;
    assert!(quiet.p99 <= PROMPT && quiet.read_p99 <= PROMPT, "{quiet}");

    for proxy in &nodes.proxies {
        proxy.set(Fault::Lossy { percent: 10, jitter: Duration::from_millis(20) });
    }
    let history = nodes.write(scaled(WRITES)).await;
    let lost: usize = nodes.proxies.iter().map(FaultProxy::lost).sum();
    assert!(lost > 0, "no announcement was lost: nothing is shown");
    assert_eq!((&history.refused[..], &history.failed_reads[..]), (&[][..], &[][..]));
    let updates = history.updates();
    let lossy = history.check(&*store, &BoardId::main()).await;
    println!("{updates} updates, one announcement in ten lost ({lost}), the others late: {lossy}");
    assert!(lossy.max <= Duration::from_secs(5) && lossy.read_p99 <= PROMPT, "{lossy}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_flushed_and_set_back_makes_nobody_wait_and_nothing_old_new() {
    let mut redis = Process::start(&["--dbfilename", "dump.rdb"]);
    let nodes = Nodes::start(&redis).await;
    let store = nodes.scoreboards[0].store();
    let quiet = nodes.quiet().await;
    let stop = Arc::new(AtomicUsize::new(0));
    let goes_on = {
        let stop = stop.clone();
        move || stop.load(Ordering::Relaxed) == 0
    };
    let load = tokio::spawn({
        let nodes = nodes.clone();
        async move { nodes.all_play(goes_on).await }
    });

    let losses = scaled(LOSSES);
    for _ in 0..losses {
        let pause = Duration::from_millis(100 + nodes.draw(300));
        sleep(pause).await;
        let copy = block_in_place(|| {
            assert_eq!(redis.cli(&["SAVE"]), "OK");
            std::fs::read(redis.folder.join("dump.rdb")).expect("it was saved")
        });
        sleep(pause).await;
        block_in_place(|| assert_eq!(redis.cli(&["FLUSHALL"]), "OK"));
        sleep(pause).await;
        block_in_place(|| {
            redis.kill();
            std::fs::write(redis.folder.join("dump.rdb"), copy).expect("the old copy is put there");
        });
        sleep(pause).await;
        block_in_place(|| redis.restart());
    }
    sleep(Duration::from_secs(1)).await;
    stop.store(1, Ordering::Relaxed);
    let history = load.await.expect("the load does not panic");

    assert_eq!(history.refused, [""; 0], "no update needs Redis");
    let (updates, failed) = (history.updates(), history.failed_reads.len());
    let seen = history.check(&*store, &BoardId::main()).await;
    println!(
        "{updates} updates, Redis flushed, killed and set back {losses} times each: {failed} reads failed; {seen}, {:.1} times that of before",
        seen.read_p99.as_secs_f64() / quiet.read_p99.as_secs_f64()
    );
    assert!(failed * 1_000 <= seen.reads, "{failed} of {} reads failed", seen.reads);
    let normal = quiet.read_p99.max(NOISE);
    assert!(seen.read_p99 <= SLOWER * normal, "{SLOWER} times {:?} at the most: {seen}", quiet.read_p99);
}
