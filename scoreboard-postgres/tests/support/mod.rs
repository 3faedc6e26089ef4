//! A store in a schema of its own, for one test, on a server of the tests' own.

#![allow(dead_code, unused_imports, reason = "no test file uses all of it")]

pub(crate) mod changes;
mod postgres;

use std::sync::Arc;

use scoreboard_core::accounts::{AccountStore, FactorStore};
use scoreboard_core::testing::{
    AccountStoreFixture, FactorStoreFixture, Fixture, IncidentStoreFixture, ModerationStoreFixture, ScoreStoreFixture,
};
use scoreboard_core::{IncidentStore, ModerationStore, ScoreStore};
use scoreboard_postgres::PostgresStore;

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
