//! Which signing keys were revoked.

use async_trait::async_trait;
use scoreboard_core::accounts::RevokedKeyStore;
use scoreboard_core::{BackendError, KeyId, Timestamp};

use crate::connection::SqliteStore;
use crate::error::Failure;

#[async_trait]
impl RevokedKeyStore for SqliteStore {
    async fn revoke_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, BackendError> {
        let insert = sqlx::query("INSERT INTO revoked_keys (id, revoked_at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING")
            .bind(id.as_str())
            .bind(at.as_millis());
        self.execute(insert).await.map(|rows| rows > 0).map_err(|failure| failure.during("revoke_key"))
    }

    async fn revoked_keys(&self) -> Result<Vec<KeyId>, BackendError> {
        self.all_revoked().await.map_err(|failure| failure.during("revoked_keys"))
    }
}

impl SqliteStore {
    async fn all_revoked(&self) -> Result<Vec<KeyId>, Failure> {
        let ids: Vec<String> =
            sqlx::query_scalar("SELECT id FROM revoked_keys ORDER BY id").fetch_all(&mut *self.reader().await?).await?;
        ids.iter().map(|id| Ok(KeyId::new(id)?)).collect()
    }
}
