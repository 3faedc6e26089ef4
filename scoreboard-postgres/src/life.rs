//! Whether the database is still the one that it was, or another life of it, in which commits may be missing.

use sqlx::{Connection, PgConnection};

/// The present life, of a server that takes writes; `NULL` on a standby.
///
/// A standby that is promoted, and a recovery that ends at a point in time, begin a new timeline
/// (<https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES>). The name of the log file that is written shows
/// it at once; the control file, only after the next checkpoint.
macro_rules! with_now {
    ($statement:literal) => {
        concat!(
            $statement,
            " (SELECT CASE WHEN NOT pg_is_in_recovery() THEN
                   (SELECT system_identifier FROM pg_control_system()) || '.' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
               END AS life) AS now "
        )
    };
}

/// Begins the next epoch if this is another life than the epoch is of: versions that were given out and then lost are given out again.
///
/// Asked of every new connection, for a failover ends the old ones. Of several that find it out, one begins the epoch.
pub(crate) async fn follow(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let is_known: bool = sqlx::query_scalar(concat!(with_now!(
        "SELECT now.life IS NULL OR meta.life IS NOT DISTINCT FROM now.life FROM meta,"
    )))
    .fetch_one(&mut *connection)
    .await?;
    if is_known {
        return Ok(());
    }
    let mut tx = connection.begin().await?;
    // Waits for the batches under way, and keeps new ones out, so that none ends in the epoch before.
    sqlx::query("LOCK TABLE boards IN EXCLUSIVE MODE").execute(&mut *tx).await?;
    let begun = sqlx::query_scalar::<_, i64>(concat!(
        with_now!(
            "UPDATE meta SET life = now.life, epoch = epoch + CASE WHEN meta.life IS NULL THEN 0 ELSE 1 END FROM"
        ),
        "WHERE meta.life IS DISTINCT FROM now.life RETURNING epoch"
    ))
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    if let Some(epoch) = begun {
        tracing::info!(epoch, "the database server is in a life that was not known");
    }
    Ok(())
}
