//! Passwords, addresses and sessions.

use scoreboard_core::accounts::Session;
use scoreboard_core::{SessionId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who wants another password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PasswordRequest {
    /// The one so far.
    #[schema(format = "password")]
    pub(crate) password: String,
    /// 15 characters or more, unless the server is told otherwise.
    #[schema(format = "password", min_length = 15, max_length = 128)]
    pub(crate) new_password: String,
}

/// Who has forgotten the password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ForgotRequest {
    /// As registered.
    pub(crate) email: String,
}

/// Who sets another one by a mail.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ResetRequest {
    /// Behind `#reset=` in the mail. It works once. What stands in it behind the full stop is a `deviceToken` for the login that follows: who
    /// reads the mail waits for nobody who guesses.
    pub(crate) token: String,
    /// 15 characters or more, unless the server is told otherwise.
    #[schema(format = "password", min_length = 15, max_length = 128)]
    pub(crate) password: String,
}

/// Who confirms an address.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ConfirmRequest {
    /// Behind `#confirm=` in the mail.
    pub(crate) token: String,
}

/// Who wants another address.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AddressRequest {
    /// The new one: a mail is sent there.
    #[schema(format = "email", max_length = 254)]
    pub(crate) email: String,
}

/// Who has read the mail to the new address.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangeAddressRequest {
    /// Behind `#address=` in the mail. It works once.
    pub(crate) token: String,
}

/// One login, and all that came of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionAnswer {
    id: SessionId,
    /// When it began.
    created_at: Timestamp,
    /// When it ends, however often it is refreshed.
    expires_at: Timestamp,
    /// Whether it is the one that asks.
    current: bool,
}

impl SessionAnswer {
    pub(crate) fn new(session: Session, current: SessionId) -> Self {
        let Session { id, created_at, expires_at, .. } = session;
        Self { id, created_at, expires_at, current: id == current }
    }
}

/// A user's sessions.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionsAnswer {
    /// The one that began last first.
    pub(crate) sessions: Vec<SessionAnswer>,
}
