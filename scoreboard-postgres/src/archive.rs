//! Spent parts of the log leave the database: written to a file, made durable, read back and compared, and only then dropped.
//!
//! Where it stands is in the database, so that it can be ended at any moment and begun again. A part's file is named there before its first
//! byte is written, and stays its file. The file has its name only once it is whole and durable. A part is marked and dropped in one
//! transaction.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scoreboard_core::{BackendError, BoardId, LogRow, Timestamp, Version};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres};
use uuid::Uuid;

use crate::connection::PostgresStore;
use crate::error::Failure;
use crate::parts::{first_at, keep_out, lock_of_parts, table, time_of};
use crate::rows::{Columns, number};

mod chain;
mod check;
mod file;
mod line;
mod rows;

/// How old a part must be at least: a day, which is how long an action can be handed in; a day, which a number a day looks back; and a
/// day for clocks, and for callers who have lost their receipt.
///
/// That nothing counts twice does not hang on it: what belongs to an archived part is refused by its id.
pub const MIN_ARCHIVE_AGE: Duration = Duration::from_secs(3 * 86_400);

/// How often it is tried to have the log alone for a moment, and how long between.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(300);

/// Which parts of the log to archive, and where.
#[derive(Debug, Clone)]
pub struct Archive {
    /// What time it is.
    pub now: Timestamp,
    /// Parts whose last action was started as long ago; at least [`MIN_ARCHIVE_AGE`].
    pub older_than: Duration,
    /// A folder, which is there. A part is a file in it; as long as it is being archived, it stays with the folder that it began with.
    pub folder: PathBuf,
}

/// A part of the log that is in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPart {
    /// Parts are counted from 1.
    pub number: u64,
    /// Its actions were started before this moment, and not before that of the part before it.
    pub until: Timestamp,
    /// How many rows it has, as the server last estimated it.
    pub rows: u64,
    /// What it takes on the server's disk, with its indexes.
    pub bytes: u64,
    /// The file that it is being archived to, if that has begun.
    pub file: Option<PathBuf>,
    below: Uuid,
}

/// A part that has left the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedPart {
    /// Which one.
    pub number: u64,
    /// Where it is now.
    pub file: PathBuf,
    /// How many rows are in it.
    pub rows: u64,
}

/// What is being done with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveStep {
    /// So many rows are written.
    Written(u64),
    /// So many rows are read back and compared.
    Compared(u64),
}

/// What a file holds, once it is read back.
#[derive(Debug, Default)]
struct Content {
    rows: u64,
    /// The highest version of each board.
    boards: BTreeMap<BoardId, Version>,
    digest: [u8; 32],
}

impl Content {
    fn count(&mut self, board: &BoardId, row: &LogRow) {
        self.rows += 1;
        let highest = self.boards.entry(board.clone()).or_default();
        *highest = (*highest).max(row.position.version);
    }
}

/// Why a part stays.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the age must be at least {} days: an action can be handed in for one, and is counted for another", MIN_ARCHIVE_AGE.as_secs() / 86_400)]
    TooYoung,
    #[error("somebody else archives this database")]
    UnderWay,
    #[error("part {no} is being archived to {file}: name that folder")]
    Elsewhere { no: i64, file: String },
}

