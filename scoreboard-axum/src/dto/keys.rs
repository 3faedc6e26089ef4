//! Keys, by their names and never themselves.

use scoreboard_core::accounts::{ServerCredential, ServerKey, SigningKey};
use scoreboard_core::{KeyId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// The keys of this server.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeysAnswer {
    /// Those that sign actions and access tokens, the one that signs now first.
    signing: Vec<SigningKey>,
    /// Those of trusted game servers, by name.
    game_servers: Vec<GameServerKeyAnswer>,
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
        Self { game_servers: game_servers.into_iter().map(GameServerKeyAnswer::from).collect(), signing }
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
