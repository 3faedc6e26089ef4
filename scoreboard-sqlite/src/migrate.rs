//! Brings the file's schema to what this version of the crate writes: forward only, and never over what it does not know.

use scoreboard_core::BackendError;
use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::{Connection, SqliteConnection};

use crate::error::Failure;

/// What is built into this crate.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// "scor", as the first migration sets it.
const APPLICATION_ID: i32 = 0x7363_6f72;

/// Why a file is left alone.
#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error("the file was written by a newer version of this program (schema {0}; this version knows up to {1})")]
    Newer(i64, i64),
    #[error("the file's schema {0} is not the one of that number in this program")]
    Altered(i64),
    #[error("the file is a database of another program")]
    Foreign,
}

/// Runs the migrations that the file does not have yet.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<(), BackendError> {
    if is_current(connection).await.map_err(|failure| failure.during("open"))? {
        return Ok(());
    }
    run(connection).await.map_err(|failure| failure.during("migrate"))
}

/// Looks, without a lock that a busy server next door would have to give, whether there is anything to do.
async fn is_current(connection: &mut SqliteConnection) -> Result<bool, Failure> {
    let application: i32 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await?;
    if tables == 0 {
        return Ok(false);
    }
    if application != APPLICATION_ID {
        return Err(Failure::stored(Unknown::Foreign));
    }
    let applied = connection.list_applied_migrations(&MIGRATIONS.table_name).await.map_err(failure)?;
    Ok(MIGRATIONS
        .iter()
        .all(|known| applied.iter().any(|row| row.version == known.version && row.checksum == known.checksum))
        && applied.len() == MIGRATIONS.iter().len())
}

/// One transaction that takes the write lock first, so that two processes that open a new file do not both fill it.
async fn run(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    MIGRATIONS.run(&mut *tx).await.map_err(failure)?;
    tx.commit().await.map_err(Failure::Commit)
}

fn failure(error: MigrateError) -> Failure {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Failure::Driver(error),
        MigrateError::VersionMissing(found) => {
            Failure::stored(Unknown::Newer(found, MIGRATIONS.iter().map(|known| known.version).max().unwrap_or(0)))
        }
        MigrateError::VersionMismatch(version) => Failure::stored(Unknown::Altered(version)),
        other => Failure::stored(other),
    }
}
