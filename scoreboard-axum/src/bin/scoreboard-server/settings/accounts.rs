//! Passwords, tokens, sessions and second factors.

use std::time::Duration;

use scoreboard_core::InvalidValue;
use scoreboard_core::accounts::{AccountsConfig, Hashing, TokenAlgorithm};
use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// How passwords are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub(crate) enum Hash {
    /// Argon2id.
    #[default]
    Argon2id,
    /// bcrypt, at most 71 bytes.
    Bcrypt,
}

impl TryFrom<String> for Hash {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        match text.as_str() {
            "argon2id" => Ok(Self::Argon2id),
            "bcrypt" => Ok(Self::Bcrypt),
            _ => Err(InvalidValue::new("hash", "must be `argon2id` or `bcrypt`")),
        }
    }
}

/// Passwords, tokens and sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Accounts {
    /// How new passwords are hashed; older hashes are verified all the same.
    pub(crate) hash: Hash,
    /// Memory of one Argon2id hash.
    pub(crate) argon2_memory_kib: u32,
    /// Passes over that memory.
    pub(crate) argon2_iterations: u32,
    /// The binary logarithm of bcrypt's rounds.
    pub(crate) bcrypt_cost: u32,
    /// How many passwords may wait to be hashed; one more is answered 503.
    pub(crate) hash_queue: usize,
    /// The fewest characters of a new password.
    pub(crate) min_password_chars: usize,
    /// How access tokens are signed.
    pub(crate) token_algorithm: TokenSignature,
    /// How long an access token is good.
    pub(crate) access_token_seconds: u64,
    /// How long a login lasts, however often it is refreshed.
    pub(crate) session_days: u64,
    /// `iss` and `aud` of the access tokens, and the name that authenticator apps and mails show.
    pub(crate) issuer: String,
    /// Whether admins and moderators may do nothing but set up a second factor, as long as they have none.
    pub(crate) second_factor: SecondFactor,
    /// Whether an account is there at once, or once the mail to its address was read.
    pub(crate) registration: RegistrationBy,
    /// Whether codes for a login may be mailed in the place of an app's, to users who need not have one.
    pub(crate) mailed_codes: MailedCodes,
}

/// How access tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub(crate) enum TokenSignature {
    /// HMAC-SHA256.
    #[default]
    Hs256,
    /// Ed25519, with the public keys at `/.well-known/jwks.json`.
    EdDsa,
}

impl TryFrom<String> for TokenSignature {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        match text.as_str() {
            "hs256" => Ok(Self::Hs256),
            "eddsa" => Ok(Self::EdDsa),
            _ => Err(InvalidValue::new("token algorithm", "must be `hs256` or `eddsa`")),
        }
    }
}

/// Who must have a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub(crate) enum SecondFactor {
    /// Admins, and moderators.
    #[default]
    Admins,
    /// Nobody.
    Optional,
}

impl TryFrom<String> for SecondFactor {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        match text.as_str() {
            "admins" => Ok(Self::Admins),
            "optional" => Ok(Self::Optional),
            _ => Err(InvalidValue::new("second factor", "must be `admins` or `optional`")),
        }
    }
}

/// How accounts are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub(crate) enum RegistrationBy {
    /// At once; who asks for a taken address is told that it is.
    #[default]
    Form,
    /// Once the mail to the address was read; nobody else is told who has an account.
    Mail,
}

impl TryFrom<String> for RegistrationBy {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        match text.as_str() {
            "form" => Ok(Self::Form),
            "mail" => Ok(Self::Mail),
            _ => Err(InvalidValue::new("registration", "must be `form` or `mail`")),
        }
    }
}

/// Whether codes are mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub(crate) enum MailedCodes {
    /// To confirmed addresses, where mail is sent.
    #[default]
    Allowed,
    /// To nobody.
    Off,
}

impl TryFrom<String> for MailedCodes {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        match text.as_str() {
            "allowed" => Ok(Self::Allowed),
            "off" => Ok(Self::Off),
            _ => Err(InvalidValue::new("mailed codes", "must be `allowed` or `off`")),
        }
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            hash: Hash::default(),
            argon2_memory_kib: 19 * 1024,
            argon2_iterations: 2,
            bcrypt_cost: 12,
            hash_queue: 8,
            min_password_chars: 15,
            token_algorithm: TokenSignature::default(),
            access_token_seconds: 600,
            session_days: 30,
            issuer: "scoreboard".to_owned(),
            second_factor: SecondFactor::default(),
            registration: RegistrationBy::default(),
            mailed_codes: MailedCodes::default(),
        }
    }
}

impl Accounts {
    /// As the library takes them.
    pub(crate) fn config(&self) -> AccountsConfig {
        let mut config = AccountsConfig::default();
        config.issuer.clone_from(&self.issuer);
        config.token_algorithm = match self.token_algorithm {
            TokenSignature::Hs256 => TokenAlgorithm::Hs256,
            TokenSignature::EdDsa => TokenAlgorithm::EdDsa,
        };
        config.access_lifetime = Duration::from_secs(self.access_token_seconds);
        config.session_lifetime = Duration::from_secs(self.session_days * 86_400);
        config.admins_need_factor = self.second_factor == SecondFactor::Admins;
        config.registers_by_mail = self.registration == RegistrationBy::Mail;
        config.mailed_codes = self.mailed_codes == MailedCodes::Allowed;
        config.min_password_chars = self.min_password_chars;
        config.hashing_queue = self.hash_queue;
        config.hashing = match self.hash {
            Hash::Argon2id => {
                Hashing::Argon2id { memory_kib: self.argon2_memory_kib, iterations: self.argon2_iterations }
            }
            Hash::Bcrypt => Hashing::Bcrypt { cost: self.bcrypt_cost },
        };
        config
    }
}

impl Settings {
    /// The same with what is set elsewhere.
    pub(crate) fn accounts_config(&self) -> AccountsConfig {
        let mut config = self.accounts.config();
        config.public_url.clone_from(&self.public_url);
        config
    }
}
