//! Which keys there are, and what each is good for: never the keys themselves.

use serde::Serialize;

use crate::accounts::{Accounts, ServerKey};
use crate::error::BackendError;
use crate::ids::KeyId;

/// What a key of the ring is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// It signs, and what it has signed is taken.
    Signs,
    /// What it has signed is taken, or will be.
    Verifies,
    /// It only opens what was sealed with it.
    Opens,
    /// What it has signed is refused, for good.
    Revoked,
}

/// A key that signs actions, access tokens and whatever else, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// Its name.
    pub id: KeyId,
    /// What it is good for.
    pub state: KeyState,
}

impl Accounts {
    /// The keys of the ring, the one that signs first, and those that were revoked, of which this ring may know nothing any more.
    ///
    /// # Errors
    ///
    /// The store's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKey>, BackendError> {
        let revoked = self.parts.store.revoked_keys().await?;
        let (in_force, retired) = self.parts.ring.ids();
        let state = |id: &KeyId, state| if revoked.contains(id) { KeyState::Revoked } else { state };
        let mut keys: Vec<SigningKey> = Vec::new();
        for (place, id) in in_force.into_iter().enumerate() {
            let good = if place == 0 { KeyState::Signs } else { KeyState::Verifies };
            keys.push(SigningKey { state: state(&id, good), id });
        }
        for id in retired {
            keys.push(SigningKey { state: state(&id, KeyState::Opens), id });
        }
        for id in revoked {
            if keys.iter().all(|key| key.id != id) {
                keys.push(SigningKey { id, state: KeyState::Revoked });
            }
        }
        Ok(keys)
    }

    /// The keys of trusted game servers, sorted by their names.
    ///
    /// # Errors
    ///
    /// The store's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn server_keys(&self) -> Result<Vec<ServerKey>, BackendError> {
        self.parts.store.server_keys().await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::Timestamp;
    use crate::memory::MemoryAccountStore;
    use crate::verifier::{KeyRing, Secret};

    #[tokio::test]
    async fn each_key_is_told_with_what_it_is_good_for() {
        let id = |text: &str| KeyId::new(text).unwrap();
        let key = |text: &str| (id(text), Secret::from_bytes([7; 32]));
        let ring = KeyRing::new(vec![key("first")]).unwrap();
        let accounts = Accounts::builder(Arc::new(MemoryAccountStore::default()), &ring).build();
        for revoked in ["leaked", "gone"] {
            accounts.store().revoke_key(&id(revoked), Timestamp::from_millis(0)).await.unwrap();
        }
        ring.replace(vec![key("new"), key("first")], vec![key("old"), key("leaked")]).unwrap();
        let keys = accounts.signing_keys().await.unwrap();
        let told: Vec<_> = keys.iter().map(|key| (key.id.as_str(), key.state)).collect();
        use KeyState::{Opens, Revoked, Signs, Verifies};
        let expected = [("new", Signs), ("first", Verifies), ("old", Opens), ("leaked", Revoked), ("gone", Revoked)];
        assert_eq!(told, expected);
    }
}
