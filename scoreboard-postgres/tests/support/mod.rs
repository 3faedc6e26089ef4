//! A store in a schema of its own, for one test, on a server of the tests' own.

#![allow(dead_code, unused_imports, reason = "no test file uses all of it")]

pub(crate) mod changes;
mod postgres;
#[path = "../../../tests/support/started.rs"]
mod started;

use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::accounts::{AccountStore, FactorStore};
use scoreboard_core::testing::{
    AccountStoreFixture, FactorStoreFixture, Fixture, IncidentStoreFixture, ModerationStoreFixture, ScoreStoreFixture,
};
use scoreboard_core::{IncidentStore, ModerationStore, ScoreStore};
use scoreboard_postgres::PostgresStore;
use scoreboard_postgres::sqlx::{self, PgConnection};

pub(crate) use postgres::{Schema, Server, program, run, server};

/// A store, and the schema that it is in.
#[derive(Debug)]
pub(crate) struct PostgresFixture {
    store: PostgresStore,
    _schema: Schema,
}

impl Fixture for PostgresFixture {
    async fn fresh() -> Self {
        let schema = Schema::create().await;
        Self { store: schema.store().await, _schema: schema }
    }
}

impl ScoreStoreFixture for PostgresFixture {
    fn score_store(&self) -> Arc<dyn ScoreStore> {
        Arc::new(self.store.clone())
    }
}

impl ModerationStoreFixture for PostgresFixture {
    fn moderation_store(&self) -> Arc<dyn ModerationStore> {
        Arc::new(self.store.clone())
    }
}

impl AccountStoreFixture for PostgresFixture {
    fn account_store(&self) -> Arc<dyn AccountStore> {
        Arc::new(self.store.clone())
    }
}

impl FactorStoreFixture for PostgresFixture {
    fn factor_store(&self) -> Arc<dyn FactorStore> {
        Arc::new(self.store.clone())
    }
}

impl IncidentStoreFixture for PostgresFixture {
    fn incident_store(&self) -> Arc<dyn IncidentStore> {
        Arc::new(self.store.clone())
    }
}

/// Waits until no session of the schema is left but this one. Sessions tell what they did, and met, before they are gone.
pub(crate) async fn all_gone(connection: &mut PgConnection) {
    let others = "SELECT count(*) FROM pg_stat_activity
                  WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()";
    let gone = async {
        while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut *connection).await.expect("it counts") > 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("a store that is closed has no sessions");
}
