//! The suite of the broadcaster, and what it does between nodes.

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use scoreboard_core::testing::{BroadcasterFixture, Fixture};
use scoreboard_core::{BoardId, BoardSpec, Broadcaster, CreateBoard, Epoch, Position, ScoreStore};
use scoreboard_postgres::PostgresBroadcaster;
use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use support::{Schema, run};
use tokio::time::{Instant, timeout};

/// How long a lost announcement may keep a board back: each two seconds it is read where the boards are.
const BOUND: Duration = Duration::from_secs(4);

struct One {
    broadcaster: Arc<PostgresBroadcaster>,
    _schema: Schema,
}

impl Fixture for One {
    async fn fresh() -> Self {
        let schema = Schema::create().await;
        schema.store().await.close().await;
        let broadcaster = Arc::new(PostgresBroadcaster::start(&schema.config()));
        Self { broadcaster, _schema: schema }
    }
}

impl BroadcasterFixture for One {
    fn broadcaster(&self) -> Arc<dyn Broadcaster> {
        self.broadcaster.clone()
    }
}

scoreboard_core::broadcaster_conformance!(One);

fn at(position: &str) -> Position {
    position.parse().expect("a position")
}

/// Two nodes on one schema that listen by now.
struct Nodes {
    schema: Schema,
    here: PostgresBroadcaster,
    there: PostgresBroadcaster,
}

impl Nodes {
    async fn start() -> Self {
        let schema = Schema::create().await;
        schema.store().await.close().await;
        let here = PostgresBroadcaster::start(&schema.config());
        let there = PostgresBroadcaster::start(&schema.config());
        let nodes = Self { schema, here, there };
        nodes.until_they_listen().await;
        nodes
    }

    async fn until_they_listen(&self) {
        let mut connection = PgConnection::connect(self.schema.url()).await.expect("it connects");
        let count = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT boards.id, meta.epoch%'
                     AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
        while sqlx::query_scalar::<_, i64>(count).fetch_one(&mut connection).await.expect("it runs") < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn next(positions: &mut BoxStream<'static, Position>, within: Duration) -> Position {
    let next = timeout(within, positions.next()).await;
    next.unwrap_or_else(|_| panic!("nothing was told within {within:?}")).expect("it goes on")
}

#[tokio::test]
async fn other_nodes_are_told_at_once() {
    let nodes = Nodes::start().await;
    let mut told = nodes.there.subscribe(&BoardId::main()).await.unwrap();
    for position in ["1.1", "1.2", "2.1"] {
        let began = Instant::now();
        nodes.here.publish(&BoardId::main(), at(position)).await.unwrap();
        // Long before it would be read.
        assert_eq!(next(&mut told, Duration::from_millis(1500)).await, at(position));
        println!("{position} was told elsewhere after {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_flood_is_told_as_its_end() {
    let nodes = Nodes::start().await;
    let mut told = nodes.there.subscribe(&BoardId::main()).await.unwrap();
    for version in 1..=20_000 {
        nodes.here.publish(&BoardId::main(), at(&format!("1.{version}"))).await.unwrap();
    }
    let mut seen = 0;
    while next(&mut told, Duration::from_millis(1500)).await != at("1.20000") {
        seen += 1;
    }
    assert!(seen < 1000, "{seen} announcements for 20000 changes");
}

/// What was announced before a watcher came is not told to it when it comes back from the database.
#[tokio::test]
async fn a_node_does_not_hear_itself() {
    let nodes = Nodes::start().await;
    for version in 1..=10 {
        nodes.here.publish(&BoardId::main(), at(&format!("1.{version}"))).await.unwrap();
        let mut told = nodes.here.subscribe(&BoardId::main()).await.unwrap();
        let heard = timeout(Duration::from_millis(100), told.next()).await;
        assert!(heard.is_err(), "{heard:?} was announced before");
    }
}

#[tokio::test]
async fn other_schemas_of_the_database_are_silent() {
    let (nodes, others) = (Nodes::start().await, Nodes::start().await);
    let mut told = nodes.there.subscribe(&BoardId::main()).await.unwrap();
    others.here.publish(&BoardId::main(), at("1.900")).await.unwrap();
    let mut heard = others.there.subscribe(&BoardId::main()).await.unwrap();
    others.here.publish(&BoardId::main(), at("1.901")).await.unwrap();
    while next(&mut heard, BOUND).await < at("1.901") {}
    nodes.here.publish(&BoardId::main(), at("1.1")).await.unwrap();
    assert_eq!(next(&mut told, Duration::from_millis(1500)).await, at("1.1"));
}

/// Whoever changed the board, and whether anybody announced it.
#[tokio::test]
async fn what_nobody_announced_is_found() {
    let nodes = Nodes::start().await;
    let store = nodes.schema.store().await;
    assert_eq!(store.create_board(&BoardSpec::new(BoardId::main())).await.unwrap(), CreateBoard::Created);
    let mut told = nodes.there.subscribe(&BoardId::main()).await.unwrap();
    store.raise_epoch(Epoch::new(6)).await.unwrap();
    while next(&mut told, BOUND).await != at("7.0") {}
}

#[tokio::test]
async fn what_was_announced_while_the_connections_were_cut_is_told_after_it() {
    let nodes = Nodes::start().await;
    let store = nodes.schema.store().await;
    assert_eq!(store.create_board(&BoardSpec::new(BoardId::main())).await.unwrap(), CreateBoard::Created);
    let mut told = nodes.there.subscribe(&BoardId::main()).await.unwrap();
    for epoch in 10..15 {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
        run(nodes.schema.url(), cut).await;
        // Nobody listens now; and who announces has lost his connection too.
        let position = Position { epoch: store.raise_epoch(Epoch::new(epoch)).await.unwrap(), ..at("1.0") };
        nodes.here.publish(&BoardId::main(), position).await.unwrap();
        while next(&mut told, BOUND).await != position {}
    }
}
