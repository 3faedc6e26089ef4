//! Whether the server keeps what it acknowledges.

use sqlx::PgConnection;

use crate::error::Failure;

/// What was found when the database was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// What the server acknowledges is on its device.
    Kept,
    /// It may not be, and the configuration allows it.
    Unsafe,
}

/// A setting with which a power cut loses or tears what was acknowledged.
#[derive(Debug, thiserror::Error)]
#[error(
    "the server runs with {0}=off: what it acknowledges may be lost. Set it to `on`, or allow it by `unsafe_durability`"
)]
pub(crate) struct Unsafe(&'static str);

/// Looks at the settings as this connection has them: `synchronous_commit` may be another for each user and database.
pub(crate) async fn unsafe_setting(connection: &mut PgConnection) -> Result<Option<Unsafe>, Failure> {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let value: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&mut *connection).await?;
        if value == "off" {
            return Ok(Some(Unsafe(setting)));
        }
    }
    Ok(None)
}