impl PostgresStore {
    /// The parts of the log whose last action was started as long before `now`, oldest first.
    ///
    /// # Errors
    ///
    /// `Refused` below [`MIN_ARCHIVE_AGE`]; any other [`ErrorKind`](scoreboard_core::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn spent_parts(&self, now: Timestamp, older_than: Duration) -> Result<Vec<LogPart>, BackendError> {
        let parts = async {
            let mut connection = self.pool.acquire().await?;
            spent(&mut connection, now, older_than).await
        };
        self.reads("spent_parts", parts).await
    }

    /// Archives the parts of the log that are spent, oldest first, each to a file of its own, and drops them.
    ///
    /// A file is JSON Lines: a header, the rows as an export has them, with their epoch and what their users had before, and a trailer. The
    /// same part gives the same file, byte for byte. Before a part is dropped, its file is durable, has been read back and compared with the
    /// rows, and each of these is what it says that its user had, with its points.
    ///
    /// From the moment on at which a part's turn comes, none of its actions is taken any more that did not count before
    /// ([`Refusal::Archived`](scoreboard_core::Refusal::Archived)). When it is dropped, [`log_after`](scoreboard_core::Board::log_after) says
    /// where the log of each of its boards begins. What was recorded by trusted servers is never archived: its keys do not expire.
    ///
    /// Servers go on meanwhile. Writers wait while a part is closed, and while it is dropped, each some milliseconds. Every server of the
    /// database must be of a release that knows of archives. `progress` is told of each part how far it is.
    ///
    /// # Errors
    ///
    /// `Refused` if the age is too low, somebody else archives, a part is being archived elsewhere, or a file cannot be written or is
    /// not what it should be; `Contended` if the log was not had alone for a moment; and any other
    /// [`ErrorKind`](scoreboard_core::ErrorKind). What was archived before it stays archived; called again, it goes on.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, or the process ends, each part is in the database, or in its file and dropped; called again, it goes on.
    pub async fn archive(
        &self,
        archive: &Archive,
        mut progress: impl FnMut(&LogPart, ArchiveStep) + Send,
    ) -> Result<Vec<ArchivedPart>, BackendError> {
        let archived = async {
            let mut connection = alone(self).await?;
            let archived = archive_all(&mut connection, archive, &mut progress).await;
            release(&mut connection).await;
            archived
        };
        archived.await.map_err(|failure: Failure| failure.during("archive"))
    }
}

/// A connection that has the archive for itself. The lock goes with the connection, if this process ends, or a call is dropped.
async fn alone(store: &PostgresStore) -> Result<PoolConnection<Postgres>, Failure> {
    let mut connection = store.pool.acquire().await?;
    connection.close_on_drop();
    let alone = sqlx::query_scalar(lock_of_parts!("pg_try_advisory_lock")).fetch_one(&mut *connection).await?;
    if alone { Ok(connection) } else { Err(Failure::Refused(Refusal::UnderWay.into())) }
}

/// For whoever comes right after: the end of the connection takes its time.
async fn release(connection: &mut PgConnection) {
    let _ = sqlx::query(lock_of_parts!("pg_advisory_unlock")).execute(connection).await;
}

async fn archive_all(
    connection: &mut PgConnection,
    archive: &Archive,
    progress: &mut (impl FnMut(&LogPart, ArchiveStep) + Send),
) -> Result<Vec<ArchivedPart>, Failure> {
    let folder = file::folder(&archive.folder)?;
    let mut archived = Vec::new();
    for part in spent(connection, archive.now, archive.older_than).await? {
        archived.push(archive_part(connection, &part, &folder, progress).await?);
    }
    Ok(archived)
}

async fn spent(connection: &mut PgConnection, now: Timestamp, age: Duration) -> Result<Vec<LogPart>, Failure> {
    if age < MIN_ARCHIVE_AGE {
        return Err(Failure::Refused(Refusal::TooYoung.into()));
    }
    let until = u64::try_from(now.minus(age).as_millis()).unwrap_or(0);
    let found = sqlx::query(
        "SELECT log_parts.no, log_parts.below, log_parts.file, greatest(tables.reltuples, 0)::bigint,
                pg_total_relation_size(tables.oid)
         FROM log_parts JOIN pg_class AS tables ON tables.oid = to_regclass('log_actions_' || log_parts.no)
         WHERE log_parts.digest IS NULL AND log_parts.below <= $1 ORDER BY log_parts.below",
    )
    .bind(first_at(until))
    .fetch_all(connection)
    .await?;
    let parts = found.iter().map(|row| {
        let mut columns = Columns::of(row);
        let (number, below, file) = (columns.count()?, columns.take()?, columns.take::<Option<String>>()?);
        let until = Timestamp::from_millis(i64::try_from(time_of(below)).map_err(Failure::stored)?);
        let (rows, bytes) = (columns.count()?, columns.count()?);
        Ok(LogPart { number, until, rows, bytes, file: file.map(PathBuf::from), below })
    });
    parts.collect()
}

