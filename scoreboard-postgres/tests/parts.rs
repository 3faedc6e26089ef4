//! The parts of the log: what was there before there were any, and how the next one is made.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use scoreboard_core::{
    ActionId, Audit, BoardId, Change, Clock, Origin, Outcome, ScoreStore, SystemClock, Version, verify,
};
use scoreboard_postgres::sqlx::migrate::{Migrate, Migrator};
use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use scoreboard_postgres::{Config, PostgresStore};
use support::Schema;
use support::changes::{change, main_board};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

const DAY: Duration = Duration::from_secs(86_400);

/// A change whose id was given so long after now.
fn in_days(number: u64, days: u32) -> Change {
    change(number, SystemClock.now().plus(DAY * days))
}

/// In which table the row of each version lies.
async fn places(schema: &Schema) -> Vec<(i64, String)> {
    let mut connection = PgConnection::connect(schema.url()).await.expect("the database answers");
    let places = "SELECT version, tableoid::regclass::text FROM log ORDER BY version";
    sqlx::query_as(places).fetch_all(&mut connection).await.expect("the database answers")
}

async fn is_clean(store: &PostgresStore) -> bool {
    matches!(verify(store, &BoardId::main(), |_, _| {}).await.expect("the database answers"), Audit::Clean { .. })
}

/// As the release before writes.
async fn write_as_before(connection: &mut PgConnection, version: i64, change: &Change) {
    sqlx::query(
        "INSERT INTO log (board, version, epoch, action_id, fingerprint, season, user_id, kind, points, origin,
                          previous_score, previous_version, previous_at, score, at)
         SELECT no, $1, 1, $2, $3, 1, $4, 'win', 1, $5, NULL, NULL, NULL, 1, $6 FROM boards",
    )
    .bind(version)
    .bind(change.action_id.as_uuid())
    .bind(sqlx::types::Uuid::from_bytes(*change.fingerprint.as_bytes()))
    .bind(change.user_id.as_uuid())
    .bind(if change.origin == Origin::Record { "record" } else { "action" })
    .bind(change.at.as_millis())
    .execute(&mut *connection)
    .await
    .expect("the database answers");
    sqlx::query("INSERT INTO scores SELECT no, 1, $2, 1, $1, $3, -1, $1 FROM boards")
        .bind(version)
        .bind(change.user_id.as_uuid())
        .bind(change.at.as_millis())
        .execute(&mut *connection)
        .await
        .expect("the database answers");
    sqlx::query("UPDATE boards SET version = $1")
        .bind(version)
        .execute(&mut *connection)
        .await
        .expect("the database answers");
    sqlx::query("UPDATE seasons SET total = $1").bind(version).execute(connection).await.expect("the database answers");
}

async fn found_as_before(connection: &mut PgConnection, action: ActionId) -> i64 {
    sqlx::query_scalar(
        "SELECT log.version FROM log JOIN boards ON boards.no = log.board WHERE log.action_id = ANY ($1)",
    )
    .bind(vec![action.as_uuid()])
    .fetch_one(connection)
    .await
    .expect("the database answers")
}

#[tokio::test]
async fn a_log_of_before_is_cut_and_those_who_wrote_it_go_on() {
    let schema = Schema::create().await;
    let mut before = PgConnection::connect(schema.url()).await.unwrap();
    before.ensure_migrations_table("scoreboard_migrations").await.unwrap();
    for migration in MIGRATIONS.iter().filter(|migration| migration.version < 3) {
        before.apply("scoreboard_migrations", migration).await.unwrap();
    }
    let board = "INSERT INTO boards (id, name, direction, operator, tie_break, kinds, season, version)
                 VALUES ('main', 'main', 'descending', 'increment', 'earliest', '[]', 1, 0)";
    sqlx::query(board).execute(&mut before).await.unwrap();
    sqlx::query("INSERT INTO seasons SELECT no, 1, 0 FROM boards").execute(&mut before).await.unwrap();
    let now = SystemClock.now();
    let changes = [
        change(1, now.minus(DAY * 400)),
        Change { origin: Origin::Record, ..change(2, now) },
        change(3, now),
        Change { action_id: ActionId::MAX, ..change(4, now) },
        Change { action_id: ActionId::MIN, ..change(5, now) },
        Change { origin: Origin::Record, action_id: ActionId::from_bytes([1; 16]), ..change(6, now) },
    ];
    for (version, change) in (1..).zip(&changes) {
        write_as_before(&mut before, version, change).await;
        assert_eq!(found_as_before(&mut before, change.action_id).await, version);
    }

    // While the log is cut, or waits for who reads it, boards are read.
    let mut reader = PgConnection::connect(schema.url()).await.unwrap();
    let mut tx = reader.begin().await.unwrap();
    sqlx::query("SELECT FROM log").execute(&mut *tx).await.unwrap();
    let opening = tokio::spawn({
        let config = schema.config();
        async move { PostgresStore::open(&config).await }
    });
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'log'::regclass";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut before).await.unwrap() == 0 {}
    sqlx::raw_sql("SET lock_timeout = '1s'; SELECT FROM boards, meta, seasons").execute(&mut before).await.unwrap();
    tx.rollback().await.unwrap();
    let store = opening.await.unwrap().unwrap();
    let names = ["log_actions_1", "log_records", "log_actions_1", "log_actions_other", "log_actions_1", "log_records"];
    let expected: Vec<_> = (1..).zip(names.map(str::to_owned)).collect();
    assert_eq!(places(&schema).await, expected, "each row is where it belongs");
    assert!(is_clean(&store).await);

    // A server of the release before, on its connection of before.
    let late = change(7, now);
    write_as_before(&mut before, 7, &late).await;
    for (version, change) in (1..).zip(changes.iter().chain([&late])) {
        assert_eq!(found_as_before(&mut before, change.action_id).await, version);
        let (_, row) = store.action(change.action_id).await.unwrap().expect("it is found");
        assert_eq!(row.position.version.get(), version.cast_unsigned());
    }
    for change in changes.iter().chain([&late]) {
        assert!(matches!(store.apply(std::slice::from_ref(change)).await.unwrap()[0], Outcome::Replayed(_)));
    }
    assert!(matches!(store.apply(&[change(8, now)]).await.unwrap()[0], Outcome::Applied(_)));
    assert_eq!(store.log(&BoardId::main(), Version::ZERO, 100).await.unwrap().len(), 8);
    assert!(is_clean(&store).await);
}

