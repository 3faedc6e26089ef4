//! What a failure of SQLite means: one table of its result codes, by number and never by message.

use std::error::Error as StdError;
use std::io;

use scoreboard_core::{BackendError, ErrorKind, InvalidValue};

const BACKEND: &str = "sqlite";

/// Why an operation failed, before it is said which one it was.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The driver failed before anything could have become durable.
    Driver(sqlx::Error),
    /// The driver failed at the commit.
    Commit(sqlx::Error),
    /// What is stored breaks a rule of the library.
    Stored(Box<dyn StdError + Send + Sync>),
}

impl Failure {
    /// Names the operation that failed.
    pub(crate) fn during(self, operation: &'static str) -> BackendError {
        match self {
            Self::Driver(error) => BackendError::new(kind_of(&error), BACKEND, operation).because(error),
            Self::Commit(error) => BackendError::new(kind_at_commit(&error), BACKEND, operation).because(error),
            Self::Stored(error) => BackendError::new(ErrorKind::Corrupt, BACKEND, operation).because(error),
        }
    }

    /// What is stored is not what was written.
    pub(crate) fn stored(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Stored(error.into())
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<InvalidValue> for Failure {
    fn from(error: InvalidValue) -> Self {
        Self::stored(error)
    }
}

/// A failure while the file was opened, outside the database.
pub(crate) fn opening(error: io::Error) -> BackendError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Full,
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput => ErrorKind::Refused,
        _ => ErrorKind::Unavailable,
    };
    BackendError::new(kind, BACKEND, "open").because(error)
}

/// A file that cannot be opened as it was asked for.
pub(crate) fn refused(source: impl Into<Box<dyn StdError + Send + Sync>>) -> BackendError {
    BackendError::new(ErrorKind::Refused, BACKEND, "open").because(source)
}

fn kind_of(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::Database(error) => match error.code().and_then(|code| code.parse().ok()) {
            Some(code) => kind_of_code(code),
            None => ErrorKind::Refused,
        },
        sqlx::Error::PoolTimedOut => ErrorKind::Overloaded,
        sqlx::Error::Io(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed
        | sqlx::Error::InvalidSavePointStatement => ErrorKind::Unavailable,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => ErrorKind::Corrupt,
        _ => ErrorKind::Refused,
    }
}

/// A commit fails for sure where SQLite did not get to write its last frame: the lock was not had, a constraint stood against
/// it, or there was no room. Otherwise that frame may be in the write-ahead log, and count when the file is next opened.
fn kind_at_commit(error: &sqlx::Error) -> ErrorKind {
    match kind_of(error) {
        kind @ (ErrorKind::Contended | ErrorKind::Refused | ErrorKind::Full) => kind,
        ErrorKind::Unavailable | ErrorKind::Overloaded | ErrorKind::OutcomeUnknown | ErrorKind::Corrupt => {
            ErrorKind::OutcomeUnknown
        }
    }
}

/// The table: <https://www.sqlite.org/rescode.html>. An extended code holds its primary code in the lowest byte.
const fn kind_of_code(extended: i32) -> ErrorKind {
    const IOERR_NOMEM: i32 = 10 | (12 << 8);
    const IOERR_DATA: i32 = 10 | (32 << 8);
    const IOERR_CORRUPTFS: i32 = 10 | (33 << 8);
    match extended {
        IOERR_NOMEM => return ErrorKind::Overloaded,
        IOERR_DATA | IOERR_CORRUPTFS => return ErrorKind::Corrupt,
        _ => {}
    }
    match extended & 0xff {
        // ABORT, BUSY, LOCKED, PROTOCOL, SCHEMA
        4 | 5 | 6 | 15 | 17 => ErrorKind::Contended,
        // NOMEM
        7 => ErrorKind::Overloaded,
        // INTERRUPT, IOERR, CANTOPEN
        9 | 10 | 14 => ErrorKind::Unavailable,
        // CORRUPT, NOTADB
        11 | 26 => ErrorKind::Corrupt,
        // FULL, NOLFS
        13 | 22 => ErrorKind::Full,
        // ERROR, INTERNAL, PERM, READONLY, TOOBIG, CONSTRAINT, MISMATCH, MISUSE, AUTH, RANGE, and whatever else
        _ => ErrorKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_result_code_has_its_kind() {
        use ErrorKind::{Contended, Corrupt, Full, Overloaded, Refused, Unavailable};
        let table = [
            ("ERROR", 1, Refused),
            ("INTERNAL", 2, Refused),
            ("PERM", 3, Refused),
            ("ABORT", 4, Contended),
            ("ABORT_ROLLBACK", 516, Contended),
            ("BUSY", 5, Contended),
            ("BUSY_RECOVERY", 261, Contended),
            ("BUSY_SNAPSHOT", 517, Contended),
            ("BUSY_TIMEOUT", 773, Contended),
            ("LOCKED", 6, Contended),
            ("LOCKED_SHAREDCACHE", 262, Contended),
            ("NOMEM", 7, Overloaded),
            ("READONLY", 8, Refused),
            ("READONLY_DBMOVED", 1032, Refused),
            ("INTERRUPT", 9, Unavailable),
            ("IOERR", 10, Unavailable),
            ("IOERR_FSYNC", 1034, Unavailable),
            ("IOERR_NOMEM", 3082, Overloaded),
            ("IOERR_DATA", 8202, Corrupt),
            ("IOERR_CORRUPTFS", 8458, Corrupt),
            ("CORRUPT", 11, Corrupt),
            ("CORRUPT_INDEX", 779, Corrupt),
            ("FULL", 13, Full),
            ("CANTOPEN", 14, Unavailable),
            ("CANTOPEN_ISDIR", 526, Unavailable),
            ("PROTOCOL", 15, Contended),
            ("SCHEMA", 17, Contended),
            ("TOOBIG", 18, Refused),
            ("CONSTRAINT", 19, Refused),
            ("CONSTRAINT_UNIQUE", 2067, Refused),
            ("MISMATCH", 20, Refused),
            ("MISUSE", 21, Refused),
            ("NOLFS", 22, Full),
            ("AUTH", 23, Refused),
            ("RANGE", 25, Refused),
            ("NOTADB", 26, Corrupt),
        ];
        for (name, code, kind) in table {
            assert_eq!(kind_of_code(code), kind, "{name}");
        }
    }

    #[test]
    fn the_drivers_own_failures_have_their_kinds() {
        assert_eq!(kind_of(&sqlx::Error::PoolTimedOut), ErrorKind::Overloaded);
        assert_eq!(kind_of(&sqlx::Error::PoolClosed), ErrorKind::Unavailable);
        assert_eq!(kind_of(&sqlx::Error::WorkerCrashed), ErrorKind::Unavailable);
        assert_eq!(kind_of(&sqlx::Error::Decode("no score".into())), ErrorKind::Corrupt);
    }

    #[test]
    fn a_commit_that_was_not_answered_is_unknown() {
        assert_eq!(kind_at_commit(&sqlx::Error::WorkerCrashed), ErrorKind::OutcomeUnknown);
        let io = sqlx::Error::Io(io::Error::other("the device is gone"));
        assert_eq!(Failure::Commit(io).during("apply").kind(), ErrorKind::OutcomeUnknown);
    }
}
