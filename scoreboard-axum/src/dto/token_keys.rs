//! Public keys.

use scoreboard_core::accounts::PublicTokenKey;
use serde::Serialize;
use utoipa::ToSchema;

/// A JWK set (RFC 7517 §5).
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenKeysAnswer {
    keys: Vec<TokenKey>,
}

/// An Ed25519 key (RFC 8037 §2).
#[derive(Serialize, ToSchema)]
struct TokenKey {
    /// Always `OKP`.
    kty: &'static str,
    /// Always `Ed25519`.
    crv: &'static str,
    /// Always `sig`.
    #[serde(rename = "use")]
    usage: &'static str,
    /// Always `EdDSA`.
    alg: &'static str,
    /// What tokens call it.
    kid: String,
    /// The public key, 32 bytes in base64url.
    x: String,
}

impl From<Vec<PublicTokenKey>> for TokenKeysAnswer {
    fn from(keys: Vec<PublicTokenKey>) -> Self {
        let key = |key: PublicTokenKey| TokenKey {
            kty: "OKP",
            crv: "Ed25519",
            usage: "sig",
            alg: "EdDSA",
            kid: key.id.to_string(),
            x: key.x(),
        };
        Self { keys: keys.into_iter().map(key).collect() }
    }
}
