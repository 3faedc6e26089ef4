//! Announcements between the servers of one database, by `LISTEN` and `NOTIFY`.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use scoreboard_core::memory::InProcessBroadcaster;
use scoreboard_core::{BackendError, BoardId, Broadcaster, Position};
use tokio::task::JoinHandle;

use crate::config::Config;

mod announce;
mod announcement;
mod backoff;
mod listen;

use announce::Outbox;
use announcement::Node;

/// A [`Broadcaster`] for all servers on one database.
///
/// - Who watches here is told at once, before the database hears of it; who watches elsewhere, as soon as the database has passed it
///   on. A publisher never waits for it: what is announced meanwhile is conflated to each board's newest position.
/// - An announcement is a statement of its own on a connection of its own, after the commit that it tells of: inside the commit, all
///   writers of the server would take turns for it.
/// - One connection listens. What it missed, and what was never announced, is found by reading where each board is, each two seconds
///   and whenever the connection is made anew: that bounds how long a lost announcement can keep a board back.
///
/// It works on the schema that the URL leads to, which a [`PostgresStore`](crate::PostgresStore) has opened before. While the database
/// is away, it tries to reach it again, and only this process is told of what happens here.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use scoreboard_core::Scoreboard;
/// use scoreboard_postgres::{Config, PostgresBroadcaster, PostgresStore};
///
/// let config = Config::from_url("postgres://scores@localhost/scores")?;
/// let store = Arc::new(PostgresStore::open(&config).await?);
/// let scoreboard = Scoreboard::builder(store).with_broadcaster(Arc::new(PostgresBroadcaster::start(&config))).build();
/// tokio::spawn(scoreboard.clone().follow());
/// # Ok(()) }
/// ```
pub struct PostgresBroadcaster {
    here: InProcessBroadcaster,
    outbox: Arc<Outbox>,
    tasks: [JoinHandle<()>; 2],
}

impl PostgresBroadcaster {
    /// Begins to listen and to announce, in the background, until this is dropped.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn start(config: &Config) -> Self {
        let here = InProcessBroadcaster::default();
        let node = Node::random();
        let outbox = Arc::new(Outbox::default());
        let listening = tokio::spawn(listen::listen(config.patient(), node, here.clone()));
        let announcing = tokio::spawn(announce::announce(config.patient(), node, outbox.clone()));
        Self { here, outbox, tasks: [listening, announcing] }
    }
}

impl fmt::Debug for PostgresBroadcaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresBroadcaster").field("here", &self.here).finish_non_exhaustive()
    }
}

impl Drop for PostgresBroadcaster {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[async_trait]
impl Broadcaster for PostgresBroadcaster {
    async fn publish(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        self.outbox.put(board, position);
        self.here.publish(board, position).await
    }

    async fn subscribe(&self, board: &BoardId) -> Result<BoxStream<'static, Position>, BackendError> {
        self.here.subscribe(board).await
    }
}
