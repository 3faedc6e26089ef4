//! What the planner may take a table for while it knows nothing of it: rows are looked up all the same, and never walked to.
//!
//! A plan is kept until somebody has looked how large its tables are, a minute later perhaps. One that was bad for so long let nodes that share a board
//! take each other for gone, at a quarter of the throughput.

mod support;

use std::time::Duration;

use scoreboard_core::{AtMost, BoardId, Change, Clock, Outcome, ScoreStore, SystemClock, Timestamp, UserId, Version};
use scoreboard_postgres::PostgresStore;
use scoreboard_postgres::sqlx::{self, AssertSqlSafe, Connection, PgConnection};
use support::changes::{change, main_board};
use support::{Schema, run};

const USERS: u64 = 100;

/// Nobody looks how large the tables are; and the indexes by which users are found have a level more than those by which they must not be.
const MISLEADING: &str = "
    DO $$ DECLARE part regclass; BEGIN
        FOR part IN SELECT relid FROM pg_partition_tree('log') WHERE isleaf UNION SELECT 'scores'::regclass LOOP
            EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', part);
        END LOOP;
        FOR part IN SELECT indexrelid FROM pg_stat_user_indexes WHERE schemaname = current_schema()
                       AND pg_get_indexdef(indexrelid) ~ '[(]board, (season, user_id[)]|user_id, version)' LOOP
            EXECUTE format('ALTER INDEX %s SET (fillfactor = 10)', part);
            EXECUTE format('REINDEX INDEX %s', part);
        END LOOP;
    END $$";

/// Each of these once.
async fn counts(store: &PostgresStore, changes: &[Change]) {
    let outcomes = store.apply(changes).await.expect("a working store");
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Applied(_))), "{outcomes:?}");
}

/// The same users again.
fn again(first: u64, now: Timestamp) -> Vec<Change> {
    let user = |number: u64| UserId::for_name("test", &number.to_string());
    (0..USERS).map(|number| Change { user_id: user(number), ..change(first + number, now) }).collect()
}

struct World {
    schema: Schema,
    beside: PgConnection,
}

impl World {
    /// A board with some users on it, and a store that has asked nothing yet.
    async fn new() -> (Self, PostgresStore) {
        let schema = Schema::create().await;
        let store = schema.store().await;
        main_board(&store).await;
        counts(&store, &again(0, SystemClock.now())).await;
        store.close().await;
        run(schema.url(), MISLEADING).await;
        let beside = PgConnection::connect(schema.url()).await.expect("it connects");
        let store = schema.store().await;
        (Self { schema, beside }, store)
    }

    async fn sum(&mut self, of: &str) -> i64 {
        let query = format!(
            "SELECT coalesce(sum({of}), 0)::bigint FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid)
                             WHERE schemaname = current_schema()"
        );
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut self.beside).await.expect("it counts")
    }

    /// How often `index` was looked into by what a store does, which is told once it is closed; and that `instead` was.
    async fn looks_into(&mut self, index: &str, instead: &str, does: impl AsyncFnOnce(&PostgresStore)) -> i64 {
        let looks = |index: &str| format!("CASE WHEN pg_get_indexdef(indexrelid) LIKE '%{index}%' THEN idx_scan END");
        let before = [self.settled(&looks(index)).await, self.settled(&looks(instead)).await];
        let store = self.schema.store().await;
        does(&store).await;
        store.close().await;
        self.told(&looks(instead), before[1] + 1).await;
        self.sum(&looks(index)).await - before[0]
    }

    /// What it is once those who have closed before have told what they did.
    async fn settled(&mut self, of: &str) -> i64 {
        let mut before = self.sum(of).await;
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = self.sum(of).await;
            if now == before {
                return now;
            }
            before = now;
        }
    }

    /// Waits until those who have closed have told what they did.
    async fn told(&mut self, of: &str, at_least: i64) {
        for _ in 0..500 {
            if self.sum(of).await >= at_least {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{of} has stayed below {at_least}");
    }
}

const BY_RANK: &str = "ON %.scores USING btree (board, season, order_score";
const BY_USER: &str = "ON %.scores USING btree (board, season, user_id)";
const LOG_BY_VERSION: &str = "ON %.log\\_% USING btree (board, version)";
const LOG_BY_USER: &str = "ON %.log\\_% USING btree (board, user_id";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_users_have_is_looked_up_by_their_ids_and_the_board_is_not_walked() {
    let (mut world, store) = World::new().await;
    store.close().await;
    let unlocked = async |store: &PostgresStore| counts(store, &again(1_000, SystemClock.now())).await;
    assert_eq!(world.looks_into(BY_RANK, BY_USER, unlocked).await, 0);
}

/// A number a day is counted under the locks.
async fn locked(store: &PostgresStore) {
    let at_most = Some(AtMost { count: 5, since: Timestamp::from_millis(0) });
    let changes = again(1_000, SystemClock.now()).into_iter().map(|change| Change { at_most, ..change });
    counts(store, &changes.collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_the_locks_too() {
    let (mut world, store) = World::new().await;
    store.close().await;
    assert_eq!(world.looks_into(BY_RANK, BY_USER, locked).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_much_users_did_today_is_counted_in_their_rows_and_the_log_is_not_walked() {
    let (mut world, store) = World::new().await;
    store.close().await;
    assert_eq!(world.looks_into(LOG_BY_VERSION, LOG_BY_USER, locked).await, 0);
}

/// And none behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_log_so_many_rows_are_read_as_are_asked_for() {
    let (mut world, store) = World::new().await;
    for round in 1..30 {
        counts(&store, &again(round * 1_000, SystemClock.now())).await;
    }
    store.close().await;
    let read = "CASE WHEN pg_get_indexdef(indexrelid) LIKE '%ON %.log\\_% USING%' THEN idx_tup_read END";
    let before = world.settled(read).await;
    let store = world.schema.store().await;
    for after in [0, 1, 500, 2_900, 2_999, 3_000, u64::MAX] {
        let rows = store.log(&BoardId::main(), Version::new(after), 20).await.expect("a working store");
        let versions: Vec<u64> = rows.iter().map(|row| row.position.version.get()).collect();
        assert_eq!(versions, (after.saturating_add(1)..=3_000).take(20).collect::<Vec<_>>(), "behind {after}");
    }
    assert_eq!(store.log(&BoardId::main(), Version::new(2_990), usize::MAX).await.expect("a working store").len(), 10);
    store.close().await;
    world.told(read, before + 91).await;
    let read = world.sum(read).await - before;
    assert!(read < 200, "{read} for 91");
}
