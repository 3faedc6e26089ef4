//! The connections to the database, and how a transaction begins and ends.

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use scoreboard_core::BackendError;
use sqlx::postgres::{PgArguments, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{ConnectOptions, Connection, PgConnection, Postgres, SqlSafeStr, Transaction};
use tokio::time::timeout;

use crate::batch_connection::{BatchConnection, PLANNING};
use crate::config::Config;
use crate::durability::{Durability, unsafe_setting};
use crate::error::{self, Failure};
use crate::life::follow;
use crate::migrate::{is_there, migrate};
use crate::parts::make_ahead;
use crate::replicas::{Identity, is_standby};
use crate::wait::{self, Pool};

/// How long a connection that was at rest may take to show that it is still one.
const PING: Duration = Duration::from_millis(300);

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
    pub(crate) pool: Pool,
    pub(crate) batches: BatchConnection,
    call_timeout: Duration,
    durability: Durability,
}

impl PostgresStore {
    /// Connects to the database and brings its schema up to date.
    ///
    /// Any number of processes may have one database open; of those that find an old schema, one migrates it and the others wait.
    ///
    /// # Errors
    ///
    /// `Refused` if the user, the password, the database or the certificate is wrong, rights are missing, or the server runs with
    /// `fsync`, `full_page_writes` or `synchronous_commit` off and [`Config::unsafe_durability`] does not allow it; `Unavailable` if
    /// it does not answer within [`Config::acquire_timeout`], or takes no writes; `Corrupt` if the schema was written by a newer
    /// version of this crate, or altered; and any other [`ErrorKind`](scoreboard_core::ErrorKind) that the server causes. The source
    /// says which in a sentence.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, each migration has run whole or not at all.
    pub async fn open(config: &Config) -> Result<Self, BackendError> {
        Self::open_if(config, true).await
    }

    /// The same, but for a database that was opened before: what has none of this crate's tables is left as it is.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and `Refused` if the tables are not there.
    ///
    /// # Cancel safety
    ///
    /// As [`open`](Self::open).
    pub async fn open_existing(config: &Config) -> Result<Self, BackendError> {
        Self::open_if(config, false).await
    }

