//! Accounts, sessions and server keys in memory.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::accounts::ServerKey;
use crate::error::{BackendError, ErrorKind};
use crate::ids::KeyId;

mod factors;
mod revoked_keys;
mod server_keys;
mod sessions;
mod users;

use factors::Factors;
use sessions::Sessions;
use users::Users;

/// An [`AccountStore`](crate::accounts::AccountStore) in memory, and a [`FactorStore`](crate::accounts::FactorStore).
///
/// ```
/// use scoreboard_core::Timestamp;
/// use scoreboard_core::accounts::{ServerCredential, ServerKey, ServerKeyStore, TokenHash};
/// use scoreboard_core::memory::MemoryAccountStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryAccountStore::default();
/// let key = ServerKey {
///     id: "arena-1".parse()?,
///     credential: ServerCredential::Secret(TokenHash::of(b"32 random bytes")),
///     created_at: Timestamp::from_millis(0),
/// };
/// assert!(store.add_server_key(&key).await?);
/// assert_eq!(store.server_key(&key.id).await?, Some(key));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryAccountStore {
    users: Arc<Mutex<Users>>,
    sessions: Arc<Mutex<Sessions>>,
    server_keys: Arc<Mutex<HashMap<KeyId, ServerKey>>>,
    factors: Arc<Mutex<Factors>>,
    revoked_keys: Arc<Mutex<BTreeSet<KeyId>>>,
}

impl MemoryAccountStore {
    /// A store without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for MemoryAccountStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryAccountStore").finish_non_exhaustive()
    }
}

fn refused(operation: &'static str, why: &'static str) -> BackendError {
    BackendError::new(ErrorKind::Refused, "memory", operation).because(why)
}
