//! What only shows from inside: the connections themselves, and failures that are put into them.

use std::time::Duration;

use scoreboard_core::{
    ActionId, BackendError, BoardId, BoardSpec, Change, CreateBoard, ErrorKind, Fingerprint, Origin, Outcome, Points,
    ScoreStore, Season, Timestamp, UserId, Version,
};
use sqlx::{AssertSqlSafe, SqlitePool};
use tempfile::TempDir;

use crate::{Config, SqliteStore};

pub(crate) async fn store() -> (SqliteStore, Config, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        busy_timeout: Duration::from_millis(50),
        acquire_timeout: Duration::from_millis(500),
        ..Config::new(folder.path().join("scoreboard.db"))
    };
    let store = SqliteStore::open(&config).await.unwrap();
    assert_eq!(store.create_board(&BoardSpec::new(BoardId::main())).await.unwrap(), CreateBoard::Created);
    (store, config, folder)
}

/// A change that no other number makes.
pub(crate) fn change(number: u64) -> Change {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Change {
        action_id: ActionId::from_bytes(id),
        fingerprint: Fingerprint::from_bytes([1; 16]),
        board: BoardId::main(),
        season: Season::FIRST,
        user_id: UserId::for_name("test", &number.to_string()),
        kind: "win".parse().unwrap(),
        points: Points::new(1).unwrap(),
        origin: Origin::Action,
        at: Timestamp::from_millis(1_700_000_000_000),
        at_most: None,
        admitted: None,
    }
}

pub(crate) async fn run(pool: &SqlitePool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap();
}

async fn pragma(pool: &SqlitePool, name: &str) -> String {
    let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await.unwrap()
}

fn kind<T: std::fmt::Debug>(result: Result<T, BackendError>) -> ErrorKind {
    result.unwrap_err().kind()
}

async fn version(store: &SqliteStore) -> u64 {
    store.board(&BoardId::main()).await.unwrap().unwrap().version.get()
}

#[tokio::test]
async fn commits_are_synchronised() {
    let (store, _, _folder) = store().await;
    assert_eq!(pragma(&store.writer, "journal_mode").await, "wal");
    assert_eq!(pragma(&store.writer, "synchronous").await, "2");
    for pool in [&store.writer, &store.readers] {
        assert_eq!(pragma(pool, "foreign_keys").await, "1");
        assert_eq!(sqlx::query_scalar::<_, i64>("PRAGMA mmap_size").fetch_one(pool).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn readers_cannot_write() {
    let (store, _, _folder) = store().await;
    let written = sqlx::query("UPDATE meta SET epoch = 9").execute(&store.readers).await;
    assert!(written.is_err());
}

#[tokio::test]
async fn a_full_device_changes_nothing_and_is_recovered_from() {
    let (store, _, _folder) = store().await;
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&store.writer).await.unwrap();
    run(&store.writer, &format!("PRAGMA max_page_count = {}", pages + 2)).await;
    let changes: Vec<Change> = (0..2000).map(change).collect();
    assert_eq!(kind(store.apply(&changes).await), ErrorKind::Full);
    assert_eq!(version(&store).await, 0);
    assert_eq!(store.action(changes[0].action_id).await.unwrap(), None);

    run(&store.writer, "PRAGMA max_page_count = 1000000").await;
    let outcomes = store.apply(&changes).await.unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Applied(_))));
}

#[tokio::test]
async fn a_lock_held_elsewhere_is_contended() {
    let (store, config, _folder) = store().await;
    let other = SqliteStore::open(&config).await.unwrap();
    let lock = other.write().await.unwrap();
    assert_eq!(kind(store.apply(&[change(1)]).await), ErrorKind::Contended);
    assert_eq!(kind(store.check().await), ErrorKind::Contended);
    // Reading needs no turn, and neither does opening a file that is up to date.
    assert_eq!(version(&store).await, 0);
    assert!(SqliteStore::open(&config).await.is_ok());
    drop(lock);
    assert!(matches!(store.apply(&[change(1)]).await.unwrap()[0], Outcome::Applied(_)));
    assert_eq!(version(&other).await, 1);
}

#[tokio::test]
async fn a_file_locked_by_another_process_is_not_opened() {
    let (store, config, _folder) = store().await;
    store.close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&config.path);
    let other = SqlitePool::connect_with(options).await.unwrap();
    let mut connection = other.acquire().await.unwrap();
    sqlx::raw_sql("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").execute(&mut *connection).await.unwrap();
    assert_eq!(kind(SqliteStore::open(&config).await), ErrorKind::Contended);
}

#[tokio::test]
async fn no_free_connection_is_overload() {
    let (store, _, _folder) = store().await;
    let _busy = store.write().await.unwrap();
    assert_eq!(kind(store.apply(&[change(1)]).await), ErrorKind::Overloaded);
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let (store, _, _folder) = store().await;
    store.clone().close().await;
    assert_eq!(kind(store.apply(&[change(1)]).await), ErrorKind::Unavailable);
    assert_eq!(kind(store.boards().await), ErrorKind::Unavailable);
    assert_eq!(kind(store.check().await), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_transaction_that_sqlite_rolled_back_spoils_no_later_call() {
    let (store, _, _folder) = store().await;
    let mut tx = store.write().await.unwrap();
    // As SQLite does by itself where a device fails under it.
    sqlx::raw_sql("ROLLBACK").execute(&mut *tx).await.unwrap();
    drop(tx);
    assert!(matches!(store.apply(&[change(1)]).await.unwrap()[0], Outcome::Applied(_)));
    store.check().await.unwrap();
    assert_eq!(version(&store).await, 1);
}

#[tokio::test]
async fn a_value_that_nobody_wrote_is_corrupt() {
    let (store, _, _folder) = store().await;
    assert!(matches!(store.apply(&[change(1)]).await.unwrap()[0], Outcome::Applied(_)));
    run(&store.writer, "UPDATE log SET kind = 'No Slug'").await;
    assert_eq!(kind(store.log(&BoardId::main(), Version::ZERO, 1).await), ErrorKind::Corrupt);
    assert_eq!(kind(store.apply(&[change(1)]).await), ErrorKind::Corrupt);
}

#[tokio::test]
async fn calls_dropped_anywhere_leave_the_connections_usable() {
    let (store, _, _folder) = store().await;
    let mut number = 0;
    for micros in (0..1500).step_by(15) {
        let batch: Vec<Change> = (number..number + 3).map(change).collect();
        number += 3;
        let _ = tokio::time::timeout(Duration::from_micros(micros), store.apply(&batch)).await;
        let _ = tokio::time::timeout(Duration::from_micros(micros), store.boards()).await;
    }
    store.check().await.unwrap();
    let log = store.log(&BoardId::main(), Version::ZERO, usize::MAX).await.unwrap();
    assert_eq!(version(&store).await, log.len() as u64);
    assert_eq!(log.len() % 3, 0, "a batch was applied in part");
    for (row, expected) in log.iter().zip(1..) {
        assert_eq!(row.position.version.get(), expected);
    }
}
