//! Batches that take no lock while they are decided: what happens between their reading and their writing is not missed.

mod support;

use std::time::Duration;

use scoreboard_core::{
    Audit, BoardId, BoardSpec, Change, Clock, Epoch, Origin, Outcome, Receipt, Refusal, ScoreStore, SystemClock, verify,
};
use scoreboard_postgres::PostgresStore;
use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use support::Schema;
use support::changes::{change, main_board};

/// What a session of the schema last asked for, where that was to write a batch.
const WRITES: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = current_setting('application_name')
                      AND pid <> pg_backend_pid() AND query LIKE 'WITH moved AS%' AND ";

/// That bans whoever is in the log.
const DECISION: &str = "INSERT INTO moderations (id, at, by, reason, act, changed, corrections)
    VALUES ('00000000-0000-0000-0000-000000000001', 1, 'a test', 'a test', '{}', 0, 0);
    INSERT INTO restrictions SELECT DISTINCT log.user_id, 'banned', no FROM log, moderations";

async fn a_board() -> (Schema, PostgresStore, Change) {
    let schema = Schema::create().await;
    let store = schema.store().await;
    main_board(&store).await;
    let one = change(1, SystemClock.now());
    let _ = store.apply(std::slice::from_ref(&one)).await.expect("it counts");
    (schema, store, one)
}

