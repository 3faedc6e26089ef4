//! The keys of trusted game servers.

use std::collections::hash_map::Entry;

use async_trait::async_trait;

use super::MemoryAccountStore;
use crate::accounts::{ServerKey, ServerKeyStore};
use crate::error::BackendError;
use crate::ids::KeyId;

#[async_trait]
impl ServerKeyStore for MemoryAccountStore {
    async fn add_server_key(&self, key: &ServerKey) -> Result<bool, BackendError> {
        Ok(match self.server_keys.lock().entry(key.id.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(key.clone());
                true
            }
        })
    }

    async fn server_key(&self, id: &KeyId) -> Result<Option<ServerKey>, BackendError> {
        Ok(self.server_keys.lock().get(id).cloned())
    }

    async fn server_keys(&self) -> Result<Vec<ServerKey>, BackendError> {
        let mut keys: Vec<ServerKey> = self.server_keys.lock().values().cloned().collect();
        keys.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        Ok(keys)
    }

    async fn remove_server_key(&self, id: &KeyId) -> Result<bool, BackendError> {
        Ok(self.server_keys.lock().remove(id).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{ServerCredential, TokenHash};
    use crate::clock::Timestamp;

    #[tokio::test]
    async fn an_id_names_one_key_until_it_is_taken_away() {
        let store = MemoryAccountStore::new();
        let key = |secret: &[u8]| ServerKey {
            id: "arena-1".parse().unwrap(),
            credential: ServerCredential::Secret(TokenHash::of(secret)),
            created_at: Timestamp::from_millis(0),
        };
        assert!(store.add_server_key(&key(b"one")).await.unwrap());
        assert!(!store.add_server_key(&key(b"two")).await.unwrap());
        assert_eq!(store.server_key(&key(b"").id).await.unwrap(), Some(key(b"one")));
        assert!(store.remove_server_key(&key(b"").id).await.unwrap());
        assert!(!store.remove_server_key(&key(b"").id).await.unwrap());
        assert_eq!(store.server_key(&key(b"").id).await.unwrap(), None);
        assert!(store.add_server_key(&key(b"two")).await.unwrap());
    }
}
