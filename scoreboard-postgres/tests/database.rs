//! Which databases are opened, and what a store does there beside what every store must.

mod support;

use std::error::Error as _;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use scoreboard_core::accounts::SessionStore;
use scoreboard_core::{
    ActionId, AtMost, BackendError, BoardId, BoardSpec, Chain, Change, CreateBoard, Epoch, ErrorKind, Fingerprint,
    Origin, Outcome, PageQuery, Points, Range, RankStyle, Refusal, ScoreStore, Season, SessionId, Timestamp, UserId,
};
use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use scoreboard_postgres::{Config, PostgresStore};
use support::{Schema, Server, run, server};
use tokio::time::Instant;

/// A change that no other number makes.
fn change(number: u64, board: &BoardId) -> Change {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Change {
        action_id: ActionId::from_bytes(id),
        fingerprint: Fingerprint::from_bytes([1; 16]),
        board: board.clone(),
        season: Season::FIRST,
        user_id: UserId::for_name("test", &number.to_string()),
        kind: "win".parse().expect("a kind"),
        points: Points::new(1).expect("points"),
        origin: Origin::Action,
        at: Timestamp::from_millis(1_700_000_000_000),
        at_most: None,
        admitted: None,
    }
}

async fn board(store: &PostgresStore, name: &str) -> BoardId {
    let id = BoardId::new(name).expect("an id");
    assert_eq!(store.create_board(&BoardSpec::new(id.clone())).await.expect("a working store"), CreateBoard::Created);
    id
}

async fn version(store: &PostgresStore, board: &BoardId) -> u64 {
    store.board(board).await.expect("a working store").expect("a board").version.get()
}

async fn refusal(config: &Config) -> BackendError {
    let error = PostgresStore::open(config).await.expect_err("it is not opened");
    assert!(error.source().is_some(), "the cause is told");
    error
}

