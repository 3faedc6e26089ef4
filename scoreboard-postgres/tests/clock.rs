//! The database's clock: what it shows, this process goes by, whatever the machine's own shows.

mod support;

use std::time::Duration;

use scoreboard_core::{Clock, SystemClock};
use scoreboard_postgres::{Config, PostgresClock, PostgresStore};
use support::{Schema, run};

/// A database whose clock can be set: a function of its own stands before the server's.
async fn a_clock_that_is_off_by(schema: &Schema, ms: i64) -> PostgresStore {
    run(
        schema.url(),
        &format!(
            "CREATE TABLE off_by AS SELECT {ms}::bigint AS ms;
             CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
             'SELECT pg_catalog.clock_timestamp() + ms * interval ''1 millisecond'' FROM off_by'"
        ),
    )
    .await;
    let config = Config::from_url(&format!("{}%2Cpg_catalog", schema.url())).expect("a URL");
    PostgresStore::open(&config).await.expect("it opens")
}

/// How far it is ahead of this machine, in milliseconds.
fn ahead(clock: &PostgresClock) -> i64 {
    clock.now().as_millis() - SystemClock.now().as_millis()
}

#[track_caller]
fn assert_ahead(clock: &PostgresClock, ms: i64) {
    let ahead = ahead(clock);
    // Half of what a question takes, on a machine that does other things.
    assert!((ahead - ms).abs() < 500, "it is {ahead} ms ahead, not {ms}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_shows_what_the_database_shows_and_follows_it_when_that_is_set() {
    let schema = Schema::create().await;
    let store = a_clock_that_is_off_by(&schema, 600_000).await;
    let clock = PostgresClock::of(&store).await.expect("it is read");
    assert_ahead(&clock, 600_000);
    let before = clock.now();
    let goes_on = async {
        while clock.now() < before.plus(Duration::from_millis(20)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), goes_on).await.expect("it goes on by itself");
    for off_by in [-600_000, 0] {
        run(schema.url(), &format!("UPDATE off_by SET ms = {off_by}")).await;
        clock.read().await.expect("it is read");
        assert_ahead(&clock, off_by);
    }
    // One that follows finds it within some seconds.
    tokio::spawn(clock.clone().follow());
    run(schema.url(), "UPDATE off_by SET ms = 60000").await;
    let followed = async {
        while (ahead(&clock) - 60_000).abs() > 500 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), followed).await.expect("it followed");
    // And where the database is gone, it goes on.
    store.close().await;
    assert!(clock.read().await.is_err());
    assert_ahead(&clock, 60_000);
}
