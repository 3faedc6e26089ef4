//! Batches of several boards by several nodes at once: none waits for one that waits for it.

mod support;

use scoreboard_core::{BoardId, BoardSpec, Change, Clock, ScoreStore, SystemClock};
use scoreboard_postgres::PostgresStore;
use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use support::changes::change;
use support::{Schema, all_gone};

const BOARDS: u64 = 8;

fn board(number: u64) -> BoardId {
    BoardId::new(&format!("board-{number}")).expect("a slug")
}

async fn plays(store: PostgresStore, first: u64) {
    for batch in 0..60 {
        let now = SystemClock.now();
        let of = |number: u64| Change { board: board(number), ..change(first + batch * BOARDS + number, now) };
        // Only the order of the changes is another from batch to batch.
        let mut changes: Vec<Change> = (0..BOARDS).map(of).collect();
        changes.rotate_left((batch % BOARDS) as usize);
        let outcomes = store.apply(&changes).await.expect("a working store");
        assert!(outcomes.iter().all(|outcome| outcome.receipt().is_some()), "{outcomes:?}");
    }
}

async fn deadlocks(connection: &mut PgConnection) -> i64 {
    let query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    sqlx::query_scalar(query).fetch_one(connection).await.expect("it counts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_two_batches_wait_for_each_other() {
    let schema = Schema::create().await;
    let nodes = [schema.store().await, schema.store().await, schema.store().await];
    for number in 0..BOARDS {
        let _ = nodes[0].create_board(&BoardSpec::new(board(number))).await.expect("a working store");
    }
    let mut beside = PgConnection::connect(schema.url()).await.expect("it connects");
    let before = deadlocks(&mut beside).await;
    let playing: Vec<_> =
        nodes.iter().zip(0..).map(|(node, n)| tokio::spawn(plays(node.clone(), n * 100_000))).collect();
    for plays in playing {
        plays.await.expect("no panic");
    }
    for node in &nodes {
        node.close().await;
    }
    all_gone(&mut beside).await;
    assert_eq!(deadlocks(&mut beside).await, before);
}
