//! The file's connections: one that writes, several that read.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use scoreboard_core::{BackendError, ErrorKind};
use sqlx::pool::{PoolConnection, PoolConnectionMetadata};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, Sqlite, SqliteConnection, SqlitePool, Transaction};
use tokio::time::Instant;

use crate::config::Config;
use crate::error::{self, Failure};
use crate::migrate::migrate;
use crate::wait::{acquire, describe};

/// SQLite takes milliseconds as an `i32`.
const MAX_BUSY_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// Every store on one embedded SQLite file.
///
/// Cloning it clones the handle, never the data. What it implements and promises is in the [crate's words](crate).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// use scoreboard_core::ScoreStore;
/// use scoreboard_sqlite::{Config, SqliteStore};
///
/// let store = SqliteStore::open(&Config::new(folder.path().join("scoreboard.db"))).await?;
/// assert!(store.boards().await?.is_empty());
/// store.close().await;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct SqliteStore {
    /// One connection: writers take turns here, in the order they came, before they would in the file.
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, creates it if it is missing (its owner alone may read or write it), and brings its schema up to date.
    ///
    /// Several processes may have one file open; their writes take turns.
    ///
    /// # Errors
    ///
    /// `Refused` if the folder is missing or the rights do not suffice, `Corrupt` if the file is no database, is another
    /// program's, or was written by a newer version of this crate, `Contended` if another process keeps it locked for longer
    /// than [`Config::busy_timeout`], and any other [`ErrorKind`](scoreboard_core::ErrorKind) that the device causes. The source says which in a sentence.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the file may have been created, and is whole.
    pub async fn open(config: &Config) -> Result<Self, BackendError> {
        let path = config.path.clone();
        // Files have no asynchronous interface.
        tokio::task::spawn_blocking(move || create_file(&path)).await.map_err(|join| error::opening(join.into()))??;

        let writer = pool(config, 1).connect_lazy_with(writing(config));
        let mut connection = connect(&writer, config.busy_timeout).await?;
        migrate(&mut connection).await?;
        drop(connection);

        describe();
        let readers = config.readers.max(1);
        let readers = pool(config, readers).connect_lazy_with(reading(config, readers));
        Ok(Self { writer, readers })
    }

    /// Opens the file that a URL names; see [`Config::from_url`].
    ///
    /// # Errors
    ///
    /// `Refused` if the URL names no file; otherwise as [`open`](Self::open).
    ///
    /// # Cancel safety
    ///
    /// As [`open`](Self::open).
    pub async fn from_url(url: &str) -> Result<Self, BackendError> {
        Self::open(&Config::from_url(url).map_err(error::refused)?).await
    }

    /// Waits for the calls under way, moves what is in the write-ahead log into the file, and closes it. Later calls, of any
    /// clone, answer `Unavailable`. Nothing is lost if this is never called.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the store is closed to new calls, and the rest happens in the background or at the next open.
    pub async fn close(&self) {
        self.readers.close().await;
        // The last connection of all to close a file moves the log into it and deletes the log; a reader could not.
        self.writer.close().await;
    }

    /// A connection for a read that is a single statement.
    pub(crate) async fn reader(&self) -> Result<PoolConnection<Sqlite>, Failure> {
        Ok(acquire(&self.readers, "readers").await?)
    }

    /// Begins a read of one version: the snapshot is taken at the first statement, and ends when the transaction is dropped.
    pub(crate) async fn snapshot(&self) -> Result<Transaction<'static, Sqlite>, Failure> {
        Ok(Transaction::begin(self.reader().await?, None).await?)
    }

    /// Begins a write with the lock in hand: nothing that is read in it can be changed by another.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>, Failure> {
        let writer = acquire(&self.writer, "writer").await?;
        // As the driver's own `begin_with` does it, but for the wait, which is measured.
        Ok(Transaction::begin(writer, Some("BEGIN IMMEDIATE".into_sql_str())).await?)
    }

    /// Runs a write that is a single statement, and gives the number of rows it changed.
    pub(crate) async fn execute(&self, query: Query<'_, Sqlite, SqliteArguments>) -> Result<u64, Failure> {
        let mut tx = self.write().await?;
        let rows = query.execute(&mut *tx).await?.rows_affected();
        commit(tx).await?;
        Ok(rows)
    }
}