async fn archive_part(
    connection: &mut PgConnection,
    part: &LogPart,
    folder: &Path,
    progress: &mut (impl FnMut(&LogPart, ArchiveStep) + Send),
) -> Result<ArchivedPart, Failure> {
    let no = number(part.number);
    let path = folder.join(file_of(no));
    close(connection, part, &path).await?;
    file::write(connection, part, &path, |rows| progress(part, ArchiveStep::Written(rows))).await?;
    let content = file::compare(connection, part, &path, |rows| progress(part, ArchiveStep::Compared(rows))).await?;
    let mut tries = 1;
    loop {
        match drop_part(connection, no, &content).await {
            Err(failure) if failure.had_to_wait() && tries < TRIES => tries += 1,
            Err(failure) => return Err(failure),
            Ok(()) => return Ok(ArchivedPart { number: part.number, file: path, rows: content.rows }),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The name of the file of the part with this number.
fn file_of(no: i64) -> String {
    format!("scoreboard-log-{no}.jsonl")
}

/// Names the part's file, and takes none of its actions any more: waits for the batches under way, and keeps new ones out, so that none
/// writes into it that has not seen this.
async fn close(connection: &mut PgConnection, part: &LogPart, path: &Path) -> Result<(), Failure> {
    let no = number(part.number);
    let name = path.display().to_string();
    let mut tx = connection.begin().await?;
    sqlx::query("LOCK TABLE boards IN EXCLUSIVE MODE").execute(&mut *tx).await?;
    let file: String =
        sqlx::query_scalar("UPDATE log_parts SET file = coalesce(file, $2) WHERE no = $1 RETURNING file")
            .bind(no)
            .bind(&name)
            .fetch_one(&mut *tx)
            .await?;
    if file != name {
        return Err(Failure::Refused(Refusal::Elsewhere { no, file }.into()));
    }
    sqlx::query("UPDATE meta SET actions_from = $1 WHERE actions_from IS NULL OR actions_from < $1")
        .bind(part.below)
        .execute(&mut *tx)
        .await?;
    tx.commit().await.map_err(Failure::Commit)
}

/// Marks the part, says where the logs begin without it, and drops it.
async fn drop_part(connection: &mut PgConnection, no: i64, content: &Content) -> Result<(), Failure> {
    let mut tx = connection.begin().await?;
    sqlx::query("SET LOCAL lock_timeout = '200ms'").execute(&mut *tx).await?;
    // In the order of those who write: first the boards, then the log.
    sqlx::query("LOCK TABLE boards IN EXCLUSIVE MODE").execute(&mut *tx).await?;
    keep_out(&mut tx).await?;
    sqlx::query(
        "UPDATE boards SET log_after = greatest(log_after, highest.version)
         FROM unnest($1::text[], $2::bigint[]) AS highest (id, version) WHERE boards.id = highest.id",
    )
    .bind(Vec::from_iter(content.boards.keys().map(BoardId::as_str)))
    .bind(Vec::from_iter(content.boards.values().map(|version| number(version.get()))))
    .execute(&mut *tx)
    .await?;
    sqlx::query("UPDATE log_parts SET rows = $2, digest = $3 WHERE no = $1")
        .bind(no)
        .bind(number(content.rows))
        .bind(content.digest.as_slice())
        .execute(&mut *tx)
        .await?;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE {}", table(no)))).execute(&mut *tx).await?;
    tx.commit().await.map_err(Failure::Commit)
}
