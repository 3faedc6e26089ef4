//! Accounts.

use scoreboard_core::accounts::{SignedIn, Ticket, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who wants an account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RegisterRequest {
    /// Where to reach them, and what they log in with.
    #[schema(format = "email", max_length = 254)]
    pub(crate) email: String,
    /// 15 characters or more, unless the server is told otherwise.
    #[schema(format = "password", min_length = 15, max_length = 128)]
    pub(crate) password: String,
    /// The name to show: visible characters, no spaces around them, at most 3 accents on a letter.
    #[schema(min_length = 1, max_length = 40)]
    pub(crate) display_name: String,
}

/// Who has read the mail to the address of their account to be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ConfirmRegistrationRequest {
    /// Behind `#register=` in the mail. It works once.
    pub(crate) token: String,
}

/// Who wants in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// As registered, in any case.
    pub(crate) email: String,
    /// As registered.
    #[schema(format = "password")]
    pub(crate) password: String,
    /// What the last login from this device has given for this account: so that strangers who guess its password hold nobody up here.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub(crate) device_token: Option<String>,
}

/// Who wants to stay in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    /// The newest one of the session. It works once; for ten seconds, or until what it got is used, it is answered the same.
    pub(crate) refresh_token: String,
}

/// A user, to themself.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserAnswer {
    pub(crate) user: User,
}

/// Signed in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedInAnswer {
    /// The access token: sent as `Authorization: Bearer`.
    token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// How long the token is good, in seconds.
    expires_in: u64,
    /// Gives the next pair, once.
    refresh_token: String,
    /// Who.
    user: User,
    /// There and true only if the token is good for nothing but setting up a second factor, which this user must have. Refresh once there is
    /// one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    mfa_enrolment_required: bool,
    /// After a login: to be kept on this device, and sent with its next login to this account. It opens nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_token: Option<String>,
}

impl From<SignedIn> for SignedInAnswer {
    fn from(signed_in: SignedIn) -> Self {
        let SignedIn { token, expires_in, refresh_token, user, must_enrol, device_token, .. } = signed_in;
        Self {
            token,
            token_type: "Bearer",
            expires_in: expires_in.as_secs(),
            refresh_token,
            user,
            mfa_enrolment_required: must_enrol,
            device_token,
        }
    }
}

/// Lets a WebSocket know who is there.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TicketAnswer {
    /// What to send as `{"type":"authenticate","ticket"}`. It works once.
    ticket: String,
    /// How long it is good, in seconds.
    expires_in: u64,
}

impl From<Ticket> for TicketAnswer {
    fn from(Ticket { text, expires_in, .. }: Ticket) -> Self {
        Self { ticket: text, expires_in: expires_in.as_secs() }
    }
}
