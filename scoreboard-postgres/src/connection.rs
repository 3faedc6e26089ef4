//! The connections to the database, and how a transaction begins and ends.

use scoreboard_core::BackendError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, Postgres, Transaction};
use tokio::time::timeout;

use crate::config::Config;
use crate::durability::unsafe_setting;
use crate::error::{self, Failure};
use crate::migrate::migrate;

/// Every store on one PostgreSQL database.
///
/// Cloning it clones the handle, never the data. What it implements and promises is in the [crate's words](crate).
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use scoreboard_core::ScoreStore;
/// use scoreboard_postgres::{Config, PostgresStore};
///
/// let config = Config::from_url("postgres://scores@localhost/scores")?;
/// let store = PostgresStore::open(&config).await?;
/// assert!(store.boards().await?.is_empty());
/// store.close().await;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pub(crate) pool: PgPool,
}

impl PostgresStore {
    /// Connects to the database and brings its schema up to date.
    ///
    /// Any number of processes may have one database open; of those that find an old schema, one migrates it and the others wait.
    ///
    /// # Errors
    ///
    /// `Refused` if the user, the password or the database is wrong, rights are missing, or the server runs with `fsync`,
    /// `full_page_writes` or `synchronous_commit` off; `Unavailable` if it does not answer within [`Config::acquire_timeout`];
    /// `Corrupt` if the schema was written by a newer version of this crate, or altered; and any other
    /// [`ErrorKind`](scoreboard_core::ErrorKind) that the server causes. The source says which in a sentence.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, each migration has run whole or not at all.
    pub async fn open(config: &Config) -> Result<Self, BackendError> {
        let mut connection = connect(config).await?;
        let found = unsafe_setting(&mut connection).await.map_err(|failure| failure.during("open"))?;
        if let Some(setting) = found {
            return Err(error::refused(setting));
        }
        migrate(&mut connection).await?;
        // What is said already need not be heard.
        let _ = connection.close().await;

        let pool = PgPoolOptions::new()
            .max_connections(config.connections.max(1))
            .acquire_timeout(config.acquire_timeout)
            .connect_lazy_with(config.options());
        Ok(Self { pool })
    }

    /// Opens the database that a URL names; see [`Config::from_url`].
    ///
    /// # Errors
    ///
    /// `Refused` if the URL names no database; otherwise as [`open`](Self::open).
    ///
    /// # Cancel safety
    ///
    /// As [`open`](Self::open).
    pub async fn from_url(url: &str) -> Result<Self, BackendError> {
        Self::open(&Config::from_url(url).map_err(error::refused)?).await
    }

    /// Waits for the calls under way and closes the connections. Later calls, of any clone, answer `Unavailable`. Nothing is lost
    /// if this is never called.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the store is closed to new calls, and the rest happens in the background.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Begins a read of one version: the snapshot is taken at the first statement, and ends when the transaction is dropped.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static, Postgres>, Failure> {
        self.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
    }

    /// Begins a write. Each of its statements sees what was committed when it began: whoever decides by what he reads takes the
    /// lock by an earlier statement.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Postgres>, Failure> {
        self.transaction("BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE").await
    }

    /// In a task of its own: if the caller goes away between the statement and its answer, the driver would take the connection
    /// for one without a transaction, and the next caller would find himself in this one.
    async fn transaction(&self, statement: &'static str) -> Result<Transaction<'static, Postgres>, Failure> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(statement).await });
        Ok(begun.await.map_err(|_| sqlx::Error::WorkerCrashed)??)
    }

    /// Runs a write that is a single statement, and so its own transaction, and gives the number of rows it changed.
    pub(crate) async fn execute(&self, query: Query<'_, Postgres, PgArguments>) -> Result<u64, Failure> {
        let mut connection: PoolConnection<Postgres> = self.pool.acquire().await?;
        Ok(query.execute(&mut *connection).await.map_err(Failure::Commit)?.rows_affected())
    }
}

/// The first connection, outside the pool: there a wrong password would be tried again until the time is up.
async fn connect(config: &Config) -> Result<PgConnection, BackendError> {
    match timeout(config.acquire_timeout, config.migrating().connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(Failure::Driver(error).during("open")),
        Err(_) => Err(error::unreachable(format!("no answer within {:?}", config.acquire_timeout))),
    }
}

/// Makes the write durable.
pub(crate) async fn commit(tx: Transaction<'static, Postgres>) -> Result<(), Failure> {
    tx.commit().await.map_err(Failure::Commit)
}
