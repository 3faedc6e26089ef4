//! Turns at a board: one server has it at a time, whatever becomes of the others.

mod support;

use std::time::Duration;

use scoreboard_core::{BoardId, Turns};
use scoreboard_postgres::PostgresTurns;
use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use support::{Schema, run};
use tokio::time::{Instant, timeout};

async fn a_schema() -> Schema {
    let schema = Schema::create().await;
    schema.store().await.close().await;
    schema
}

/// How many sessions of the schema wait for a lock.
async fn waiting(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE locktype = 'advisory' AND NOT granted AND application_name = current_setting('application_name')",
    )
    .fetch_one(connection)
    .await
    .expect("the database answers")
}

async fn until_somebody_waits(schema: &Schema) {
    let mut connection = PgConnection::connect(schema.url()).await.expect("it connects");
    while waiting(&mut connection).await == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_has_the_turn_and_the_next_has_it_when_it_is_over() {
    let schema = a_schema().await;
    let [one, two] = [0, 1].map(|_| PostgresTurns::new(&schema.config()));
    let main = BoardId::main();
    for round in 0..20 {
        let (first, second) = if round % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let turn = first.turn(&main).await.expect("nobody has it");
        // At another board it is somebody else's affair.
        drop(second.turn(&BoardId::new("other").expect("a slug")).await.expect("nobody has it"));
        let task = tokio::spawn({
            let (second, main) = (second.clone(), main.clone());
            async move { second.turn(&main).await }
        });
        until_somebody_waits(&schema).await;
        assert!(!task.is_finished(), "it waits");
        drop(turn);
        drop(task.await.expect("no panic").expect("it is its turn"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_stuck_is_not_waited_for_and_who_goes_away_waits_no_more() {
    let schema = a_schema().await;
    let [one, two] = [0, 1].map(|_| PostgresTurns::new(&schema.config()));
    let main = BoardId::main();
    let turn = one.turn(&main).await.expect("nobody has it");
    let began = Instant::now();
    assert!(two.turn(&main).await.is_err(), "it is somebody else's");
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    let gone = timeout(Duration::from_millis(50), two.turn(&main)).await;
    assert!(gone.is_err(), "it went away");
    drop(turn);
    // What it had left unfinished is not in the way of anybody.
    drop(two.turn(&main).await.expect("it is over"));
    drop(one.turn(&main).await.expect("nobody has it"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_ends_with_its_connection_which_is_replaced() {
    let schema = a_schema().await;
    let [one, two] = [0, 1].map(|_| PostgresTurns::new(&schema.config()));
    let main = BoardId::main();
    let turn = one.turn(&main).await.expect("nobody has it");
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
    run(schema.url(), cut).await;
    drop(two.turn(&main).await.expect("it went with the connection"));
    drop(turn);
    drop(one.turn(&main).await.expect("by a new connection"));
}
