//! What a failure of Postgres means: one table of its SQLSTATEs, by code and never by message.

use std::error::Error as StdError;

use scoreboard_core::{BackendError, ErrorKind, InvalidValue};

const BACKEND: &str = "postgres";

/// Why an operation failed, before it is said which one it was.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The driver failed before anything could have become durable.
    Driver(sqlx::Error),
    /// The driver failed at the commit, or at a statement that is its own transaction.
    Commit(sqlx::Error),
    /// What is stored breaks a rule of the library.
    Stored(Box<dyn StdError + Send + Sync>),
    /// What a batch was decided on was something else when it was written: it was decided without a lock, or somebody writes without asking for one.
    Moved,
    /// It lost against others as often as it was tried.
    Contended(Box<Failure>),
    /// The server takes no writes: it is a standby, or is being made one.
    ReadOnly,
    /// The database is not one to work on.
    Refused(Box<dyn StdError + Send + Sync>),
}

impl Failure {
    /// Names the operation that failed.
    pub(crate) fn during(self, operation: &'static str) -> BackendError {
        let failed = |kind| BackendError::new(kind, BACKEND, operation);
        match self {
            Self::Driver(error) => failed(kind_of(&error)).because(error),
            Self::Commit(error) => failed(kind_at_commit(&error)).because(error),
            Self::Stored(error) => failed(ErrorKind::Corrupt).because(error),
            Self::Moved => failed(ErrorKind::Contended).because("what a batch was decided on was changed meanwhile"),
            Self::Contended(last) => failed(ErrorKind::Contended).because(last.during(operation)),
            Self::ReadOnly => failed(ErrorKind::Unavailable)
                .because("the server takes no writes now: it is a standby, or set to read only"),
            Self::Refused(why) => failed(ErrorKind::Refused).because(why),
        }
    }

    /// What is stored is not what was written.
    pub(crate) fn stored(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Stored(error.into())
    }

    /// The same failure, of a statement behind which a commit was still to come: nothing can have become durable.
    pub(crate) fn before_the_commit(self) -> Self {
        match self {
            Self::Commit(error) => Self::Driver(error),
            other => other,
        }
    }

    /// Whether the transaction was rolled back for sure, only because of what another did at the same time: a deadlock, a failed
    /// serialization, or an action id that both brought. Tried again, it sees what the other left.
    pub(crate) fn lost_a_race(&self) -> bool {
        if matches!(self, Self::Moved) {
            return true;
        }
        let (Self::Driver(error) | Self::Commit(error)) = self else { return false };
        let sqlx::Error::Database(error) = error else { return false };
        match (error.code().as_deref(), error.constraint()) {
            // deadlock_detected, serialization_failure
            (Some("40P01" | "40001"), _) => true,
            // unique_violation: each part of the log has a constraint of its own.
            (Some("23505"), Some(name)) => name == "log_counts_once" || name.ends_with("_action_id_key"),
            _ => false,
        }
    }
}

impl Failure {
    /// Whether an address is another user's by now, so that nothing was changed.
    pub(crate) fn is_of_a_taken_address(&self) -> bool {
        let (Self::Driver(error) | Self::Commit(error)) = self else { return false };
        let sqlx::Error::Database(error) = error else { return false };
        // unique_violation
        error.code().as_deref() == Some("23505") && error.constraint() == Some("users_email_key")
    }

    /// Whether the server ended the connection instead of doing what was asked for: nothing was changed.
    pub(crate) fn ended_the_connection(&self) -> bool {
        // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_session_timeout
        matches!(self, Self::Driver(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code.starts_with("57P")))
    }

    /// Whether a lock was not had in time, so that nothing was changed.
    pub(crate) fn had_to_wait(&self) -> bool {
        // lock_not_available, deadlock_detected
        let waited = |code: &str| code == "55P03" || code == "40P01";
        matches!(self, Self::Driver(sqlx::Error::Database(error)) if error.code().is_some_and(|code| waited(&code)))
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

/// A database that cannot be opened as it was asked for.
pub(crate) fn refused(source: impl Into<Box<dyn StdError + Send + Sync>>) -> BackendError {
    BackendError::new(ErrorKind::Refused, BACKEND, "open").because(source)
}

/// A server that did not answer in time.
pub(crate) fn unreachable(source: impl Into<Box<dyn StdError + Send + Sync>>) -> BackendError {
    BackendError::new(ErrorKind::Unavailable, BACKEND, "open").because(source)
}

fn kind_of(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::Database(error) => error.code().map_or(ErrorKind::Refused, |code| kind_of_code(&code)),
        sqlx::Error::PoolTimedOut => ErrorKind::Overloaded,
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed
        | sqlx::Error::InvalidSavePointStatement => ErrorKind::Unavailable,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => ErrorKind::Corrupt,
        _ => ErrorKind::Refused,
    }
}

/// A commit fails for sure where the server says that it rolled back. Where the connection was lost, or the server was going down,
/// the commit may be on its device.
fn kind_at_commit(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::Database(database) if database.code().is_some_and(|code| says_rolled_back(&code)) => {
            kind_of(error)
        }
        _ => ErrorKind::OutcomeUnknown,
    }
}

/// The codes with which the server ends a transaction, and goes on. Every other one may come after the commit was written.
fn says_rolled_back(code: &str) -> bool {
    match code {
        // statement_completion_unknown
        "40003" => false,
        // lock_not_available, query_canceled
        "55P03" | "57014" => true,
        // data_exception, integrity_constraint_violation, invalid_transaction_state, transaction_rollback, access rule violation
        _ => matches!(class(code), "22" | "23" | "25" | "40" | "42"),
    }
}

