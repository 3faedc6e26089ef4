//! Requests that trusted game servers sign, so that what is seen of one on its way is no key to another.
//!
//! `docs/signed-requests.md` has it to the byte. A server has the private half, the store the public one.

use std::time::Duration;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use crate::accounts::{AccountError, Accounts, ServerCredential, ServerKey, ServerKeyError};
use crate::clock::Timestamp;
use crate::encoding::pre_authentication_encoding;
use crate::id_source::IdSourceExt;
use crate::ids::KeyId;

/// In front of a private key, so that one is recognised where it should not be.
const PREFIX: &str = "sbk_";
/// How far the clock of a game server may be from ours.
const SKEW: Duration = Duration::from_secs(300);

/// What a game server has signed.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// Its key's name.
    pub key: &'a KeyId,
    /// When, by its clock.
    pub time: Timestamp,
    /// The method, in capitals.
    pub method: &'a str,
    /// The path and the query, as on the request's line.
    pub target: &'a str,
    /// The name under which the result counts once. It is what makes the request good for one result alone, for ever and on every node.
    pub idempotency_key: &'a str,
    /// The body, as it came.
    pub body: &'a [u8],
    /// 64 bytes.
    pub signature: &'a [u8],
}

impl SignedRequest<'_> {
    fn message(&self) -> Vec<u8> {
        let pieces: [&[u8]; 6] = [
            self.key.as_str().as_bytes(),
            self.method.as_bytes(),
            self.target.as_bytes(),
            self.idempotency_key.as_bytes(),
            &self.time.as_millis().to_le_bytes(),
            &Sha256::digest(self.body),
        ];
        let mut message = Vec::new();
        pre_authentication_encoding("scoreboard/request/v1", &pieces, |bytes| message.extend_from_slice(bytes));
        message
    }

    fn is_signed_by(&self, public_key: &[u8; 32]) -> bool {
        UnparsedPublicKey::new(&ED25519, public_key).verify(&self.message(), self.signature).is_ok()
    }
}

impl Accounts {
    /// Makes a pair with which a trusted game server signs its requests, and gives the text of its private half, which is kept nowhere.
    ///
    /// # Errors
    ///
    /// [`ServerKeyError`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a key may have been made whose text nobody has: remove it.
    pub async fn create_signing_server_key(&self, id: &KeyId) -> Result<String, ServerKeyError> {
        let seed = self.parts.ids.secret();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed is any 32 bytes");
        let mut public_key = [0; 32];
        public_key.copy_from_slice(pair.public_key().as_ref());
        let credential = ServerCredential::PublicKey(public_key);
        let key = ServerKey { id: id.clone(), credential, created_at: self.parts.clock.now() };
        if !self.parts.store.add_server_key(&key).await? {
            return Err(ServerKeyError::Taken(id.clone()));
        }
        Ok(format!("{PREFIX}{id}_{}", hex::encode(seed)))
    }

    /// Which trusted game server has signed this request, within five minutes of now.
    ///
    /// A request that is sent again is good again, for it can do nothing more: what it counts, counts once under its idempotency key.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`], or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn authenticate_signed(&self, request: &SignedRequest<'_>) -> Result<KeyId, AccountError> {
        let now = self.parts.clock.now();
        if now.since(request.time).max(request.time.since(now)) > SKEW {
            return Err(AccountError::Unauthorized);
        }
        let key = self.parts.store.server_key(request.key).await?.ok_or(AccountError::Unauthorized)?;
        match key.credential {
            ServerCredential::PublicKey(public_key) if request.is_signed_by(&public_key) => Ok(key.id),
            _ => Err(AccountError::Unauthorized),
        }
    }
}
