//! How long calls wait for their turn.

use metrics::Unit;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};
use tokio::time::Instant;

const WAIT: &str = "scoreboard_db_pool_wait_seconds";

/// Gives the metric its help text.
pub(crate) fn describe() {
    metrics::describe_histogram!(
        WAIT,
        Unit::Seconds,
        "How long calls waited for a connection to a database, by pool: until one was free or made, and had answered."
    );
}

/// The next connection that is free, of the pool that has this name: few names, and the same in every process.
pub(crate) async fn acquire(pool: &SqlitePool, name: &'static str) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
    let _wait = Wait { name, began: Instant::now() };
    pool.acquire().await
}

/// Ends when it is dropped: who gives up waiting, or is given up, has waited, too, and longer than most.
struct Wait {
    name: &'static str,
    began: Instant,
}

impl Drop for Wait {
    fn drop(&mut self) {
        metrics::histogram!(WAIT, "pool" => self.name).record(self.began.elapsed());
    }
}
