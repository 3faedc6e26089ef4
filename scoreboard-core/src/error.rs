//! What can go wrong, by meaning: a value that breaks a rule, a backend that fails, a request that is refused.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::ids::{BoardId, IncidentId, KindId};
use crate::limiter::Usage;
use crate::store::ModerationRefusal;
use crate::version::Version;

/// A value that a word of this library does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {rule}")]
pub struct InvalidValue {
    what: &'static str,
    rule: &'static str,
}

impl InvalidValue {
    /// `what` breaks `rule`, which reads on as a sentence: "score", "must lie within …".
    #[must_use]
    pub const fn new(what: &'static str, rule: &'static str) -> Self {
        Self { what, rule }
    }
}

/// What a backend's failure means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The backend could not be reached or is shutting down; nothing was changed.
    Unavailable,
    /// A bounded queue or pool is full; nothing was changed.
    Overloaded,
    /// Lost against a concurrent change (a serialization failure, a lock that was not had in time); nothing was changed.
    Contended,
    /// The answer never came: the change may or may not have been made. Ask again with the same ids.
    OutcomeUnknown,
    /// No room left on the device or in a quota of the backend; nothing was changed.
    Full,
    /// What is stored breaks a rule of this library, or was written by a newer version of it.
    Corrupt,
    /// The backend refuses what it was told: wrong credentials, missing rights, a defect of the adapter.
    Refused,
}

impl ErrorKind {
    /// Whether the same call, with the same ids, can succeed later without anybody's help.
    ///
    /// ```
    /// use scoreboard_core::ErrorKind;
    /// assert!(ErrorKind::OutcomeUnknown.is_retryable());
    /// assert!(!ErrorKind::Corrupt.is_retryable());
    /// ```
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Unavailable | Self::Overloaded | Self::Contended | Self::OutcomeUnknown | Self::Full => true,
            Self::Corrupt | Self::Refused => false,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "unavailable",
            Self::Overloaded => "overloaded",
            Self::Contended => "contended",
            Self::OutcomeUnknown => "outcome unknown",
            Self::Full => "full",
            Self::Corrupt => "corrupt",
            Self::Refused => "refused",
        })
    }
}

/// A backend failed at an operation. The cause is the [`source`](StdError::source), never part of the text, for it may hold
/// what no client should read.
///
/// Cloning shares the cause: one failed batch fails many callers.
#[derive(Debug, Clone)]
pub struct BackendError {
    kind: ErrorKind,
    backend: &'static str,
    operation: &'static str,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.backend, self.operation, self.kind)
    }
}

impl StdError for BackendError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

impl BackendError {
    /// `backend` failed at `operation`, without a further cause.
    #[must_use]
    pub const fn new(kind: ErrorKind, backend: &'static str, operation: &'static str) -> Self {
        Self { kind, backend, operation, source: None }
    }

    /// The same, because of `source`.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(Arc::from(source.into())), ..self }
    }

    /// What the failure means.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Which adapter failed.
    #[must_use]
    pub const fn backend(&self) -> &'static str {
        self.backend
    }

    /// What it was doing.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// See [`ErrorKind::is_retryable`].
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}

/// Why a request was refused, though everything works.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// No board of this name.
    #[error("there is no board `{0}`")]
    UnknownBoard(BoardId),
    /// The board never had this season.
    #[error("the board has had no such season")]
    UnknownSeason,
    /// The board's catalogue has no such kind of action.
    #[error("the board has no action kind `{0}`")]
    UnknownKind(KindId),
    /// Points were asked for that the kind does not allow.
    #[error("{0}")]
    PointsNotAllowed(PointsProblem),
    /// The signature does not match, or no key of this id is known.
    #[error("the action's signature is not valid")]
    SignatureInvalid,
    /// The action's time is over, and it was not applied before.
    #[error("the action has expired")]
    Expired,
    /// The action's time has not come.
    #[error("the action is not valid yet")]
    NotYetValid,
    /// The action was signed for another user, board or season.
    #[error("the action was signed for another user, board or season")]
    Mismatch,
    /// The score would leave ±(2^53 − 1).
    #[error("the score would leave the range of ±(2^53 − 1)")]
    ScoreOutOfRange,
    /// The fraud rules blocked it.
    #[error("the action was blocked (incident {0})")]
    Blocked(IncidentId),
    /// The user is banned.
    #[error("the user is banned")]
    Banned,
    /// The idempotency key was used before, with another body.
    #[error("the idempotency key was used with another body")]
    IdempotencyMismatch,
    /// The cursor was not issued by this board and season, or was altered.
    #[error("the cursor is not valid for this board and season")]
    CursorInvalid,
    /// A version was asked for that the board has not reached.
    #[error("the board has not reached this version; it is at {0}")]
    VersionAhead(Version),
    /// A decision cannot be carried out.
    #[error(transparent)]
    Moderation(#[from] ModerationRefusal),
    /// A decision names more actions than this.
    #[error("a decision may name {0} actions at most")]
    TooManyActions(usize),
    /// Actions were asked for without a user or a rule that they have in common.
    #[error("name a user or a rule: else all actions would be meant")]
    SelectionTooWide,
    /// The store knows no decisions of moderators.
    #[error("nobody moderates here")]
    NoModeration,
    /// The caller may not see or do this.
    #[error("not allowed")]
    Forbidden,
}

/// What is wrong with the points that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointsProblem {
    /// The kind's points are fixed.
    #[error("this kind's points are fixed: leave `points` out")]
    Fixed,
    /// The kind has a range, so points must be named.
    #[error("this kind needs `points` from {min} to {max}")]
    Missing {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// The points lie outside the kind's range.
    #[error("this kind's points must lie from {min} to {max}")]
    OutOfRange {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
}

/// What a call of [`Scoreboard`](crate::Scoreboard) can end in, other than well.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Refused; the same request will be refused again.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Over a quota; allowed again after [`Usage::retry_after`].
    #[error("over the quota")]
    RateLimited(Usage),
    /// A backend failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl Error {
    /// Whether the same call, with the same ids, can succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Rejected(_) => false,
            Self::RateLimited(_) => true,
            Self::Backend(error) => error.is_retryable(),
        }
    }
}

/// What calls of this library return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error and its causes in one line, for logs.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a (dyn StdError + 'a));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            let text = error.to_string();
            // Some errors end with their cause already.
            if !said.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_in_the_chain_and_not_in_the_text() {
        let error =
            BackendError::new(ErrorKind::Unavailable, "sqlite", "apply").because("disk I/O error at /secret/path");
        assert_eq!(error.to_string(), "sqlite: apply: unavailable");
        assert_eq!(Chain(&error).to_string(), "sqlite: apply: unavailable: disk I/O error at /secret/path");
    }

    #[test]
    fn a_cause_that_an_error_tells_itself_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the database says: {0}")]
        struct Telling(#[source] std::io::Error);

        let error = Telling(std::io::Error::other("it is locked"));
        assert_eq!(Chain(&error).to_string(), "the database says: it is locked");
    }
}
