//! Two servers over one store, with what they share on Redis: who writes on one reads and watches on the other.

mod support;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::memory::{MemoryRateLimiter, MemoryScoreStore};
use scoreboard_core::testing::SeededIds;
use scoreboard_core::{
    ActionKind, BoardId, BoardSpec, Config, Error, FallbackLimiter, IssueRequest, KeyRing, LiveEvent, Points,
    PointsRule, Scoreboard, TopQuery, UserId,
};
use scoreboard_redis::{Redis, RedisBoardCache, RedisBroadcaster, RedisRateLimiter};
use support::server::Process;
use support::{STORE, config, shared_cluster, single};

/// Two handles that share nothing in this process but the store and the signing keys.
fn servers(url: &str) -> [Scoreboard; 2] {
    let (config, store) = (config(url), Arc::new(MemoryScoreStore::default()));
    let keys = KeyRing::random(&SeededIds::new(1));
    let server = || {
        let redis = Redis::new(&config).expect("a handle");
        let shared = Arc::new(RedisRateLimiter::new(redis.clone()));
        let two = NonZeroU32::new(2).expect("not zero");
        // The watcher on the other server must be told: it looks by itself after a minute only.
        let mut settings = Config::default();
        settings.poll_interval = Duration::from_secs(60);
        Scoreboard::builder(store.clone())
            .with_keys(keys.clone())
            .with_limiter(Arc::new(FallbackLimiter::new(shared, Arc::new(MemoryRateLimiter::default()), two)))
            .with_cache(Arc::new(RedisBoardCache::new(redis.clone(), STORE)))
            .with_broadcaster(Arc::new(RedisBroadcaster::new(redis, STORE)))
            .with_config(settings)
            .build()
    };
    [server(), server()]
}

async fn quest(server: &Scoreboard, user: UserId) -> Result<u64, Error> {
    let action = server.issue(user, IssueRequest::new(BoardId::main(), "quest".parse().expect("a kind"))).await?;
    server.submit(user, action).await.map(|receipt| receipt.version.get())
}

async fn create(server: &Scoreboard) {
    let kind = ActionKind {
        kind: "quest".parse().expect("a kind"),
        points: PointsRule::Fixed(Points::new(10).expect("points")),
        min_duration_seconds: 0,
        lifetime_seconds: 600,
        per_day: None,
    };
    let spec = BoardSpec { kinds: vec![kind], ..BoardSpec::new(BoardId::main()) };
    server.create_board(spec).await.expect("it is created");
}

async fn top(server: &Scoreboard) -> u64 {
    let encoded = server.top_encoded(&TopQuery::new(BoardId::main())).await.expect("it answers");
    encoded.position.version.get()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_on_one_server_reads_and_watches_on_the_other() {
    for url in [single().to_owned(), shared_cluster().url()] {
        let [one, other] = servers(&url);
        create(&one).await;
        let mut watcher = other.subscribe(&BoardId::main(), 10, None).await.expect("it is watched");
        assert!(matches!(watcher.next().await.expect("a view"), LiveEvent::Snapshot(_)));
        for n in 1..=8 {
            // Both have the answer of before in the cache.
            assert_eq!((top(&one).await, top(&other).await), (n - 1, n - 1));
            let user = UserId::for_name("test", &n.to_string());
            assert_eq!(quest(&one, user).await.expect("it counts"), n);
            assert_eq!(top(&other).await, n, "the floor that one raised holds on the other");
            let told = tokio::time::timeout(Duration::from_secs(10), watcher.next()).await;
            let event = told.expect("the other server is told").expect("a change");
            assert_eq!(event.position().version.get(), n);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_a_minute_hold_over_both_servers() {
    let servers = servers(single());
    create(&servers[0]).await;
    let user = UserId::for_name("test", "alice");
    let mut counted = 0;
    for n in 0..30 {
        match quest(&servers[n % 2], user).await {
            Ok(_) => counted += 1,
            Err(Error::RateLimited(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(counted, 10);
}

/// Six users, each at one node and five times in all: as often as a node that is left alone lets a user play in a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_update_is_refused_when_redis_is_gone() {
    let mut process = Process::start(&[]);
    let servers = servers(&process.url());
    create(&servers[0]).await;
    let user = |n: u64| UserId::for_name("test", &n.to_string());
    let mut counted = 0;
    for n in 1..=30 {
        match n {
            10 => process.kill(),
            20 => {
                // Theirs is no more than that: what is beyond it is refused at this node.
                let greedy = user(100);
                for _ in 0..5 {
                    counted += 1;
                    assert_eq!(quest(&servers[0], greedy).await.expect("it is within the node's part"), counted);
                }
                let refused = quest(&servers[0], greedy).await;
                assert!(matches!(refused, Err(Error::RateLimited(_))), "{refused:?}");
                process.restart();
            }
            _ => {}
        }
        let server = &servers[n as usize % 2];
        counted += 1;
        assert_eq!(quest(server, user(n % 6)).await.expect("it counts"), counted);
        assert_eq!(top(server).await, counted, "who wrote sees it");
    }
}
