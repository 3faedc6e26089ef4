//! Brings the database's schema to what this version of the crate writes: forward only, and never over what it does not know.

use std::collections::HashSet;

use scoreboard_core::BackendError;
use sqlx::PgConnection;
use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migration, Migrator};

use crate::error::Failure;

/// What is built into this crate, oldest first.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Where it is written down what has run. A name of its own: another program may keep its tables beside these.
const TABLE: &str = "scoreboard_migrations";

/// Why a database is left alone.
#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error(
        "the database was written by a newer version of this program: its schema is {found}, and this version knows {known}"
    )]
    Newer { found: i64, known: i64 },
    #[error("the database's schema {0} is not the one that this program knows by that number")]
    Altered(i64),
}

/// Runs the migrations that the database does not have yet.
pub(crate) async fn migrate(connection: &mut PgConnection) -> Result<(), BackendError> {
    let done = is_current(connection).await.map_err(|failure| failure.during("open"))?;
    if done { Ok(()) } else { run(connection).await.map_err(|failure| failure.during("migrate")) }
}

/// Whether any migration ever ran here.
pub(crate) async fn is_there(connection: &mut PgConnection) -> Result<bool, Failure> {
    Ok(sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(TABLE).fetch_one(connection).await?)
}

/// Looks, without the lock and without a write, whether there is nothing to do.
async fn is_current(connection: &mut PgConnection) -> Result<bool, Failure> {
    if !is_there(connection).await? {
        return Ok(false);
    }
    let applied = connection.list_applied_migrations(TABLE).await.map_err(failure)?;
    Ok(pending(&applied)?.is_empty())
}

/// Under an advisory lock of the whole database, so that of several processes that find an old schema one changes it. The lock
/// goes with the connection if this is dropped.
async fn run(connection: &mut PgConnection) -> Result<(), Failure> {
    connection.lock().await.map_err(failure)?;
    let ran = run_locked(connection).await;
    connection.unlock().await.map_err(failure)?;
    ran
}

async fn run_locked(connection: &mut PgConnection) -> Result<(), Failure> {
    connection.ensure_migrations_table(TABLE).await.map_err(failure)?;
    let applied = connection.list_applied_migrations(TABLE).await.map_err(failure)?;
    for migration in pending(&applied)? {
        connection.apply(TABLE, migration).await.map_err(failure)?;
    }
    Ok(())
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
    let done: HashSet<i64> = applied.iter().map(|row| row.version).collect();
    Ok(MIGRATIONS.iter().filter(|migration| !done.contains(&migration.version)).collect())
}

fn failure(error: MigrateError) -> Failure {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Failure::Driver(error),
        other => Failure::stored(other),
    }
}