#[tokio::test]
async fn what_was_written_is_there_after_a_reopen() {
    let schema = Schema::create().await;
    let store = schema.store().await;
    let main = board(&store, "main").await;
    let _ = store.apply(&[change(1, &main)]).await.unwrap();
    store.close().await;
    assert_eq!(store.board(&main).await.unwrap_err().kind(), ErrorKind::Unavailable, "it is closed");
    assert_eq!(version(&schema.store().await, &main).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_schema_is_filled_once_though_several_open_it() {
    let schema = Schema::create().await;
    let opens: Vec<_> = (0..6)
        .map(|_| {
            let config = schema.config();
            tokio::spawn(async move { PostgresStore::open(&config).await })
        })
        .collect();
    let mut created = 0;
    for open in opens {
        let store = open.await.unwrap().unwrap();
        let made = store.create_board(&BoardSpec::new(BoardId::main())).await.unwrap();
        created += u32::from(made == CreateBoard::Created);
    }
    assert_eq!(created, 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused_in_a_sentence() {
    let schema = Schema::create().await;
    schema.store().await.close().await;
    run(
        schema.url(),
        "INSERT INTO scoreboard_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', TRUE, '\\x00', 0)",
    )
    .await;
    let error = refusal(&schema.config()).await;
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Corrupt, false));
    assert!(Chain(&error).to_string().contains("written by a newer version"), "{}", Chain(&error));
}

#[tokio::test]
async fn an_altered_schema_is_refused() {
    let schema = Schema::create().await;
    schema.store().await.close().await;
    run(schema.url(), "UPDATE scoreboard_migrations SET checksum = '\\x00'").await;
    assert_eq!(refusal(&schema.config()).await.kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn another_programs_tables_are_left_alone() {
    let schema = Schema::create().await;
    run(schema.url(), "CREATE TABLE boards (name text)").await;
    assert_eq!(refusal(&schema.config()).await.kind(), ErrorKind::Refused);
    // Nothing of the schema is there: it is one transaction.
    run(schema.url(), "CREATE TABLE meta (name text)").await;
}

#[tokio::test]
async fn a_session_that_commits_without_a_sync_is_refused() {
    let schema = Schema::create().await;
    let url = format!("{}%20-c%20synchronous_commit%3Doff", schema.url());
    let error = refusal(&Config::from_url(&url).unwrap()).await;
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(Chain(&error).to_string().contains("synchronous_commit=off"), "{}", Chain(&error));
}

#[tokio::test]
async fn a_server_that_may_lose_what_it_acknowledged_is_refused() {
    for setting in ["fsync=off", "full_page_writes=off"] {
        let server = Server::start(&[setting]);
        let error = refusal(&Config::from_url(server.url()).unwrap()).await;
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(Chain(&error).to_string().contains(setting), "{}", Chain(&error));
    }
}

#[tokio::test]
async fn wrong_urls_are_refused_at_once_and_in_time() {
    let url = server().url();
    assert_eq!(PostgresStore::from_url("sqlite://a.db").await.unwrap_err().kind(), ErrorKind::Refused);
    let (before, _) = url.rsplit_once('/').unwrap();
    let missing = Config::from_url(&format!("{before}/no_such_database")).unwrap();
    assert_eq!(refusal(&missing).await.kind(), ErrorKind::Refused);
    let nobody = Config::from_url("postgres://postgres@127.0.0.1:1/postgres").unwrap();
    assert_eq!(refusal(&nobody).await.kind(), ErrorKind::Unavailable);
    // Whoever demands TLS is not left with a plain connection.
    let mark = if url.contains('?') { '&' } else { '?' };
    let tls = Config::from_url(&format!("{url}{mark}sslmode=require")).unwrap();
    let error = refusal(&tls).await;
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(Chain(&error).to_string().contains("TLS"), "{}", Chain(&error));
}

/// Two transactions that do not see each other bring one id to two boards: the boards' locks do not keep them apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_on_two_boards_at_once_counts_on_one() {
    let Opened { store, .. } = &open().await;
    let boards = [board(store, "one").await, board(store, "two").await];
    for round in 0..40 {
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                // Ids in two orders, so that they also wait for each other.
                let mut batch: Vec<_> = (0..3).map(|id| change(round * 3 + id, &boards[n % 2])).collect();
                if n % 4 < 2 {
                    batch.reverse();
                }
                let store = store.clone();
                tokio::spawn(async move { store.apply(&batch).await })
            })
            .collect();
        let mut applied = 0;
        for task in tasks {
            for outcome in task.await.unwrap().unwrap() {
                assert!(outcome.receipt().is_some(), "round {round}: {outcome:?}");
                applied += u32::from(matches!(outcome, Outcome::Applied(_)));
            }
        }
        assert_eq!(applied, 3, "round {round}: each counts once");
    }
    assert_eq!(version(store, &boards[0]).await + version(store, &boards[1]).await, 120);
}

/// The one that comes second waits for the first, sees it, and answers as if it had come later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_the_race_for_an_id_is_told_as_if_he_came_later() {
    let Opened { store, schema } = &open().await;
    let (one, two) = (board(store, "one").await, board(store, "two").await);
    for (number, fingerprint) in [(1, [1; 16]), (2, [2; 16])] {
        let first = change(number, &one);
        // The first has written its row, and not committed.
        let mut connection = PgConnection::connect(schema.url()).await.unwrap();
        let mut tx = connection.begin().await.unwrap();
        sqlx::query(
            "INSERT INTO log SELECT no, version + 1, 1, $1, '01010101-0101-0101-0101-010101010101', 1, $2, 'win', 1, 'action',
                                    NULL, NULL, NULL, 1, 0 FROM boards WHERE id = 'one'",
        )
        .bind(first.action_id.as_uuid())
        .bind(first.user_id.as_uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
        sqlx::query("UPDATE boards SET version = version + 1 WHERE id = 'one'").execute(&mut *tx).await.unwrap();
        let second = Change { board: two.clone(), fingerprint: Fingerprint::from_bytes(fingerprint), ..first.clone() };
        let task = tokio::spawn({
            let store = store.clone();
            async move { store.apply(&[second]).await }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!task.is_finished(), "it waits");
        tx.commit().await.unwrap();
        let outcome = task.await.unwrap().unwrap().remove(0);
        match number {
            1 => assert!(matches!(&outcome, Outcome::Replayed(receipt) if receipt.board == one), "{outcome:?}"),
            _ => assert_eq!(outcome, Outcome::Refused(Refusal::FingerprintMismatch)),
        }
    }
    assert_eq!(version(store, &two).await, 0);
}

#[tokio::test]
async fn a_lock_that_is_not_had_in_time_changes_nothing() {
    let schema = Schema::create().await;
    let config = Config { lock_timeout: Duration::from_millis(50), ..schema.config() };
    let store = PostgresStore::open(&config).await.unwrap();
    let main = board(&store, "main").await;
    let mut connection = PgConnection::connect(schema.url()).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM boards FOR UPDATE").execute(&mut *tx).await.unwrap();
    let error = store.apply(&[change(1, &main)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Contended);
    // A read does not wait.
    assert_eq!(version(&store, &main).await, 0);
    tx.rollback().await.unwrap();
    assert!(matches!(store.apply(&[change(1, &main)]).await.unwrap()[0], Outcome::Applied(_)));
}

#[tokio::test]
async fn too_many_calls_are_told_so() {
    let schema = Schema::create().await;
    let config = Config { connections: 1, acquire_timeout: Duration::from_millis(200), ..schema.config() };
    let store = PostgresStore::open(&config).await.unwrap();
    let main = board(&store, "main").await;
    let mut connection = PgConnection::connect(schema.url()).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM boards FOR UPDATE").execute(&mut *tx).await.unwrap();
    // What is counted under the lock waits for it on a connection of the pool.
    let at_most = Some(AtMost { count: 1, since: Timestamp::from_millis(0) });
    let waiting = tokio::spawn({
        let (store, change) = (store.clone(), Change { at_most, ..change(1, &main) });
        async move { store.apply(&[change]).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(store.board(&main).await.unwrap_err().kind(), ErrorKind::Overloaded);
    tx.rollback().await.unwrap();
    let _ = waiting.await.unwrap().unwrap();
}

/// A caller who goes away while his transaction begins leaves no connection behind in which it goes on.
#[tokio::test]
async fn a_dropped_call_leaves_no_transaction_behind() {
    let schema = Schema::create().await;
    let store = PostgresStore::open(&Config { connections: 1, ..schema.config() }).await.unwrap();
    let main = BoardId::main();
    let top = PageQuery { season: None, range: Range::Top { limit: 1 }, style: RankStyle::Ordinal };
    for number in 0..40 {
        let page_is_done = dropped_after(number, store.page(&main, top)).await;
        // A single statement: in a transaction that only reads it would fail, in one that is never committed it would be lost.
        store.end_session(SessionId::from_bytes([1; 16]), Timestamp::from_millis(1)).await.unwrap();
        let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = current_setting('application_name')
                    AND state LIKE 'idle in transaction%'";
        let mut beside = PgConnection::connect(schema.url()).await.unwrap();
        assert_eq!(sqlx::query_scalar::<_, i64>(open).fetch_one(&mut beside).await.unwrap(), 0, "{number} polls");
        if page_is_done {
            return;
        }
    }
    panic!("a page takes more than 39 polls");
}

/// Polls a call so often and drops it, while what it waits for is under way; whether it was done by then.
async fn dropped_after<T>(polls: u64, call: impl Future<Output = T>) -> bool {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Whoever is cut off by the server between two calls is connected anew.
#[tokio::test]
async fn a_lost_connection_is_replaced() {
    let Opened { store, schema } = &open().await;
    let main = board(store, "main").await;
    for number in 0..5 {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
        run(schema.url(), cut).await;
        assert!(matches!(store.apply(&[change(number, &main)]).await.unwrap()[0], Outcome::Applied(_)));
    }
}

/// The planner knows nothing of a table that was never analysed, and would as soon walk a whole board for each user.
#[tokio::test]
async fn a_batch_looks_its_users_up_by_their_key_on_a_board_that_is_new_and_grows() {
    let Opened { store, schema } = &open().await;
    run(schema.url(), "ALTER TABLE scores SET (autovacuum_enabled = off)").await;
    let main = board(store, "main").await;
    for batch in 0..8 {
        let changes: Vec<_> = (0..50).map(|number| change(batch * 50 + number, &main)).collect();
        assert_eq!(store.apply(&changes).await.unwrap().len(), 50);
    }
    // What a session has done is told when it ends, and not before.
    store.close().await;
    let mut connection = PgConnection::connect(schema.url()).await.unwrap();
    let statement = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelid = $1::text::regclass";
    let mut by_key: i64 = 0;
    for _ in 0..100 {
        let in_order: i64 =
            sqlx::query_scalar(statement).bind("scores_in_order").fetch_one(&mut connection).await.unwrap();
        assert_eq!(in_order, 0, "walks through the board");
        by_key = sqlx::query_scalar(statement).bind("scores_pkey").fetch_one(&mut connection).await.unwrap();
        if by_key >= 400 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{by_key} users of 400 were looked up");
}

/// Ends every connection of the store when one of them sleeps inside the server.
async fn cut_while_it_sleeps(schema: &Schema) {
    const CUT: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                       WHERE application_name = current_setting('application_name') AND wait_event = 'PgSleep'";
    let mut connection = PgConnection::connect(schema.url()).await.expect("it connects");
    while sqlx::query_scalar::<_, i64>(CUT).fetch_one(&mut connection).await.expect("it runs") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The difference that the caller has to know: before the commit nothing was changed, at the commit nobody knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_at_the_commit_leaves_it_unknown() {
    for (when, kind) in
        [("NOT DEFERRABLE", ErrorKind::Unavailable), ("DEFERRABLE INITIALLY DEFERRED", ErrorKind::OutcomeUnknown)]
    {
        let Opened { store, schema } = &open().await;
        let main = board(store, "main").await;
        let sleeping = format!(
            "CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
             CREATE CONSTRAINT TRIGGER sleeps AFTER INSERT ON log {when} FOR EACH ROW EXECUTE FUNCTION sleep()"
        );
        run(schema.url(), &sleeping).await;
        let batch = [change(1, &main)];
        let (failed, ()) = tokio::join!(store.apply(&batch), cut_while_it_sleeps(schema));
        assert_eq!(failed.unwrap_err().kind(), kind, "{when}");
        run(schema.url(), "DROP TRIGGER sleeps ON log").await;
        // Either way, the same call again settles it.
        let outcome = store.apply(&batch).await.unwrap().remove(0);
        assert!(outcome.receipt().is_some(), "{when}: {outcome:?}");
        assert_eq!(version(store, &main).await, 1, "{when}");
    }
}

/// A statement that takes too long is given up, and nothing of its batch is there.
#[tokio::test]
async fn a_statement_that_takes_too_long_changes_nothing() {
    let schema = Schema::create().await;
    let store = PostgresStore::open(&Config { statement_timeout: Duration::from_millis(200), ..schema.config() }).await;
    let store = store.unwrap();
    let main = board(&store, "main").await;
    let sleeping =
        "CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
                    CREATE TRIGGER sleeps AFTER INSERT ON log FOR EACH ROW EXECUTE FUNCTION sleep()";
    run(schema.url(), sleeping).await;
    assert_eq!(store.apply(&[change(1, &main)]).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(version(&store, &main).await, 0);
    assert_eq!(store.action(change(1, &main).action_id).await.unwrap(), None);
}

/// Who falls silent in the middle of a batch is cut off by the server, and those who wait for its locks go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_silent_in_a_transaction_is_cut_off() {
    let schema = Schema::create().await;
    let idle_in_transaction_timeout = Duration::from_millis(300);
    let config = schema.config().with_call_timeout(Duration::from_secs(20));
    let store = PostgresStore::open(&Config { idle_in_transaction_timeout, ..config.clone() }).await.unwrap();
    let other = PostgresStore::open(&config).await.unwrap();
    let main = board(&store, "main").await;
    let mut beside = PgConnection::connect(schema.url()).await.unwrap();
    // What is counted is counted under the lock of its board.
    let at_most = Some(AtMost { count: 1, since: Timestamp::from_millis(0) });
    let batch = [Change { at_most, ..change(1, &main) }];
    let mut silent = Box::pin(store.apply(&batch));
    let holds = "SELECT (SELECT count(*) FROM (SELECT FROM boards FOR UPDATE SKIP LOCKED) AS free) = 0 AND EXISTS (
                     SELECT FROM pg_stat_activity
                     WHERE application_name = current_setting('application_name') AND state = 'idle in transaction')";
    while !sqlx::query_scalar::<_, bool>(holds).fetch_one(&mut beside).await.unwrap() {
        assert!((&mut silent).now_or_never().is_none(), "it was never seen to wait for the client");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    assert!(matches!(other.apply(&[change(2, &main)]).await.unwrap()[0], Outcome::Applied(_)));
    assert!(began.elapsed() < idle_in_transaction_timeout * 10, "{:?}", began.elapsed());
    // It had not come to its commit.
    assert_eq!(silent.await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(version(&store, &main).await, 1);
    assert!(matches!(store.apply(&batch).await.unwrap()[0], Outcome::Applied(_)));
}

/// No change ends in an epoch after the next one has begun.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_does_not_begin_inside_a_batch() {
    let Opened { store, .. } = &open().await;
    let main = board(store, "main").await;
    let writer = tokio::spawn({
        let (store, main) = (store.clone(), main.clone());
        async move {
            for number in 0..150 {
                let _ = store.apply(&[change(number, &main)]).await.unwrap();
            }
        }
    });
    for epoch in 1..=20 {
        assert_eq!(store.raise_epoch(Epoch::new(epoch)).await.unwrap(), Epoch::new(epoch + 1));
        let from = store.board(&main).await.unwrap().unwrap().version;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let later = store.log(&main, from, 1000).await.unwrap();
        assert!(later.iter().all(|row| row.position.epoch.get() == epoch + 1), "epoch {epoch}: {later:?}");
    }
    writer.await.unwrap();
}

/// A store, and the schema that it is in.
struct Opened {
    store: PostgresStore,
    schema: Schema,
}

async fn open() -> Opened {
    let schema = Schema::create().await;
    Opened { store: schema.store().await, schema }
}
