//! An embedding game's own login.

use serde::{Deserialize, Serialize};

/// Whose tokens are taken besides this server's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Outside {
    /// `iss` of the tokens; empty for none but this server's own.
    pub(crate) issuer: String,
    /// `aud` of the tokens.
    pub(crate) audience: String,
    /// The issuer's public keys: a file with a JWK set.
    pub(crate) jwks_file: String,
    /// The same, fetched from there each five minutes.
    pub(crate) jwks_url: String,
}

impl Outside {
    /// The setting that is missing or too much, and its rule.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        let Self { issuer, audience, jwks_file, jwks_url } = self;
        if issuer.is_empty() {
            let others =
                [("outside.audience", audience), ("outside.jwks_file", jwks_file), ("outside.jwks_url", jwks_url)];
            return match others.iter().find(|(_, value)| !value.is_empty()) {
                Some((name, _)) => Err((name, "needs `outside.issuer` beside it".to_owned())),
                None => Ok(()),
            };
        }
        if audience.is_empty() {
            return Err(("outside.audience", "must say for whom the tokens of `outside.issuer` are".to_owned()));
        }
        if jwks_file.is_empty() == jwks_url.is_empty() {
            return Err((
                "outside.jwks_url",
                "or `outside.jwks_file`, one of the two, must say where the keys are".to_owned(),
            ));
        }
        Ok(())
    }
}
