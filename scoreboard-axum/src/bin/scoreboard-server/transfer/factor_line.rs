//! A second factor as a line. Its secret stays sealed: it opens where the key file is the same.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scoreboard_core::accounts::{Factor, TokenHash};
use scoreboard_core::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One that is in force. What was only begun is begun anew.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FactorLine {
    user_id: UserId,
    stamp: Uuid,
    /// Sealed, base64.
    secret: String,
    confirmed_at: Timestamp,
    last_step: Option<u64>,
    /// Hashes, base64.
    recovery_codes: Vec<String>,
    wrong_at: Vec<Timestamp>,
}

impl FactorLine {
    pub(super) fn new(factor: Factor) -> Option<Self> {
        let Factor { user_id, stamp, secret, confirmed_at, last_step, recovery_codes, wrong_at } = factor;
        let recovery_codes = recovery_codes.iter().map(|code| STANDARD.encode(code.as_bytes())).collect();
        let (secret, confirmed_at) = (STANDARD.encode(secret), confirmed_at?);
        Some(Self { user_id, stamp, secret, confirmed_at, last_step, recovery_codes, wrong_at })
    }

    pub(super) fn into_factor(self) -> Result<Factor, String> {
        let Self { user_id, stamp, secret, confirmed_at, last_step, recovery_codes, wrong_at } = self;
        let hash = |text: String| {
            let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            bytes.map(TokenHash::from_bytes).ok_or("a recovery code is not 32 bytes in base64")
        };
        Ok(Factor {
            user_id,
            stamp,
            secret: STANDARD.decode(secret).map_err(|_| "the secret is not base64")?,
            confirmed_at: Some(confirmed_at),
            last_step,
            recovery_codes: recovery_codes.into_iter().map(hash).collect::<Result<_, _>>()?,
            wrong_at,
        })
    }
}
