//! Keys with which trusted game servers record results.

use subtle::ConstantTimeEq;

use crate::accounts::{AccountError, Accounts, ServerCredential, ServerKey, TokenHash};
use crate::error::InvalidValue;
use crate::id_source::IdSourceExt;
use crate::ids::KeyId;

/// In front of every such key, so that one is recognised where it should not be.
const PREFIX: &str = "sbs_";

/// Why a key could not be made.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ServerKeyError {
    /// There is one of this name.
    #[error("there is already a key `{0}`")]
    Taken(KeyId),
    /// The store failed.
    #[error(transparent)]
    Backend(#[from] crate::BackendError),
}

impl Accounts {
    /// Makes a key for a trusted game server and gives its text, which is kept nowhere.
    ///
    /// # Errors
    ///
    /// [`ServerKeyError`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a key may have been made whose text nobody has: remove it.
    pub async fn create_server_key(&self, id: &KeyId) -> Result<String, ServerKeyError> {
        let secret = self.parts.ids.secret();
        let credential = ServerCredential::Secret(TokenHash::of(&secret));
        let key = ServerKey { id: id.clone(), credential, created_at: self.parts.clock.now() };
        if !self.parts.store.add_server_key(&key).await? {
            return Err(ServerKeyError::Taken(id.clone()));
        }
        Ok(format!("{PREFIX}{id}_{}", hex::encode(secret)))
    }

    /// Which trusted game server shows this key.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`], or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn authenticate_server(&self, text: &str) -> Result<KeyId, AccountError> {
        let (id, secret) = parse(text).map_err(|_| AccountError::Unauthorized)?;
        let key = self.parts.store.server_key(&id).await?.ok_or(AccountError::Unauthorized)?;
        let ServerCredential::Secret(hash) = key.credential else { return Err(AccountError::Unauthorized) };
        let same: bool = hash.as_bytes().ct_eq(TokenHash::of(&secret).as_bytes()).into();
        if same { Ok(id) } else { Err(AccountError::Unauthorized) }
    }
}

fn parse(text: &str) -> Result<(KeyId, [u8; 32]), InvalidValue> {
    let invalid = InvalidValue::new("server key", "must be `sbs_<name>_<secret>`");
    let (id, secret) = text.strip_prefix(PREFIX).and_then(|rest| rest.rsplit_once('_')).ok_or(invalid.clone())?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(secret, &mut bytes).map_err(|_| invalid)?;
    Ok((KeyId::new(id)?, bytes))
}
