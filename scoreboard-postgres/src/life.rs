//! Whether the database is still the one that it was, or another life of it, in which commits may be missing.

use sqlx::{Connection, PgConnection};

/// The present life, of a server that takes writes; `NULL` on a standby. And the tables that it is of.
///
/// A standby that is promoted, and a recovery that ends at a point in time, begin a new timeline
/// (<https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES>). The name of the log file that is written shows
/// it at once; the control file, only after the next checkpoint. Where a dump is loaded, tables are made anew, with other numbers.
macro_rules! with_now {
    ($statement:literal) => {
        concat!(
            $statement,
            " (SELECT CASE WHEN NOT pg_is_in_recovery() THEN
                   (SELECT system_identifier FROM pg_control_system()) || '.' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
               END AS life, 'boards'::regclass::oid::bigint AS tables) AS now "
        )
    };
}

/// Begins the next epoch if this is another life than the epoch is of: versions that were given out and then lost are given out again.
///
/// Asked of every new connection, for a failover ends the old ones. Of several that find it out, one begins the epoch.
///
/// A standby is no server to be connected to: it may be promoted under the connection, of which nothing would be asked then.
pub(crate) async fn follow(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (is_standby, is_known): (bool, bool) = sqlx::query_as(concat!(with_now!(
        "SELECT now.life IS NULL, (meta.life, meta.tables) IS NOT DISTINCT FROM (now.life, now.tables) FROM meta,"
    )))
    .fetch_one(&mut *connection)
    .await?;
    if is_standby {
        return Err(sqlx::Error::Protocol("the server is a standby, and takes no writes".to_owned()));
    }
    if is_known {
        return Ok(());
    }
    let mut tx = connection.begin().await?;
    // Waits for the batches under way, and keeps new ones out, so that none ends in the epoch before.
    sqlx::query("LOCK TABLE boards IN EXCLUSIVE MODE").execute(&mut *tx).await?;
    let begun = sqlx::query_scalar::<_, i64>(concat!(
        with_now!(
            "UPDATE meta SET life = now.life, tables = now.tables,
                             epoch = epoch + CASE WHEN meta.life IS NULL THEN 0 ELSE 1 END FROM"
        ),
        "WHERE (meta.life, meta.tables) IS DISTINCT FROM (now.life, now.tables) RETURNING epoch"
    ))
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    if let Some(epoch) = begun {
        tracing::info!(epoch, "the database is in a life that was not known");
    }
    Ok(())
}
