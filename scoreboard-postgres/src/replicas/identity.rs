//! Whether a database is a copy of another, and still follows it.

use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::time::timeout;

use crate::config::Config;
use crate::connection::late;
use crate::error::Failure;

/// What a streaming replica has in common with its primary, and no other database: the number that `initdb` drew, and those of the
/// database and of the schema. Not those of the tables, as in [`PostgresStore::identity`](crate::PostgresStore::identity): where these are made anew under
/// servers that go on, the replicas stay replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    system: i64,
    database: i64,
    schema: i64,
}

/// Why a database is not read.
#[derive(Debug, thiserror::Error)]
enum Foreign {
    #[error("`{0}` is no copy of the primary")]
    Other(String),
    #[error("`{0}` is no standby")]
    NoStandby(String),
}

impl Identity {
    pub(crate) async fn of(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let (system, database, schema) = sqlx::query_as(
            "SELECT system.system_identifier, pg_database.oid::bigint, pg_namespace.oid::bigint
             FROM pg_control_system() AS system, pg_database, pg_namespace
             WHERE datname = current_database() AND nspname = current_schema()",
        )
        .fetch_one(connection)
        .await?;
        Ok(Self { system, database, schema })
    }
}

/// Whether it follows a primary. Also asked instead of a ping, before a connection is used: a standby that was promoted goes its own way,
/// and keeps its connections.
pub(crate) async fn is_standby(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(connection).await
}

/// Connects once. [`Failure::Refused`] if it is no replica of this primary.
pub(super) async fn check(config: &Config, identity: &Identity) -> Result<(), Failure> {
    let look = async {
        let mut connection = config.patient().connect().await?;
        let name = || config.database.to_string();
        if Identity::of(&mut connection).await? != *identity {
            return Err(Failure::Refused(Foreign::Other(name()).into()));
        }
        if !is_standby(&mut connection).await? {
            return Err(Failure::Refused(Foreign::NoStandby(name()).into()));
        }
        // What is said already need not be heard.
        let _ = connection.close().await;
        Ok(())
    };
    timeout(config.call_timeout, look).await.unwrap_or_else(|_| Err(Failure::Driver(late(config.call_timeout))))
}
