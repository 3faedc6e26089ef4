//! Brings the file's schema to what this version of the crate writes: forward only, and never over what it does not know.

use scoreboard_core::BackendError;
use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migration, Migrator};
use sqlx::{Connection, SqliteConnection};

use crate::error::Failure;

/// What is built into this crate, oldest first.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// "scor", as the first migration sets it.
const APPLICATION_ID: i32 = 0x7363_6f72;

/// Why a file is left alone.
#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error(
        "the file was written by a newer version of this program: its schema is {found}, and this version knows {known}"
    )]
    Newer { found: i64, known: i64 },
    #[error("the file's schema {0} is not the one that this program knows by that number")]
    Altered(i64),
    #[error("the file is the database of another program")]
    Foreign,
}

/// Runs the migrations that the file does not have yet.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<(), BackendError> {
    let done = is_current(connection).await.map_err(|failure| failure.during("open"))?;
    if done { Ok(()) } else { run(connection).await.map_err(|failure| failure.during("migrate")) }
}

/// Looks, without the lock that a busy server next door would have to give, whether there is nothing to do.
async fn is_current(connection: &mut SqliteConnection) -> Result<bool, Failure> {
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await?;
    if tables == 0 {
        return Ok(false);
    }
    let application: i32 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    if application != APPLICATION_ID {
        return Err(Failure::stored(Unknown::Foreign));
    }
    let applied = connection.list_applied_migrations(&MIGRATIONS.table_name).await.map_err(failure)?;
    Ok(pending(&applied)?.is_empty())
}

/// One transaction that takes the write lock first, so that of two processes that open a new file one fills it.
async fn run(connection: &mut SqliteConnection) -> Result<(), Failure> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let table = &MIGRATIONS.table_name;
    tx.ensure_migrations_table(table).await.map_err(failure)?;
    let applied = tx.list_applied_migrations(table).await.map_err(failure)?;
    for migration in pending(&applied)? {
        tx.apply(table, migration).await.map_err(failure)?;
    }
    tx.commit().await.map_err(Failure::Commit)
}

/// What is known here and not applied there, if all that is applied there is known here.
fn pending(applied: &[AppliedMigration]) -> Result<Vec<&'static Migration>, Failure> {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    for row in applied {
        match MIGRATIONS.iter().find(|migration| migration.version == row.version) {
            None => return Err(Failure::stored(Unknown::Newer { found: row.version, known })),
            Some(migration) if migration.checksum != row.checksum => {
                return Err(Failure::stored(Unknown::Altered(row.version)));
            }
            Some(_) => {}
        }
    }
    let is_pending = |migration: &&Migration| applied.iter().all(|row| row.version != migration.version);
    Ok(MIGRATIONS.iter().filter(is_pending).collect())
}

fn failure(error: MigrateError) -> Failure {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Failure::Driver(error),
        other => Failure::stored(other),
    }
}
