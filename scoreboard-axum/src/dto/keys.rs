//! Keys, by their names and never themselves.

use scoreboard_core::accounts::{KeyState, ServerCredential, ServerKey, SigningKey};
use scoreboard_core::{KeyId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// The keys of this server.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeysAnswer {
    /// Those that sign actions and access tokens, the one that signs now first.
    signing: Vec<SigningKeyAnswer>,
    /// Those of trusted game servers, by name.
    game_servers: Vec<GameServerKeyAnswer>,
}

/// A key that signs.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningKey)]
#[serde(rename_all = "camelCase")]
struct SigningKeyAnswer {
    id: KeyId,
    state: KeyStateAnswer,
}

/// What a key is good for.
#[derive(Serialize, ToSchema)]
#[schema(as = KeyState)]
#[serde(rename_all = "lowercase")]
enum KeyStateAnswer {
    /// It signs.
    Signs,
    /// What it has signed is taken, or will be.
    Verifies,
    /// It only opens what was sealed with it.
    Opens,
    /// What it has signed is refused.
    Revoked,
}

/// The right of a trusted game server.
#[derive(Serialize, ToSchema)]
#[schema(as = GameServerKey)]
#[serde(rename_all = "camelCase")]
struct GameServerKeyAnswer {
    id: KeyId,
    created_at: Timestamp,
    /// By what it signs its requests: an Ed25519 key of 32 bytes, in hex; `null` if it shows a secret instead.
    public_key: Option<String>,
}

impl KeysAnswer {
    pub(crate) fn new(signing: Vec<SigningKey>, game_servers: Vec<ServerKey>) -> Self {
        Self {
            signing: signing.into_iter().map(SigningKeyAnswer::from).collect(),
            game_servers: game_servers.into_iter().map(GameServerKeyAnswer::from).collect(),
        }
    }
}

impl From<SigningKey> for SigningKeyAnswer {
    fn from(SigningKey { id, state }: SigningKey) -> Self {
        let state = match state {
            KeyState::Signs => KeyStateAnswer::Signs,
            KeyState::Verifies => KeyStateAnswer::Verifies,
            KeyState::Opens => KeyStateAnswer::Opens,
            KeyState::Revoked => KeyStateAnswer::Revoked,
        };
        Self { id, state }
    }
}

impl From<ServerKey> for GameServerKeyAnswer {
    fn from(ServerKey { id, credential, created_at }: ServerKey) -> Self {
        let public_key = match credential {
            ServerCredential::Secret(_) => None,
            ServerCredential::PublicKey(bytes) => Some(hex::encode(bytes)),
        };
        Self { id, created_at, public_key }
    }
}
