//! The parts of the log, each a stretch of ids and so of time, made before they are needed.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

/// A lock of the whole database for this schema's parts: one makes or archives them at a time.
macro_rules! lock_of_parts {
    ($function:literal) => {
        concat!("SELECT ", $function, "(1935896434, 'log_parts'::regclass::oid::int)")
    };
}
pub(crate) use lock_of_parts;

/// The table of the part with this number.
pub(crate) fn table(no: i64) -> String {
    format!("log_actions_{no}")
}

/// Where the last part ends, and where the next one has to, if it is time for it: when less than a part's width lies ahead. Ids beyond
/// have a place too, so that this is never urgent.
struct Due {
    from: Uuid,
    below: Uuid,
}

/// Makes the next part if it is time for it.
///
/// Asked of every new connection, of which a pool that is in use makes some each half an hour. That it cannot be made now is no reason not
/// to use the connection: what would belong into it lies in `log_actions_other` until it can.
pub(crate) async fn make_ahead(connection: &mut PgConnection, width: Duration) -> Result<(), sqlx::Error> {
    match make_next(connection, width).await {
        Err(sqlx::Error::Database(error)) => {
            tracing::warn!(%error, "the log's next part could not be made; it is tried again with the next connection");
            Ok(())
        }
        result => result,
    }
}

async fn make_next(connection: &mut PgConnection, width: Duration) -> Result<(), sqlx::Error> {
    if due(connection, width).await?.is_none() {
        return Ok(());
    }
    let mut tx = connection.begin().await?;
    let alone: bool = sqlx::query_scalar(lock_of_parts!("pg_try_advisory_xact_lock")).fetch_one(&mut *tx).await?;
    if !alone {
        return Ok(());
    }
    // Somebody may just have done it.
    let Some(Due { from, below }) = due(&mut tx, width).await? else { return Ok(()) };
    keep_out(&mut tx).await?;
    let no: i64 = sqlx::query_scalar("INSERT INTO log_parts (below) VALUES ($1) RETURNING no")
        .bind(below)
        .fetch_one(&mut *tx)
        .await?;
    let part = table(no);
    let statements = format!(
        "CREATE TABLE {part} (LIKE log_records INCLUDING ALL);
         WITH moved AS (DELETE FROM log_actions_other WHERE action_id >= '{from}' AND action_id < '{below}' RETURNING *)
         INSERT INTO {part} SELECT * FROM moved;
         ALTER TABLE log_actions ATTACH PARTITION {part} FOR VALUES FROM ('{from}') TO ('{below}')"
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *tx).await?;
    tx.commit().await?;
    tracing::debug!(part, "the log has its next part");
    Ok(())
}

/// Keeps everybody out of the log until the transaction ends. A statement learns which parts there are when it has its lock on the whole:
/// one that learned it before would look for a moved row where it lies no more.
///
/// Not for long, for who comes later waits behind it; so this gives up soon where somebody reads for long.
pub(crate) async fn keep_out(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("SET LOCAL lock_timeout = '200ms'").execute(&mut *tx).await?;
    sqlx::query("LOCK TABLE ONLY log IN ACCESS EXCLUSIVE MODE").execute(tx).await?;
    Ok(())
}

/// Whose clock it is matters little here: the database's is asked, and a standby's makes nothing.
async fn due(connection: &mut PgConnection, width: Duration) -> Result<Option<Due>, sqlx::Error> {
    let (is_standby, now, from): (bool, i64, Uuid) = sqlx::query_as(
        "SELECT pg_is_in_recovery(), (extract(epoch FROM clock_timestamp()) * 1000)::bigint, below FROM log_parts
         ORDER BY below DESC LIMIT 1",
    )
    .fetch_one(connection)
    .await?;
    let now = now.cast_unsigned();
    let width = u64::try_from(width.as_millis()).unwrap_or(u64::MAX).max(1);
    if is_standby || time_of(from) >= now.saturating_add(width) {
        return Ok(None);
    }
    // After a pause of all servers, one part spans it.
    let below = first_at(time_of(from).max(now).saturating_add(width));
    // At the end of time, which a width may reach, the last part stays the last.
    Ok((below > from).then_some(Due { from, below }))
}

/// The least id of this millisecond: a UUIDv7 has the time in its first 48 bits (RFC 9562 §5.7).
pub(crate) fn first_at(millis: u64) -> Uuid {
    const LAST: u64 = (1 << 48) - 1;
    Uuid::from_u128(u128::from(millis.min(LAST)) << 80)
}

/// The millisecond that an id has in front.
pub(crate) fn time_of(id: Uuid) -> u64 {
    u64::try_from(id.as_u128() >> 80).expect("48 bits are left")
}

#[cfg(test)]
mod tests {
    use scoreboard_core::{IdSourceExt, RandomIds, Timestamp};

    use super::*;

    #[test]
    fn an_id_lies_behind_the_first_of_its_millisecond_and_before_that_of_the_next() {
        let id = RandomIds.uuid(Timestamp::from_millis(1_700_000_000_000));
        assert_eq!(time_of(id), 1_700_000_000_000);
        assert!(first_at(1_700_000_000_000) < id && id < first_at(1_700_000_000_001), "{id}");
        assert_eq!(time_of(first_at(u64::MAX)), (1 << 48) - 1, "held to the end of time");
    }
}
