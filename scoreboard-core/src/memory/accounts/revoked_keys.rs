//! Which signing keys were revoked.

use async_trait::async_trait;

use super::MemoryAccountStore;
use crate::accounts::RevokedKeyStore;
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::KeyId;

#[async_trait]
impl RevokedKeyStore for MemoryAccountStore {
    async fn revoke_key(&self, id: &KeyId, _at: Timestamp) -> Result<bool, BackendError> {
        Ok(self.revoked_keys.lock().insert(id.clone()))
    }

    async fn revoked_keys(&self) -> Result<Vec<KeyId>, BackendError> {
        Ok(self.revoked_keys.lock().iter().cloned().collect())
    }
}
