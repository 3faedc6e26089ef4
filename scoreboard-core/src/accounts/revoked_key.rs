//! Which of the keys that sign were revoked, where all servers see it.

use std::fmt;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::KeyId;

/// Keeps the ids of revoked signing keys. The keys themselves are in no store.
#[async_trait]
pub trait RevokedKeyStore: fmt::Debug + Send + Sync + 'static {
    /// Notes that what this key has signed is to be refused: false if that was noted before. There is no way back. Durable on `Ok`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it was noted or was not.
    async fn revoke_key(&self, id: &KeyId, at: Timestamp) -> Result<bool, BackendError>;

    /// All that were revoked, sorted.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn revoked_keys(&self) -> Result<Vec<KeyId>, BackendError>;
}
