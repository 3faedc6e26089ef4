//! A store on a file of its own, for one test.

use std::sync::Arc;

use scoreboard_core::accounts::{AccountStore, FactorStore};
use scoreboard_core::testing::{
    AccountStoreFixture, FactorStoreFixture, Fixture, IncidentStoreFixture, ModerationStoreFixture, ScoreStoreFixture,
};
use scoreboard_core::{IncidentStore, ModerationStore, ScoreStore};
use scoreboard_sqlite::{Config, SqliteStore};
use tempfile::TempDir;

/// A store in a folder that goes when the fixture does.
#[derive(Debug)]
pub(crate) struct SqliteFixture {
    store: SqliteStore,
    _folder: TempDir,
}

impl Fixture for SqliteFixture {
    async fn fresh() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let config = Config::new(folder.path().join("scoreboard.db"));
        let store = SqliteStore::open(&config).await.expect("a new file opens");
        Self { store, _folder: folder }
    }
}

impl ScoreStoreFixture for SqliteFixture {
    fn score_store(&self) -> Arc<dyn ScoreStore> {
        Arc::new(self.store.clone())
    }
}

impl ModerationStoreFixture for SqliteFixture {
    fn moderation_store(&self) -> Arc<dyn ModerationStore> {
        Arc::new(self.store.clone())
    }
}

impl AccountStoreFixture for SqliteFixture {
    fn account_store(&self) -> Arc<dyn AccountStore> {
        Arc::new(self.store.clone())
    }
}

impl FactorStoreFixture for SqliteFixture {
    fn factor_store(&self) -> Arc<dyn FactorStore> {
        Arc::new(self.store.clone())
    }
}

impl IncidentStoreFixture for SqliteFixture {
    fn incident_store(&self) -> Arc<dyn IncidentStore> {
        Arc::new(self.store.clone())
    }
}
