//! Turns of several servers at a board, by a lock of the database that stands for nothing.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use scoreboard_core::{BackendError, BoardId, Turn, Turns};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

use crate::config::Config;
use crate::connection::late;
use crate::error::Failure;

/// As long as some batches of others take. Who has a turn for longer is stuck, and is not waited for.
const PATIENCE: Duration = Duration::from_millis(300);

/// [`Turns`] of all servers that share a schema: an advisory lock for each board, which the database gives to one after the other.
///
/// The locks are a session's, on a connection of its own, which is made at the first turn: a server that is alone makes none. They keep
/// nobody from writing, and go with the connection.
#[derive(Clone)]
pub struct PostgresTurns {
    options: PgConnectOptions,
    connection: Slot,
}

/// One turn at a time: whoever has the connection has it. It is empty where there is none yet, or the last one was lost.
type Slot = Arc<Mutex<Option<PgConnection>>>;

impl fmt::Debug for PostgresTurns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTurns").finish_non_exhaustive()
    }
}

impl PostgresTurns {
    /// Turns at the boards of this database. Nothing is asked of it yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let patience = PATIENCE.as_millis().to_string();
        // The last ones count.
        let options = config.options().options([("lock_timeout", patience.clone()), ("statement_timeout", patience)]);
        Self { options, connection: Slot::default() }
    }
}

#[async_trait]
impl Turns for PostgresTurns {
    async fn turn(&self, board: &BoardId) -> Result<Turn, BackendError> {
        let mut slot = self.connection.clone().lock_owned().await;
        let wait = async {
            let mut connection = match slot.take() {
                Some(connection) => connection,
                None => self.options.connect().await?,
            };
            sqlx::query("SELECT pg_advisory_lock('boards'::regclass::oid::int, hashtext($1))")
                .bind(board.as_str())
                .execute(&mut connection)
                .await?;
            Ok(connection)
        };
        // The server gives up before, where it is there.
        let waited = timeout(PATIENCE * 2, wait).await.unwrap_or_else(|_| Err(late(PATIENCE * 2)));
        let connection = waited.map_err(|error: sqlx::Error| Failure::Driver(error).during("turn"))?;
        Ok(Turn::new(Held { kept: Some((slot, connection)) }))
    }
}

/// The lock, until this is dropped.
struct Held {
    kept: Option<(OwnedMutexGuard<Option<PgConnection>>, PgConnection)>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Where there is nobody to give it back, it goes with the connection.
        let (Some((mut slot, mut connection)), Ok(runtime)) = (self.kept.take(), Handle::try_current()) else { return };
        runtime.spawn(async move {
            let all = sqlx::query("SELECT pg_advisory_unlock_all()").execute(&mut connection);
            if let Ok(Ok(_)) = timeout(PATIENCE, all).await {
                *slot = Some(connection);
            }
        });
    }
}