    async fn open_if(config: &Config, may_be_new: bool) -> Result<Self, BackendError> {
        let mut connection = connect(config).await?;
        let open = async {
            let durability = match unsafe_setting(&mut connection).await? {
                None => Durability::Kept,
                Some(_) if config.unsafe_durability => Durability::Unsafe,
                Some(setting) => return Err(Failure::Refused(Box::new(setting))),
            };
            let read_only: bool = sqlx::query_scalar("SELECT current_setting('transaction_read_only') = 'on'")
                .fetch_one(&mut connection)
                .await?;
            if read_only {
                return Err(Failure::ReadOnly);
            }
            if !may_be_new && !is_there(&mut connection).await? {
                return Err(Failure::Refused("there is no scoreboard in it".into()));
            }
            Ok(durability)
        };
        let durability = open.await.map_err(|failure| failure.during("open"))?;
        migrate(&mut connection).await?;
        let width = config.log_part;
        begin(&mut connection, width).await.map_err(|error| Failure::Driver(error).during("open"))?;
        // What is said already need not be heard.
        let _ = connection.close().await;
        wait::describe();

        let connections = PgPoolOptions::new()
            .max_connections(config.connections.max(1))
            .acquire_timeout(config.acquire_timeout)
            .after_connect(move |connection, _| Box::pin(begin(connection, width)))
            // The pool's own test waits for as long as a network that swallows everything lets it.
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(answers(connection)))
            .after_release(|connection, _| Box::pin(answers(connection)))
            .connect_lazy_with(config.options());
        let pool = Pool { connections, name: "primary" };
        let batches = BatchConnection::new(config);
        Ok(Self { pool, batches, call_timeout: config.call_timeout, durability })
    }

    /// What names this store, and no other: the database system, the database, and its tables. Tables that were made anew, as where a dump is loaded, are another
    /// store; a physical copy is of the same name.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the database cannot be reached; `Refused` if its tables are not there.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn identity(&self) -> Result<String, BackendError> {
        let ask = async {
            let numbers: (i64, i64, i64) = sqlx::query_as(
                "SELECT system_identifier, pg_database.oid::bigint, 'boards'::regclass::oid::bigint
                 FROM pg_control_system(), pg_database WHERE datname = current_database()",
            )
            .fetch_one(&mut *self.pool.acquire().await?)
            .await?;
            Ok(numbers)
        };
        let (system, database, tables) = self.reads("identity", ask).await?;
        Ok(format!("{system}.{database}.{tables}"))
    }

    /// What its replicas have in common with it.
    pub(crate) async fn identify(&self) -> Result<Identity, Failure> {
        Ok(Identity::of(&mut *self.pool.acquire().await?).await?)
    }

    /// Connections to a streaming replica of the database with this identity, made when they are needed.
    pub(crate) fn replica(config: &Config, identity: Identity) -> Self {
        let connections = PgPoolOptions::new()
            .max_connections(config.connections.max(1))
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let identity = identity.clone();
                Box::pin(async move {
                    let is_replica = Identity::of(connection).await? == identity && is_standby(connection).await?;
                    if is_replica { Ok(()) } else { Err(stranger()) }
                })
            })
            .before_acquire(|connection, _| Box::pin(follows(connection)))
            .after_release(|connection, _| Box::pin(answers(connection)))
            .connect_lazy_with(config.options());
        let pool = Pool { connections, name: "replica" };
        let batches = BatchConnection::new(config);
        Self { pool, batches, call_timeout: config.call_timeout, durability: Durability::Kept }
    }

    /// Whether the server was found to keep what it acknowledges when this was opened.
    #[must_use]
    pub const fn is_durable(&self) -> bool {
        matches!(self.durability, Durability::Kept)
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
        // From here on nobody is given one.
        let closed = self.pool.connections.close();
        self.batches.close().await;
        closed.await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.pool.connections.is_closed()
    }

    /// Begins a read of one version: the snapshot is taken at the first statement, and ends when the transaction is dropped.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static, Postgres>, Failure> {
        self.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
    }

    /// Begins a write. Each of its statements sees what was committed when it began: whoever decides by what he reads takes the
    /// lock by an earlier statement.
    ///
    /// Each of them looks up rows by their keys, however many there are: planned once, and never by walking a table, even while it is new
    /// and looks small.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Postgres>, Failure> {
        self.transaction(
            "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE;
             SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off",
        )
        .await
    }

    /// The same for a batch, which is [planned](PLANNING) as on the connection that batches have.
    pub(crate) async fn write_batch(&self) -> Result<Transaction<'static, Postgres>, Failure> {
        static BEGIN: LazyLock<String> = LazyLock::new(|| {
            let planning = PLANNING.map(|(name, value)| format!("; SET LOCAL {name} = {value}"));
            format!("BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE{}", planning.concat())
        });
        self.transaction(&BEGIN).await
    }

    /// In a task of its own: if the caller goes away between the statement and its answer, the driver would take the connection
    /// for one without a transaction, and the next caller would find himself in this one.
    async fn transaction(&self, statement: &'static str) -> Result<Transaction<'static, Postgres>, Failure> {
        let pool = self.pool.clone();
        // As the driver's own `begin_with` does it, but for the wait, which is measured.
        let begin = async move { Transaction::begin(pool.acquire().await?, Some(statement.into_sql_str())).await };
        let begun = tokio::spawn(begin);
        Ok(begun.await.map_err(|_| sqlx::Error::WorkerCrashed)??)
    }

    /// Runs a write that is a single statement, and so its own transaction, and gives the number of rows it changed.
    pub(crate) async fn execute(&self, query: Query<'_, Postgres, PgArguments>) -> Result<u64, Failure> {
        let mut connection = self.pool.acquire().await?;
        let executed = timeout(self.call_timeout, query.execute(&mut *connection)).await;
        let executed = executed.unwrap_or_else(|_| Err(late(self.call_timeout)));
        Ok(executed.map_err(Failure::Commit)?.rows_affected())
    }

    /// A call that only reads, given up when its time is over.
    pub(crate) async fn reads<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, BackendError> {
        let read = timeout(self.call_timeout, call).await;
        read.unwrap_or_else(|_| Err(Failure::Driver(late(self.call_timeout))))
            .map_err(|failure| failure.during(operation))
    }

    /// A call that writes in a transaction. Given up when its time is over, it may have come as far as its commit.
    pub(crate) async fn writes<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, BackendError> {
        let written = timeout(self.call_timeout, call).await;
        let written = written.unwrap_or_else(|_| Err(Failure::Commit(late(self.call_timeout))));
        written.map_err(|failure| failure.during(operation))
    }
}

/// What is asked of every new connection to a database that takes writes.
pub(crate) async fn begin(connection: &mut PgConnection, log_part: Duration) -> Result<(), sqlx::Error> {
    follow(connection).await?;
    make_ahead(connection, log_part).await
}

/// What the driver would say if it looked at the clock.
pub(crate) fn late(after: Duration) -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {after:?}")))
}

/// Whether there is somebody at the other end. This also brings a connection that a caller has left in the middle of a statement, or of
/// a transaction, back to its beginning; one where that takes long is closed.
pub(crate) async fn answers(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    timeout(PING, connection.ping()).await.unwrap_or_else(|_| Err(late(PING))).map(|()| true)
}

/// The same for a replica, which also has to be one still.
async fn follows(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let follows = timeout(PING, is_standby(connection)).await.unwrap_or_else(|_| Err(late(PING)))?;
    if follows { Ok(true) } else { Err(stranger()) }
}

fn stranger() -> sqlx::Error {
    sqlx::Error::Protocol("the database is no replica of the primary".to_owned())
}

/// The first connection, outside the pool: there a wrong password would be tried again until the time is up.
async fn connect(config: &Config) -> Result<PgConnection, BackendError> {
    match timeout(config.acquire_timeout, config.patient().connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        // A certificate that is not the one to expect.
        Ok(Err(sqlx::Error::Io(error))) if error.kind() == io::ErrorKind::InvalidData => Err(error::refused(error)),
        Ok(Err(error)) => Err(Failure::Driver(error).during("open")),
        Err(_) => Err(error::unreachable(format!("no answer within {:?}", config.acquire_timeout))),
    }
}

/// Makes the write durable.
pub(crate) async fn commit(tx: Transaction<'static, Postgres>) -> Result<(), Failure> {
    tx.commit().await.map_err(Failure::Commit)
}