#[tokio::test]
async fn a_part_is_there_before_it_is_needed() {
    let schema = Schema::create().await;
    let store = schema.store().await;
    main_board(&store).await;
    for days in [0, 2, 20, 28] {
        assert!(matches!(store.apply(&[in_days(days.into(), days)]).await.unwrap()[0], Outcome::Applied(_)));
    }
    let expected = [(1, "log_actions_1"), (2, "log_actions_2"), (3, "log_actions_2"), (4, "log_actions_2")];
    assert_eq!(places(&schema).await, expected.map(|(version, name)| (version, name.to_owned())));
}

/// Whatever its id, a change counts while parts are made under it, and what was waiting for its part is moved into it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_made_under_those_who_write_and_read() {
    const PARTS: u32 = 8;
    let schema = Schema::create().await;
    let store = schema.store().await;
    main_board(&store).await;
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|writer: u64| {
            let (store, done) = (store.clone(), done.clone());
            tokio::spawn(async move {
                let mut made = 0;
                while !done.load(Ordering::Relaxed) {
                    // Ids of parts that are there, that are being made, and that are not there yet.
                    let days = (0..8).map(|place| 30 << place);
                    let batch: Vec<_> = days.zip(made..).map(|(days, n)| in_days(n * 3 + writer, days)).collect();
                    made += 8;
                    for outcome in store.apply(&batch).await.expect("a part that is made refuses nobody") {
                        assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
                    }
                    let (_, row) = store.action(batch[7].action_id).await.unwrap().expect("it counted");
                    let behind = Version::new(row.position.version.get() - 1);
                    assert_eq!(store.log(&BoardId::main(), behind, 1).await.unwrap(), [row]);
                }
                made
            })
        })
        .collect();
    let version = async || store.board(&BoardId::main()).await.unwrap().unwrap().version.get();
    for part in 1..=PARTS {
        let from = version().await;
        while version().await < from + 200 {}
        // The wider, the sooner the next is due; who opens the database makes it, or else who opens it next.
        let config = Config { log_part: DAY * (30 << part), ..schema.config() };
        PostgresStore::open(&config).await.unwrap().close().await;
    }
    done.store(true, Ordering::Relaxed);
    let mut applied = 0;
    for writer in writers {
        applied += writer.await.unwrap();
    }
    assert_eq!(version().await, applied);
    assert!(is_clean(&store).await);
    let mut connection = PgConnection::connect(schema.url()).await.unwrap();
    let parts: i64 = sqlx::query_scalar("SELECT count(*) FROM log_parts").fetch_one(&mut connection).await.unwrap();
    assert!(parts > 5, "{parts} parts were made");
    let beyond =
        "SELECT count(*) FROM log_actions_other, (SELECT below FROM log_parts ORDER BY below DESC LIMIT 1) AS last
                  WHERE action_id < last.below";
    let beyond: i64 = sqlx::query_scalar(beyond).fetch_one(&mut connection).await.unwrap();
    assert_eq!(beyond, 0, "what a part is for lies in it");
}

/// A backup reads for hours, say.
#[tokio::test]
async fn a_part_that_cannot_be_made_keeps_nobody_out() {
    let schema = Schema::create().await;
    let store = schema.store().await;
    main_board(&store).await;
    let mut reader = PgConnection::connect(schema.url()).await.unwrap();
    let mut tx = reader.begin().await.unwrap();
    sqlx::query("SELECT FROM log").execute(&mut *tx).await.unwrap();
    let wider = Config { log_part: DAY * 90, ..schema.config() };
    let other = PostgresStore::open(&wider).await.unwrap();
    assert!(matches!(other.apply(&[in_days(1, 40)]).await.unwrap()[0], Outcome::Applied(_)));
    assert_eq!(places(&schema).await, [(1, "log_actions_other".to_owned())]);
    tx.rollback().await.unwrap();
    let _again = PostgresStore::open(&wider).await.unwrap();
    assert_eq!(places(&schema).await, [(1, "log_actions_3".to_owned())]);
}