async fn count(connection: &mut PgConnection, sessions: &str) -> i64 {
    let query = format!("{WRITES}{sessions}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(connection).await.expect("it counts")
}

/// Applies a change, and lets another session lock and alter something when the batch has been read and is about to be written.
async fn altered_meanwhile(
    schema: &Schema,
    store: &PostgresStore,
    change: &Change,
    lock: &'static str,
    alter: &'static str,
) -> Outcome {
    let mut other = PgConnection::connect(schema.url()).await.expect("it connects");
    let mut beside = PgConnection::connect(schema.url()).await.expect("it connects");
    let mut tx = other.begin().await.expect("it begins");
    sqlx::raw_sql(lock).execute(&mut *tx).await.expect("nobody else has it");
    let task = tokio::spawn({
        let (store, change) = (store.clone(), change.clone());
        async move { store.apply(&[change]).await }
    });
    while count(&mut beside, "wait_event_type = 'Lock'").await == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    sqlx::raw_sql(alter).execute(&mut *tx).await.expect("it has the lock");
    tx.commit().await.expect("it commits");
    task.await.expect("no panic").expect("a working store").remove(0)
}

/// A board with somebody on it whose score was written more than once: what the next batch is decided on is remembered.
async fn a_known_user() -> (Schema, PostgresStore, Change) {
    let (schema, store, one) = a_board().await;
    let two = Change { user_id: one.user_id, ..change(2, SystemClock.now()) };
    let _ = store.apply(std::slice::from_ref(&two)).await.expect("it counts");
    (schema, store, two)
}

/// The user's next change, after another session has done something.
async fn altered_before(alter: &'static str) -> (PostgresStore, Outcome) {
    let (schema, store, known) = a_known_user().await;
    let mut other = PgConnection::connect(schema.url()).await.expect("it connects");
    sqlx::raw_sql(alter).execute(&mut other).await.expect("it may");
    let next = Change { user_id: known.user_id, ..change(3, SystemClock.now()) };
    let outcome = store.apply(&[next]).await.expect("a working store").remove(0);
    (store, outcome)
}

fn receipt(outcome: &Outcome) -> &Receipt {
    outcome.receipt().unwrap_or_else(|| panic!("{outcome:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_written_by_one_statement_that_leaves_nothing_locked() {
    let (schema, store, one) = a_board().await;
    let mut beside = PgConnection::connect(schema.url()).await.expect("it connects");
    for number in 2..5 {
        let next = Change { user_id: one.user_id, ..change(number, SystemClock.now()) };
        assert_eq!(receipt(&store.apply(&[next]).await.expect("it counts")[0]).version.get(), number);
        assert_eq!(count(&mut beside, "state = 'idle'").await, 1, "its last word was the write");
    }
    store.close().await;
    assert!(store.apply(&[one]).await.is_err(), "it is closed");
    while count(&mut beside, "true").await > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_in_between_is_not_slipped_past() {
    let (schema, store, one) = a_board().await;
    let again = Change { user_id: one.user_id, ..change(2, SystemClock.now()) };
    let ban = "WITH decided AS (INSERT INTO moderations (id, at, by, reason, act, changed, corrections)
                                VALUES ('00000000-0000-0000-0000-000000000001', 1, 'a test', 'a test', '{}', 0, 0) RETURNING no)
               INSERT INTO restrictions SELECT DISTINCT log.user_id, 'banned', decided.no FROM log, decided";
    let lock = "LOCK TABLE boards IN EXCLUSIVE MODE";
    let outcome = altered_meanwhile(&schema, &store, &again, lock, ban).await;
    assert!(matches!(outcome, Outcome::Refused(Refusal::Banned)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_epoch_in_between_is_the_receipts() {
    let (schema, store, _) = a_board().await;
    let lock = "LOCK TABLE boards IN EXCLUSIVE MODE";
    let next = change(2, SystemClock.now());
    let outcome = altered_meanwhile(&schema, &store, &next, lock, "UPDATE meta SET epoch = epoch + 1").await;
    assert_eq!(receipt(&outcome).epoch, Epoch::new(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_that_closes_in_between_takes_no_more() {
    let (schema, store, _) = a_board().await;
    let lock = "LOCK TABLE boards IN EXCLUSIVE MODE";
    let close = "UPDATE meta SET actions_from = 'ffffffff-ffff-ffff-ffff-ffffffffffff'";
    let outcome = altered_meanwhile(&schema, &store, &change(2, SystemClock.now()), lock, close).await;
    assert!(matches!(outcome, Outcome::Refused(Refusal::Archived)), "{outcome:?}");
}

/// Of the board, whatever it is: its version is not all that a batch is decided on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_is_changed_in_between_is_the_changed_one() {
    let (schema, store, one) = a_board().await;
    let again = Change { user_id: one.user_id, ..change(2, SystemClock.now()) };
    let lock = "SELECT FROM boards FOR UPDATE";
    let outcome = altered_meanwhile(&schema, &store, &again, lock, "UPDATE boards SET operator = 'set'").await;
    assert_eq!(receipt(&outcome).score.get(), 1, "it is set to one, and not raised by one");
}

/// A user has a row on each of two boards. Whatever lies where one of them was read, once the table is written anew: it is not taken for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_moved_in_between_are_not_taken_for_others() {
    let (schema, store, one) = a_board().await;
    let other: BoardId = "other".parse().expect("a board");
    let _ = store.create_board(&BoardSpec::new(other.clone())).await.expect("a working store");
    let there = Change { user_id: one.user_id, board: other.clone(), ..change(2, SystemClock.now()) };
    let _ = store.apply(&[there]).await.expect("it counts");
    let mut beside = PgConnection::connect(schema.url()).await.expect("it connects");
    let places = "SELECT string_agg(ctid::text, ' ' ORDER BY board) FROM scores";
    let mut place = async || sqlx::query_scalar::<_, String>(places).fetch_one(&mut beside).await.expect("it is read");
    let before = place().await;

    let again = Change { user_id: one.user_id, ..change(3, SystemClock.now()) };
    let lock = "LOCK TABLE boards IN EXCLUSIVE MODE";
    let anew = "CREATE INDEX backwards ON scores (board DESC); CLUSTER scores USING backwards";
    let outcome = altered_meanwhile(&schema, &store, &again, lock, anew).await;
    assert_eq!(receipt(&outcome).score.get(), 2);
    let [first, second]: [&str; 2] = before.split(' ').collect::<Vec<_>>().try_into().expect("two rows");
    assert_ne!(first, second, "else they cannot be mistaken");
    let after = place().await;
    assert_ne!(after.split(' ').nth(1), Some(second), "what nobody changed was moved");
    for board in [BoardId::main(), other] {
        let audit = verify(&store, &board, |_, _| {}).await.expect("it reads");
        assert!(matches!(audit, Audit::Clean { scores: 1, .. }), "{board}: {audit:?}");
    }
}

/// What a statement waits for, it sees, whatever the database's own default is: at a higher level it would look before it waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_databases_level_of_isolation_changes_nothing() {
    let schema = Schema::create().await;
    let url = format!("{}%20-c%20default_transaction_isolation%3Dserializable", schema.url());
    let store = PostgresStore::from_url(&url).await.expect("it opens");
    main_board(&store).await;
    let _ = store.apply(&[change(1, SystemClock.now())]).await.expect("it counts");
    let lock = "LOCK TABLE boards IN EXCLUSIVE MODE";
    let next = change(2, SystemClock.now());
    let outcome = altered_meanwhile(&schema, &store, &next, lock, "UPDATE meta SET epoch = epoch + 1").await;
    assert_eq!(receipt(&outcome).epoch, Epoch::new(2));
}

/// Where signed actions lie, each is unique; but its id may have counted as something else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_counts_once_whatever_it_came_as() {
    let (_schema, store, _) = a_board().await;
    let now = SystemClock.now();
    for (number, origins) in [(2, [Origin::Record, Origin::Action]), (3, [Origin::Action, Origin::Record])] {
        let [first, second] = origins.map(|origin| Change { origin, ..change(number, now) });
        let first = store.apply(&[first]).await.expect("it counts").remove(0);
        let second = store.apply(&[second]).await.expect("it is known").remove(0);
        assert!(matches!(second, Outcome::Replayed(_)), "{origins:?}: {second:?}");
        assert_eq!(receipt(&first).version, receipt(&second).version);
    }
}

/// A batch with a repeat is begun anew under the lock, and those behind it look for repeats before they write. None of them leaves a gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_among_others_are_answered_and_leave_no_gap() {
    let (_schema, store, one) = a_board().await;
    for number in 2..80 {
        let next = change(number, SystemClock.now());
        let outcomes = store.apply(&[next, one.clone()]).await.expect("a working store");
        assert_eq!(receipt(&outcomes[0]).version.get(), number);
        assert!(matches!(&outcomes[1], Outcome::Replayed(first) if first.version.get() == 1), "{outcomes:?}");
    }
    let audit = verify(&store, &BoardId::main(), |_, _| {}).await.expect("it reads");
    assert!(matches!(audit, Audit::Clean { scores: 79, .. }), "{audit:?}");
}

/// While nobody can look at a score: who was to read it would wait for that, and not write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_written_before_is_not_read_again() {
    let (schema, store, known) = a_known_user().await;
    let next = Change { user_id: known.user_id, ..change(3, SystemClock.now()) };
    let lock = "LOCK TABLE scores IN ACCESS EXCLUSIVE MODE";
    let written = altered_meanwhile(&schema, &store, &next, lock, "SELECT");
    let outcome = tokio::time::timeout(Duration::from_secs(5), written).await.expect("it comes to its write");
    assert_eq!((receipt(&outcome).score.get(), receipt(&outcome).version.get()), (3, 3));
}

/// And is found where it lies, as the plan says that the server makes of the statement: by none of the table's indexes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_written_before_is_written_without_being_looked_for() {
    const BATCHES: u64 = 50;
    let (schema, store, known) = a_known_user().await;
    let mut beside = PgConnection::connect(schema.url()).await.expect("it connects");
    let seen = "SELECT n_tup_upd, coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE schemaname = current_schema() AND relname = 'scores'";
    let mut seen = async || sqlx::query_as::<_, (i64, i64)>(seen).fetch_one(&mut beside).await.expect("it counts");
    let next = async |number| {
        let next = Change { user_id: known.user_id, ..change(number, SystemClock.now()) };
        let _ = store.apply(&[next]).await.expect("it counts");
    };
    for number in 3..3 + BATCHES {
        next(number).await;
    }
    // A session says what it did when it has done something again, a second later.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    next(3 + BATCHES).await;
    let told = async {
        loop {
            let (updated, looked_for) = seen().await;
            if updated.cast_unsigned() > BATCHES {
                return looked_for;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let looked_for = tokio::time::timeout(Duration::from_secs(20), told).await.expect("it is told");
    assert!(looked_for < 10, "{looked_for} of {BATCHES}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_remembered_is_not_taken_for_what_is() {
    let (_, outcome) = altered_before(DECISION).await;
    assert!(matches!(outcome, Outcome::Refused(Refusal::Banned)), "{outcome:?}");

    let (_, outcome) = altered_before("UPDATE meta SET epoch = epoch + 1").await;
    assert_eq!(receipt(&outcome).epoch, Epoch::new(2));

    let close = "UPDATE meta SET actions_from = 'ffffffff-ffff-ffff-ffff-ffffffffffff'";
    let (_, outcome) = altered_before(close).await;
    assert!(matches!(outcome, Outcome::Refused(Refusal::Archived)), "{outcome:?}");

    let (_, outcome) = altered_before("UPDATE boards SET operator = 'set'").await;
    assert_eq!(receipt(&outcome).score.get(), 1, "it is set to one, and not raised by one");

    // Somebody else wrote a change, and the user's score with it.
    let others = "UPDATE boards SET version = 7; UPDATE scores SET score = 5, order_score = -5";
    let (_, outcome) = altered_before(others).await;
    assert_eq!((receipt(&outcome).score.get(), receipt(&outcome).version.get()), (6, 8));

    let moved = "CREATE INDEX backwards ON scores (board DESC); CLUSTER scores USING backwards";
    let (store, outcome) = altered_before(moved).await;
    assert_eq!((receipt(&outcome).score.get(), receipt(&outcome).version.get()), (3, 3));
    let audit = verify(&store, &BoardId::main(), |_, _| {}).await.expect("it reads");
    assert!(matches!(audit, Audit::Clean { scores: 1, .. }), "{audit:?}");
}

/// A board that is not there is forgotten, and those that were named beside it are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_is_not_there_does_the_others_no_harm() {
    let (_schema, store, known) = a_known_user().await;
    let next = |number| Change { user_id: known.user_id, ..change(number, SystemClock.now()) };
    let nowhere = Change { board: "nowhere".parse().expect("a board"), ..next(3) };
    let outcomes = store.apply(&[nowhere, next(4)]).await.expect("a working store");
    assert!(matches!(outcomes[0], Outcome::Refused(Refusal::UnknownBoard)), "{outcomes:?}");
    for number in 5..9 {
        let outcome = store.apply(&[next(number)]).await.expect("a working store").remove(0);
        assert_eq!(receipt(&outcome).score.get(), i64::try_from(number).expect("small") - 1);
    }
}

/// Of others a batch has read what is so since the decision; of whom it did not read, nothing is known any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_is_not_slipped_past_behind_anothers_batch() {
    let (schema, store, known) = a_known_user().await;
    let mut other = PgConnection::connect(schema.url()).await.expect("it connects");
    sqlx::raw_sql(DECISION).execute(&mut other).await.expect("it may");
    let _ = store.apply(&[change(3, SystemClock.now())]).await.expect("it counts");
    let next = Change { user_id: known.user_id, ..change(4, SystemClock.now()) };
    let outcome = store.apply(&[next]).await.expect("a working store").remove(0);
    assert!(matches!(outcome, Outcome::Refused(Refusal::Banned)), "{outcome:?}");
}

/// What is remembered says nothing of whether an id has counted, as what it may have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_of_who_was_written_before_counts_once_whatever_it_came_as() {
    let (_schema, store, known) = a_known_user().await;
    for (number, origins) in [(3, [Origin::Action, Origin::Action]), (4, [Origin::Record, Origin::Action])] {
        // Back to batches of which nothing says that they may bring repeats.
        for warm in 0..80 {
            let next = Change { user_id: known.user_id, ..change(1_000 * number + warm, SystemClock.now()) };
            let _ = store.apply(&[next]).await.expect("it counts");
        }
        let now = SystemClock.now();
        let [first, second] = origins.map(|origin| Change { origin, user_id: known.user_id, ..change(number, now) });
        let first = store.apply(&[first]).await.expect("it counts").remove(0);
        let second = store.apply(&[second]).await.expect("it is known").remove(0);
        assert!(matches!(second, Outcome::Replayed(_)), "{origins:?}: {second:?}");
        assert_eq!(receipt(&first).version, receipt(&second).version);
    }
    let audit = verify(&store, &BoardId::main(), |_, _| {}).await.expect("it reads");
    assert!(matches!(audit, Audit::Clean { scores: 1, .. }), "{audit:?}");
}
