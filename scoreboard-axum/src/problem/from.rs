//! What core's refusals and failures are over HTTP.

use std::num::NonZeroU32;
use std::time::Duration;

use scoreboard_core::accounts::{AccountError, FieldProblem};
use scoreboard_core::{
    Algorithm, BackendError, Chain, Error, ErrorKind, InvalidValue, NAMES_BACKEND, Quota, Rejection, Timestamp, Usage,
};

use crate::problem::{Code, FieldError, Problem};

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Rejected(rejection) => rejection.into(),
            Error::RateLimited(usage) => Self::rate_limited(usage),
            Error::Backend(error) => error.into(),
            // `Error` may grow; what is not known here is a defect of this crate.
            error => unknown(&error),
        }
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let detail = rejection.to_string();
        match rejection {
            Rejection::UnknownBoard(_) | Rejection::UnknownSeason => Self::not_found(detail),
            Rejection::UnknownKind(_) => Self::invalid("/kind", detail),
            Rejection::PointsNotAllowed(_) => Self::invalid("/points", detail),
            Rejection::CursorInvalid => Self::invalid("/query/cursor", detail),
            Rejection::VersionAhead(_) => Self::invalid("/query/minVersion", detail),
            Rejection::SignatureInvalid => Self::new(Code::ActionSignatureInvalid, detail).at("/action/hash"),
            Rejection::Expired => Self::new(Code::ActionExpired, detail).at("/action/expiresAt"),
            Rejection::NotYetValid => Self::new(Code::ActionNotYetValid, detail).at("/action/notBefore"),
            Rejection::Mismatch => Self::new(Code::ActionMismatch, detail).at("/action"),
            Rejection::ScoreOutOfRange => Self::new(Code::ScoreOutOfRange, detail).at("/action/points"),
            Rejection::Blocked(incident) => Self::blocked(incident),
            Rejection::IdempotencyMismatch => Self::new(Code::IdempotencyMismatch, detail),
            Rejection::Banned => Self::new(Code::Banned, detail),
            rejection @ (Rejection::Moderation(_)
            | Rejection::TooManyActions(_)
            | Rejection::SelectionTooWide
            | Rejection::NoModeration) => Self::refused_decision(&rejection),
            Rejection::Forbidden => Self::forbidden("not allowed"),
            // As above.
            rejection => unknown(&rejection),
        }
    }
}

impl From<BackendError> for Problem {
    fn from(error: BackendError) -> Self {
        let retryable = error.is_retryable();
        metrics::counter!("scoreboard_backend_failures_total", "backend" => error.backend(), "retryable" => if retryable { "yes" } else { "no" })
            .increment(1);
        if !retryable {
            tracing::error!(error = %Chain(&error), "a backend failed");
            return Self::internal();
        }
        tracing::warn!(error = %Chain(&error), "a backend is not available");
        Self::unavailable(match error.kind() {
            ErrorKind::OutcomeUnknown => {
                "whether this was done is not known: send the same request again to find out, it counts once"
            }
            _ if error.backend() == NAMES_BACKEND => "the names of users cannot be read at the moment",
            ErrorKind::Overloaded => "too much is asked of the server at the moment",
            ErrorKind::Unavailable
            | ErrorKind::Contended
            | ErrorKind::Full
            | ErrorKind::Corrupt
            | ErrorKind::Refused => "a part of the server is not available at the moment",
        })
    }
}

impl From<AccountError> for Problem {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Invalid(problems) => Self::invalid_fields(problems.into_iter().map(field_error).collect()),
            AccountError::EmailTaken => Self::new(Code::Conflict, "this e-mail address has an account already"),
            AccountError::Unauthorized => Self::unauthorized(),
            AccountError::FactorRequired => Self::forbidden("set up a second factor first: POST /api/auth/mfa/totp"),
            AccountError::Stale => Self::forbidden("the login is too old for this: log in again, or send the password"),
            AccountError::FactorActive => Self::new(Code::Conflict, "there is an authenticator app already"),
            AccountError::FactorMissing => Self::new(Code::Conflict, "there is no authenticator app"),
            AccountError::NoFactors => Self::not_found("this server has no second factors"),
            AccountError::NoMail => Self::not_found("this server sends no mail"),
            AccountError::NoSession => Self::not_found("there is no such session"),
            AccountError::WrongCode => Self::invalid("/code", "is wrong, or was used"),
            AccountError::WrongPassword => Self::invalid("/password", "is wrong"),
            AccountError::TooManyCodes(wait) => Self::rate_limited(wrong_codes(wait)),
            AccountError::Busy => Self::unavailable("too many passwords are being checked at the moment"),
            AccountError::TooManyTickets => Self::unavailable("too many tickets are waiting to be used"),
            AccountError::Backend(error) => error.into(),
            // As above.
            #[allow(unreachable_patterns, reason = "kept even while the enum may not grow")]
            error => unknown(&error),
        }
    }
}

/// The quota that wrong codes of an account used up. When, no answer says.
fn wrong_codes(wait: Duration) -> Usage {
    let limit = NonZeroU32::new(10).expect("not zero");
    let quota = Quota { limit, period: Duration::from_secs(86_400), algorithm: Algorithm::SlidingLog };
    Usage {
        policy: "wrong_codes",
        quota,
        at: Timestamp::from_millis(0),
        remaining: 0,
        retry_after: wait,
        reset_after: quota.period,
    }
}

fn field_error(FieldProblem { field, problem, .. }: FieldProblem) -> FieldError {
    FieldError { pointer: format!("/{field}"), detail: problem }
}

/// A value in a path, a query or a header that breaks a rule.
pub(crate) fn invalid_value(pointer: &str, error: &InvalidValue) -> Problem {
    Problem::invalid(pointer, error.to_string())
}

fn unknown(error: &dyn std::error::Error) -> Problem {
    tracing::error!(error = %Chain(error), "a refusal has no HTTP status");
    Problem::internal()
}
