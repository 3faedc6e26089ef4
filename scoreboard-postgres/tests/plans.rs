//! What the planner may take a table for while it knows nothing of it: rows are looked up all the same, and never walked to.
//!
//! A plan is kept until somebody has looked how large its tables are, a minute later perhaps. One that was bad for so long let nodes that share a board
//! take each other for gone, at a quarter of the throughput.

mod support;

use scoreboard_core::{AtMost, BoardId, Change, Clock, Outcome, ScoreStore, SystemClock, Timestamp, UserId, Version};
use scoreboard_postgres::PostgresStore;
use scoreboard_postgres::sqlx::{self, AssertSqlSafe, Connection, PgConnection};
use support::changes::{change, main_board};
use support::{Schema, all_gone, run};

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
    /// A board with some users on it.
    async fn new() -> Self {
        let schema = Schema::create().await;
        let store = schema.store().await;
        main_board(&store).await;
        counts(&store, &again(0, SystemClock.now())).await;
        store.close().await;
        run(schema.url(), MISLEADING).await;
        let beside = PgConnection::connect(schema.url()).await.expect("it connects");
        Self { schema, beside }
    }

    async fn sum(&mut self, of: &str) -> i64 {
        let query = format!(
            "SELECT coalesce(sum({of}), 0)::bigint FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid)
                             WHERE schemaname = current_schema()"
        );
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut self.beside).await.expect("it counts")
    }

    /// How often `index` was looked into by what a store does, and `instead`.
    async fn looks_into(&mut self, index: &str, instead: &str, does: impl AsyncFnOnce(&PostgresStore)) -> [i64; 2] {
        let looks = [index, instead]
            .map(|index| format!("CASE WHEN pg_get_indexdef(indexrelid) LIKE '%{index}%' THEN idx_scan END"));
        all_gone(&mut self.beside).await;
        let before = [self.sum(&looks[0]).await, self.sum(&looks[1]).await];
        let store = self.schema.store().await;
        does(&store).await;
        store.close().await;
        all_gone(&mut self.beside).await;
        [self.sum(&looks[0]).await - before[0], self.sum(&looks[1]).await - before[1]]
    }
}

const BY_RANK: &str = "ON %.scores USING btree (board, season, order_score";
const BY_USER: &str = "ON %.scores USING btree (board, season, user_id)";
const LOG_BY_VERSION: &str = "ON %.log\\_% USING btree (board, version)";
const LOG_BY_USER: &str = "ON %.log\\_% USING btree (board, user_id";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_users_have_is_looked_up_by_their_ids_and_the_board_is_not_walked() {
    let mut world = World::new().await;
    let unlocked = async |store: &PostgresStore| counts(store, &again(1_000, SystemClock.now())).await;
    let looks = world.looks_into(BY_RANK, BY_USER, unlocked).await;
    assert!(looks[0] == 0 && looks[1] > 0, "{looks:?}");
}

/// A number a day is counted under the locks.
async fn locked(store: &PostgresStore) {
    let at_most = Some(AtMost { count: 5, since: Timestamp::from_millis(0) });
    let changes = again(1_000, SystemClock.now()).into_iter().map(|change| Change { at_most, ..change });
    counts(store, &changes.collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_the_locks_too() {
    let mut world = World::new().await;
    let looks = world.looks_into(BY_RANK, BY_USER, locked).await;
    assert!(looks[0] == 0 && looks[1] > 0, "{looks:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_much_users_did_today_is_counted_in_their_rows_and_the_log_is_not_walked() {
    let mut world = World::new().await;
    let looks = world.looks_into(LOG_BY_VERSION, LOG_BY_USER, locked).await;
    assert!(looks[0] == 0 && looks[1] > 0, "{looks:?}");
}

/// And none behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_log_so_many_rows_are_read_as_are_asked_for() {
    let mut world = World::new().await;
    let store = world.schema.store().await;
    for round in 1..30 {
        counts(&store, &again(round * 1_000, SystemClock.now())).await;
    }
    store.close().await;
    let read = "CASE WHEN pg_get_indexdef(indexrelid) LIKE '%ON %.log\\_% USING%' THEN idx_tup_read END";
    all_gone(&mut world.beside).await;
    let before = world.sum(read).await;
    let store = world.schema.store().await;
    for after in [0, 1, 500, 2_900, 2_999, 3_000, u64::MAX] {
        let rows = store.log(&BoardId::main(), Version::new(after), 20).await.expect("a working store");
        let versions: Vec<u64> = rows.iter().map(|row| row.position.version.get()).collect();
        assert_eq!(versions, (after.saturating_add(1)..=3_000).take(20).collect::<Vec<_>>(), "behind {after}");
    }
    assert_eq!(store.log(&BoardId::main(), Version::new(2_990), usize::MAX).await.expect("a working store").len(), 10);
    store.close().await;
    all_gone(&mut world.beside).await;
    let read = world.sum(read).await - before;
    assert!((91..200).contains(&read), "{read} for 91");
}
