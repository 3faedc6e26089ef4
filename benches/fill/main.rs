//! How long it takes until the ranks of a board are in memory, read from a file of SQLite and from PostgreSQL.
//!
//! The rows are made by the databases themselves. The two take turns; each is read as a server reads it when it starts.
//!
//! Run with `cargo bench --bench fill`; sizes are arguments: `-- 1000000 10000000`, which is also the default. Needs PostgreSQL (Debian:
//! `postgresql`) and `sqlite3`, of which it starts and uses its own.

#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use scoreboard::{
    BoardId, BoardSpec, CreateBoard, IndexState, RankIndexed, RankIndexedConfig, RankStyle, ScoreStore, UserId,
};
use scoreboard_core::memory::InProcessBroadcaster;
use scoreboard_postgres::sqlx::{self, Connection, Executor, PgConnection};
use scoreboard_sqlite::SqliteStore;
use support::postgres::Schema;
use tokio::time::{Instant, sleep};

const ROUNDS: usize = 3;

fn main() {
    let sizes = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect::<Vec<u64>>();
    let sizes = if sizes.is_empty() { vec![1_000_000, 10_000_000] } else { sizes };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!("{:>10} {:<12} {:>10} {:>12} {:>16}", "users", "from", "seconds", "users/s", "bytes a user");
    for users in sizes {
        runtime.block_on(compare(users));
    }
    println!("\nmedians of {ROUNDS}\nAgain: cargo bench --bench fill");
}

async fn compare(users: u64) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo's folder takes files");
    let file = folder.path().join("scoreboard.db");
    let sqlite = SqliteStore::from_url(&format!("sqlite://{}", file.display())).await.expect("a file");
    let schema = Schema::create().await;
    let postgres = schema.store().await;
    for store in [&sqlite as &dyn ScoreStore, &postgres] {
        let made = store.create_board(&BoardSpec::new(BoardId::main())).await.expect("a working store");
        assert_eq!(made, CreateBoard::Created);
    }
    let filled = Command::new("sqlite3").arg(&file).arg(sqlite_rows(users)).status();
    assert!(filled.expect("sqlite3 runs").success(), "the rows are made");
    let mut connection = PgConnection::connect(schema.url()).await.expect("it connects");
    connection.execute(sqlx::AssertSqlSafe(postgres_rows(users))).await.expect("the rows are made");

    let stores: [(&str, Arc<dyn ScoreStore>); 2] = [("SQLite", Arc::new(sqlite)), ("PostgreSQL", Arc::new(postgres))];
    let mut took: [Vec<(f64, f64)>; 2] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, store), took) in stores.iter().zip(&mut took) {
            took.push(fill(store.clone(), users).await);
        }
    }
    for ((name, _), mut took) in stores.iter().zip(took) {
        took.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let (seconds, bytes) = took[ROUNDS / 2];
        println!("{users:>10} {name:<12} {seconds:>10.2} {:>12.0} {bytes:>16.1}", users as f64 / seconds);
    }
}

/// Seconds, and bytes a user in the index.
async fn fill(store: Arc<dyn ScoreStore>, users: u64) -> (f64, f64) {
    let began = Instant::now();
    let mut config = RankIndexedConfig::default();
    config.max_bytes = usize::MAX;
    let ranks = RankIndexed::new(store, config);
    let following = tokio::spawn(ranks.clone().follow(Arc::new(InProcessBroadcaster::default())));
    let index = loop {
        let ready = ranks.progress().into_iter().find(|index| index.state == IndexState::Ready);
        match ready {
            Some(ready) => break ready,
            None => sleep(Duration::from_millis(5)).await,
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(index.users, users, "all are there");
    let stranger = UserId::for_name("fill", "nobody");
    let asked = ranks.standings(&BoardId::main(), None, RankStyle::Ordinal, &[stranger]).await.expect("it answers");
    assert_eq!(asked.expect("a board").total, users);
    following.abort();
    (seconds, index.bytes as f64 / users as f64)
}

/// Scores of which many are alike, at as many versions as there are users, and ids in no order.
fn sqlite_rows(users: u64) -> String {
    format!(
        "BEGIN;
         INSERT INTO seasons (board, season, total) VALUES (1, 1, {users})
             ON CONFLICT (board, season) DO UPDATE SET total = {users};
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {users}),
              rows (n, score) AS (SELECT n, n * 2654435761 % 100003 FROM numbers)
         INSERT INTO scores (board, season, user_id, score, reached, updated_at, order_score, order_tie, chain_end, chain_at)
             SELECT 1, 1, randomblob(16), score, n, 1700000000000, -score, n, n, 1700000000000 FROM rows;
         UPDATE boards SET version = {users};
         COMMIT;"
    )
}

fn postgres_rows(users: u64) -> String {
    format!(
        "INSERT INTO seasons (board, season, total) SELECT no, 1, {users} FROM boards
             ON CONFLICT (board, season) DO UPDATE SET total = {users};
         INSERT INTO scores (board, season, user_id, score, reached, updated_at, order_score, order_tie)
             SELECT no, 1, gen_random_uuid(), score, n, 1700000000000, -score, n
             FROM boards, (SELECT n, n * 2654435761 % 100003 AS score FROM generate_series(1::bigint, {users}) AS n) AS rows;
         UPDATE boards SET version = {users}"
    )
}
