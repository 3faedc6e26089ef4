//! Reads on a streaming replica: the suite of a store over it, and what becomes of a replica that lags, goes, or is another database.

mod support;

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use scoreboard_core::testing::{Fixture, ScoreStoreFixture};
use scoreboard_core::{
    ActionId, BoardId, BoardSpec, Change, CreateBoard, ErrorKind, Fingerprint, Origin, PageQuery, Points, Range,
    RankStyle, ScoreStore, Season, Timestamp, UserId,
};
use scoreboard_postgres::{Config, PostgresStore, ReplicaReads};
use support::{Schema, Server, run};

/// A primary of this test binary's own, and its replica.
fn pair() -> &'static (Server, Server) {
    static PAIR: OnceLock<(Server, Server)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let primary = Server::start(&[]);
        let replica = Server::replica_of(&primary);
        (primary, replica)
    })
}

struct Replicated {
    store: Arc<ReplicaReads>,
    _schema: Schema,
}

impl Fixture for Replicated {
    async fn fresh() -> Self {
        let (primary, replica) = pair();
        let schema = Schema::create_on(primary).await;
        let store = PostgresStore::from_url(schema.url()).await.expect("it opens");
        let replicas = [Config::from_url(&schema.url_on(replica)).expect("a URL")];
        // The replica may not have heard of the schema yet: then it is no copy of this one.
        let store = loop {
            match ReplicaReads::open(store.clone(), &replicas).await {
                Ok(store) => break store,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        Self { store: Arc::new(store), _schema: schema }
    }
}

impl ScoreStoreFixture for Replicated {
    fn score_store(&self) -> Arc<dyn ScoreStore> {
        self.store.clone()
    }
}

scoreboard_core::score_store_conformance!(Replicated);

const TOP: PageQuery = PageQuery { season: None, range: Range::Top { limit: 10 }, style: RankStyle::Ordinal };

fn change(number: u64) -> Change {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Change {
        action_id: ActionId::from_bytes(id),
        fingerprint: Fingerprint::from_bytes([1; 16]),
        board: BoardId::main(),
        season: Season::FIRST,
        user_id: UserId::for_name("test", &(number % 7).to_string()),
        kind: "win".parse().expect("a kind"),
        points: Points::new(1).expect("points"),
        origin: Origin::Action,
        at: Timestamp::from_millis(1_700_000_000_000),
        at_most: None,
        admitted: None,
    }
}

/// A primary and a replica for one test alone.
struct Alone {
    reads: ReplicaReads,
    replica: Server,
    _primary: Server,
}

impl Alone {
    async fn start() -> Self {
        let primary = Server::start(&[]);
        let store = PostgresStore::from_url(primary.url()).await.expect("it opens");
        assert_eq!(store.create_board(&BoardSpec::new(BoardId::main())).await.expect("works"), CreateBoard::Created);
        let replica = Server::replica_of(&primary);
        let config = Config::from_url(replica.url()).expect("a URL").with_call_timeout(Duration::from_millis(600));
        let reads = ReplicaReads::open(store, &[config]).await.expect("it is a replica");
        Self { reads, replica, _primary: primary }
    }

    /// Applies a change, and reads it at once.
    async fn own_read_is_fresh(&self, number: u64) {
        let _ = self.reads.apply(&[change(number)]).await.expect("it is applied");
        let page = self.reads.page(&BoardId::main(), TOP).await.expect("it is read").expect("there is a board");
        assert_eq!(page.position.version.get(), number, "what was applied is read");
    }
}

#[tokio::test]
async fn a_replica_that_lags_answers_nothing_old() {
    let alone = Alone::start().await;
    run(alone.replica.url(), "SELECT pg_wal_replay_pause()").await;
    for number in 1..=200 {
        alone.own_read_is_fresh(number).await;
    }
    run(alone.replica.url(), "SELECT pg_wal_replay_resume()").await;
    for number in 201..=400 {
        alone.own_read_is_fresh(number).await;
    }
}

#[tokio::test]
async fn a_replica_that_is_gone_costs_a_moment_and_no_answer() {
    let alone = Alone::start().await;
    alone.own_read_is_fresh(1).await;
    alone.replica.kill9();
    for number in 2..=50 {
        alone.own_read_is_fresh(number).await;
    }
}

#[tokio::test]
async fn what_is_no_copy_of_the_primary_is_refused() {
    let (primary, _) = pair();
    let schema = Schema::create_on(primary).await;
    let store = PostgresStore::from_url(schema.url()).await.unwrap();
    let other = Server::start(&[]);
    for url in [other.url(), primary.url(), schema.url()] {
        let error = ReplicaReads::open(store.clone(), &[Config::from_url(url).unwrap()]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{url}");
    }
    // One that is only away may be there later.
    let away = Config::from_url("postgres://postgres@127.0.0.1:1/postgres").unwrap();
    assert!(ReplicaReads::open(store, &[away]).await.is_ok());
}

/// Commits that had not reached it are gone, and their versions are given out again: in another epoch.
#[tokio::test]
async fn a_failover_begins_the_next_epoch_once() {
    let alone = Alone::start().await;
    for number in 1..=5 {
        alone.own_read_is_fresh(number).await;
    }
    run(alone.replica.url(), "SELECT pg_wal_replay_pause()").await;
    alone.own_read_is_fresh(6).await;
    run(alone.replica.url(), "SELECT pg_promote(true)").await;
    for _ in 0..2 {
        let store = PostgresStore::from_url(alone.replica.url()).await.unwrap();
        let board = store.board(&BoardId::main()).await.unwrap().unwrap();
        assert_eq!(board.epoch.get(), 2, "once, however often it is opened");
        store.close().await;
    }
}

/// Where a name leads to the standby before that is promoted: a connection that was made then would outlive the promotion, and nobody would ask
/// it in which life it is.
#[tokio::test]
async fn a_failover_begins_the_next_epoch_also_where_servers_are_there_before_it_ends() {
    let (primary, folder) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let leads_to = |server: &Server| {
        let name = folder.path().join("name");
        let _ = std::fs::remove_file(&name);
        std::os::unix::fs::symlink(server.folder(), &name).unwrap();
        format!(
            "postgres://postgres@{}/postgres?application_name=named",
            name.display().to_string().replace('/', "%2F")
        )
    };
    let store = PostgresStore::from_url(&leads_to(&primary)).await.unwrap();
    assert_eq!(store.create_board(&BoardSpec::new(BoardId::main())).await.unwrap(), CreateBoard::Created);
    let replica = Server::replica_of(&primary);

    let _ = leads_to(&replica);
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'named'";
    run(primary.url(), cut).await;
    for _ in 0..3 {
        assert!(store.board(&BoardId::main()).await.is_err(), "a standby is read as the primary, however old it is");
        assert!(store.apply(&[change(1)]).await.is_err(), "a standby takes no writes");
    }
    run(replica.url(), "SELECT pg_promote(true)").await;
    let board = store.board(&BoardId::main()).await.unwrap().unwrap();
    assert_eq!((board.epoch.get(), board.version.get()), (2, 0), "whatever was lost is told apart from what comes");
    let outcome = store.apply(&[change(1)]).await.unwrap().remove(0);
    assert_eq!(outcome.receipt().unwrap().epoch.get(), 2);
}

/// Its servers are not started again: new connections find it out.
#[tokio::test]
async fn a_life_that_changes_while_a_store_is_open_begins_the_next_epoch() {
    let schema = Schema::create_on(&pair().0).await;
    let store = PostgresStore::from_url(schema.url()).await.unwrap();
    assert_eq!(store.create_board(&BoardSpec::new(BoardId::main())).await.unwrap(), CreateBoard::Created);
    run(schema.url(), "UPDATE meta SET life = 'of before'").await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
    run(schema.url(), cut).await;
    let outcome = store.apply(&[change(1)]).await.unwrap().remove(0);
    assert_eq!(outcome.receipt().unwrap().epoch.get(), 2);
}

/// It keeps its connections, and its board goes on by itself: with versions that the primary has not reached, or gives to others.
#[tokio::test]
async fn a_replica_that_was_promoted_is_read_no_more() {
    let alone = Alone::start().await;
    for number in 1..=20 {
        alone.own_read_is_fresh(number).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    run(alone.replica.url(), "SELECT pg_promote(true)").await;
    run(alone.replica.url(), "UPDATE boards SET version = version + 1000").await;
    for number in 21..=60 {
        alone.own_read_is_fresh(number).await;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
}
