//! How long calls wait until a connection is theirs.

use metrics::Unit;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
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

/// The connections to one database, and how long those wait who want one.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) connections: PgPool,
    /// By which the waits are told apart: few, and the same in every process.
    pub(crate) name: &'static str,
}

impl Pool {
    /// The next connection that is free, or a new one.
    pub(crate) async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let _wait = Wait { name: self.name, began: Instant::now() };
        self.connections.acquire().await
    }
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
