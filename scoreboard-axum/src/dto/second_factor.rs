//! Second factors.

use scoreboard_core::Timestamp;
use scoreboard_core::accounts::{FactorMethod, FactorStatus, Login, NewTotp, PendingLogin};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SignedInAnswer;

/// By what a login is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Method {
    /// A code of the authenticator app.
    Totp,
    /// One of the recovery codes, each of which works once.
    RecoveryCode,
    /// A code that is mailed. Weaker than an app.
    Email,
    /// A code that is sent as a text. Weaker than an app.
    Sms,
}

impl Method {
    fn of(method: FactorMethod) -> Option<Self> {
        match method {
            FactorMethod::Totp => Some(Self::Totp),
            FactorMethod::RecoveryCode => Some(Self::RecoveryCode),
            FactorMethod::Email => Some(Self::Email),
            FactorMethod::Sms => Some(Self::Sms),
            // What is added there is not offered before it is known here.
            _ => None,
        }
    }

    const fn is_weaker(self) -> bool {
        matches!(self, Self::Email | Self::Sms)
    }
}

impl From<Method> for FactorMethod {
    fn from(method: Method) -> Self {
        match method {
            Method::Totp => Self::Totp,
            Method::RecoveryCode => Self::RecoveryCode,
            Method::Email => Self::Email,
            Method::Sms => Self::Sms,
        }
    }
}

/// What a right password comes to.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum LoginAnswer {
    /// Signed in.
    SignedIn(SignedInAnswer),
    /// The user has a second factor.
    MfaRequired(MfaRequiredAnswer),
}

impl From<Login> for LoginAnswer {
    fn from(login: Login) -> Self {
        match login {
            Login::SignedIn(signed_in) => Self::SignedIn(signed_in.into()),
            Login::SecondFactor(waiting) => Self::MfaRequired(waiting.into()),
        }
    }
}

/// A login that waits for the second factor.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MfaRequiredAnswer {
    /// Always true.
    mfa_required: bool,
    /// Names the login for `mfa/verify`. Five codes may be tried for it.
    challenge_id: String,
    /// By what it can be completed, the best first.
    methods: Vec<Method>,
    /// Those of them that are weaker than an app: somebody else may be able to read the code.
    weaker_methods: Vec<Method>,
    /// How long it waits, in seconds.
    expires_in: u64,
}

impl From<PendingLogin> for MfaRequiredAnswer {
    fn from(PendingLogin { challenge_id, methods, expires_in, .. }: PendingLogin) -> Self {
        let methods: Vec<_> = methods.into_iter().filter_map(Method::of).collect();
        let weaker_methods = methods.iter().copied().filter(|method| method.is_weaker()).collect();
        Self { mfa_required: true, challenge_id, methods, weaker_methods, expires_in: expires_in.as_secs() }
    }
}

/// Who completes a login.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MfaVerifyRequest {
    /// Of the login's answer.
    pub(crate) challenge_id: String,
    /// One of the login's `methods`.
    pub(crate) method: Method,
    /// What is shown for it; spaces and hyphens do not matter.
    #[schema(max_length = 64)]
    pub(crate) code: String,
}

/// Who wants a code sent.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MfaChallengeRequest {
    /// Of the login's answer.
    pub(crate) challenge_id: String,
    /// `email` or `sms`, if it is among the login's `methods`.
    pub(crate) method: Method,
}

/// Who sets up an app.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BeginTotpRequest {
    /// Needed where the login is more than 15 minutes old.
    #[serde(default)]
    #[schema(format = "password")]
    pub(crate) password: Option<String>,
}

/// Who shows a code while signed in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CodeRequest {
    /// Of the app, or, where a factor is in force, a recovery code.
    #[schema(max_length = 64)]
    pub(crate) code: String,
}

/// What an app needs. It is shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TotpAnswer {
    /// In Base32, for typing it in.
    secret: String,
    /// The same with all that an app wants to know.
    otpauth_uri: String,
    /// That as a QR code: an SVG image.
    qr_svg: String,
}

impl TotpAnswer {
    /// With the picture of the URI.
    pub(crate) fn new(NewTotp { secret, uri, .. }: NewTotp, qr_svg: String) -> Self {
        Self { secret, otpauth_uri: uri, qr_svg }
    }
}

/// Recovery codes. They are shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecoveryCodesAnswer {
    /// Each signs in once, in the place of the app.
    pub(crate) recovery_codes: Vec<String>,
}

/// What secures an account.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MfaAnswer {
    /// Whether an app is in force.
    totp: bool,
    /// Whether this user must have one.
    required: bool,
    /// How many recovery codes are left.
    recovery_codes_left: usize,
    /// When the e-mail address was confirmed; `null` if it was not.
    email_confirmed_at: Option<Timestamp>,
}

impl MfaAnswer {
    pub(crate) const fn new(status: FactorStatus, email_confirmed_at: Option<Timestamp>) -> Self {
        let FactorStatus { active, required, recovery_codes_left, .. } = status;
        Self { totp: active, required, recovery_codes_left, email_confirmed_at }
    }
}