/// Opens the first connection. SQLite waits for another's lock everywhere but where it turns a new file to write-ahead logging:
/// there, of several that open the file at once, all but one are refused without a wait. Hence the wait here.
async fn connect(pool: &SqlitePool, patience: Duration) -> Result<PoolConnection<Sqlite>, BackendError> {
    const PAUSE: Duration = Duration::from_millis(10);
    let begun = Instant::now();
    loop {
        let error = match pool.acquire().await {
            Ok(connection) => return Ok(connection),
            Err(error) => Failure::Driver(error).during("open"),
        };
        if error.kind() != ErrorKind::Contended || begun.elapsed() >= patience {
            return Err(error);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Makes the write durable.
pub(crate) async fn commit(tx: Transaction<'static, Sqlite>) -> Result<(), Failure> {
    tx.commit().await.map_err(Failure::Commit)
}

/// SQLite would create the file by the umask, and gives the write-ahead log the rights of the file.
fn create_file(path: &Path) -> Result<(), BackendError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        && !folder.is_dir()
    {
        return Err(error::refused(format!("the folder {} does not exist", folder.display())));
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(error::opening)?;
    refuse_second_name(&file)
}

/// SQLite names the write-ahead log after the file: with two names there would be two, and the file would be spoilt
/// (<https://www.sqlite.org/howtocorrupt.html>, 2.5).
#[cfg(unix)]
fn refuse_second_name(file: &File) -> Result<(), BackendError> {
    let names = std::os::unix::fs::MetadataExt::nlink(&file.metadata().map_err(error::opening)?);
    if names > 1 {
        Err(error::refused(format!("the file has {names} names (hard links), and may have one")))
    } else {
        Ok(())
    }
}

#[cfg(not(unix))]
fn refuse_second_name(_: &File) -> Result<(), BackendError> {
    Ok(())
}

fn pool(config: &Config, connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(config.acquire_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        // Asked when it is released already.
        .test_before_acquire(false)
        .before_acquire(|connection, _: PoolConnectionMetadata| {
            // Where SQLite has itself rolled back after a failure, the driver's own rollback fails, and it still counts the
            // transaction as open: such a connection is replaced.
            let clean = !SqliteConnection::is_in_transaction(connection);
            Box::pin(std::future::ready(Ok(clean)))
        })
}

fn writing(config: &Config) -> SqliteConnectOptions {
    common(config, config.cache_bytes)
        .journal_mode(SqliteJournalMode::Wal)
        // Each commit is on the device before it is answered.
        .synchronous(SqliteSynchronous::Full)
        // 64 MiB: a page that is written again and again goes from the log into the file once for many commits.
        .pragma("wal_autocheckpoint", "16000")
        // What a long read made the log grow to beyond that is given back.
        .pragma("journal_size_limit", "67108864")
}

fn reading(config: &Config, readers: u32) -> SqliteConnectOptions {
    common(config, config.cache_bytes / u64::from(readers)).read_only(true)
}

fn common(config: &Config, cache_bytes: u64) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&config.path)
        .foreign_keys(true)
        .busy_timeout(config.busy_timeout.min(MAX_BUSY_TIMEOUT))
        // Negative: in KiB.
        .pragma("cache_size", format!("-{}", cache_bytes.div_ceil(1024)))
        // A device that fails under a mapped file kills the process instead of failing the call.
        .pragma("mmap_size", "0")
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF")
        // A row that has to wait for the reader of the answer wakes two threads.
        .row_buffer_size(1024)
        .disable_statement_logging()
}