/// The first two characters of a SQLSTATE.
fn class(code: &str) -> &str {
    code.get(..2).unwrap_or(code)
}

/// The table: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn kind_of_code(code: &str) -> ErrorKind {
    match code {
        // protocol_violation
        "08P01" => ErrorKind::Refused,
        // read_only_sql_transaction: the server became a standby; idle_in_transaction_session_timeout
        "25006" | "25P03" => ErrorKind::Unavailable,
        // statement_completion_unknown
        "40003" => ErrorKind::OutcomeUnknown,
        // disk_full, configuration_limit_exceeded
        "53100" | "53400" => ErrorKind::Full,
        // object_in_use, lock_not_available
        "55006" | "55P03" => ErrorKind::Contended,
        // database_dropped
        "57P04" => ErrorKind::Refused,
        // undefined_file, data_corrupted, index_corrupted
        "58P01" | "XX001" | "XX002" => ErrorKind::Corrupt,
        // snapshot_too_old
        "72000" => ErrorKind::Contended,
        _ => match class(code) {
            // connection_exception, operator_intervention, system_error
            "08" | "57" | "58" => ErrorKind::Unavailable,
            // transaction_rollback
            "40" => ErrorKind::Contended,
            // insufficient_resources
            "53" => ErrorKind::Overloaded,
            // wrong credentials, missing rights and tables, broken constraints, a defect here or there, and whatever else
            _ => ErrorKind::Refused,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_kind() {
        use ErrorKind::{Contended, Corrupt, Full, OutcomeUnknown, Overloaded, Refused, Unavailable};
        let table = [
            ("connection_failure", "08006", Unavailable),
            ("sqlserver_rejected_establishment_of_sqlconnection", "08004", Unavailable),
            ("protocol_violation", "08P01", Refused),
            ("feature_not_supported", "0A000", Refused),
            ("numeric_value_out_of_range", "22003", Refused),
            ("untranslatable_character", "22P05", Refused),
            ("unique_violation", "23505", Refused),
            ("check_violation", "23514", Refused),
            ("active_sql_transaction", "25001", Refused),
            ("read_only_sql_transaction", "25006", Unavailable),
            ("in_failed_sql_transaction", "25P02", Refused),
            ("idle_in_transaction_session_timeout", "25P03", Unavailable),
            ("invalid_authorization_specification", "28000", Refused),
            ("invalid_password", "28P01", Refused),
            ("invalid_catalog_name", "3D000", Refused),
            ("invalid_schema_name", "3F000", Refused),
            ("serialization_failure", "40001", Contended),
            ("transaction_integrity_constraint_violation", "40002", Contended),
            ("statement_completion_unknown", "40003", OutcomeUnknown),
            ("deadlock_detected", "40P01", Contended),
            ("insufficient_privilege", "42501", Refused),
            ("undefined_table", "42P01", Refused),
            ("insufficient_resources", "53000", Overloaded),
            ("disk_full", "53100", Full),
            ("out_of_memory", "53200", Overloaded),
            ("too_many_connections", "53300", Overloaded),
            ("configuration_limit_exceeded", "53400", Full),
            ("statement_too_complex", "54001", Refused),
            ("object_not_in_prerequisite_state", "55000", Refused),
            ("object_in_use", "55006", Contended),
            ("lock_not_available", "55P03", Contended),
            ("query_canceled", "57014", Unavailable),
            ("admin_shutdown", "57P01", Unavailable),
            ("crash_shutdown", "57P02", Unavailable),
            ("cannot_connect_now", "57P03", Unavailable),
            ("database_dropped", "57P04", Refused),
            ("idle_session_timeout", "57P05", Unavailable),
            ("io_error", "58030", Unavailable),
            ("undefined_file", "58P01", Corrupt),
            ("snapshot_too_old", "72000", Contended),
            ("config_file_error", "F0000", Refused),
            ("raise_exception", "P0001", Refused),
            ("internal_error", "XX000", Refused),
            ("data_corrupted", "XX001", Corrupt),
            ("index_corrupted", "XX002", Corrupt),
            ("no code at all", "", Refused),
        ];
        for (name, code, kind) in table {
            assert_eq!(kind_of_code(code), kind, "{name}");
        }
    }

    #[test]
    fn only_what_the_server_rolled_back_is_known_at_the_commit() {
        for code in ["23505", "23503", "40001", "40002", "40P01", "55P03", "57014", "25P02"] {
            assert!(says_rolled_back(code), "{code}");
        }
        for code in ["40003", "08006", "08007", "53100", "57P01", "57P02", "58030", "XX000", ""] {
            assert!(!says_rolled_back(code), "{code}");
        }
    }

    #[test]
    fn the_drivers_own_failures_have_their_kinds() {
        assert_eq!(kind_of(&sqlx::Error::PoolTimedOut), ErrorKind::Overloaded);
        assert_eq!(kind_of(&sqlx::Error::PoolClosed), ErrorKind::Unavailable);
        assert_eq!(kind_of(&sqlx::Error::Decode("no score".into())), ErrorKind::Corrupt);
        assert_eq!(kind_of(&sqlx::Error::Tls("no TLS here".into())), ErrorKind::Refused);
        assert_eq!(kind_of(&sqlx::Error::Io(std::io::Error::other("cut"))), ErrorKind::Unavailable);
    }

    #[test]
    fn a_commit_that_was_not_answered_is_unknown() {
        let io = sqlx::Error::Io(std::io::Error::other("the connection is gone"));
        assert_eq!(Failure::Commit(io).during("apply").kind(), ErrorKind::OutcomeUnknown);
        assert_eq!(kind_at_commit(&sqlx::Error::Protocol("half a message".into())), ErrorKind::OutcomeUnknown);
    }
}
