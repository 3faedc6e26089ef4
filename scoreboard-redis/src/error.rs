//! What a failure of Redis means: one table of its codes, by code and never by message.

use std::error::Error as StdError;
use std::sync::Arc;

use redis::{ErrorKind as Driver, RedisError, ServerErrorKind as Server};
use scoreboard_core::{BackendError, ErrorKind};

const BACKEND: &str = "redis";

/// Why a call failed, before it is said which one it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The breaker is open: Redis was not asked.
    #[error("Redis failed several times in a row; it is asked again in a moment")]
    Open,
    /// No connection came free in time.
    #[error("every connection was taken for too long")]
    NoConnection,
    /// No connection could be made in time.
    #[error(
        "no connection could be made in time; is something else at that address, or TLS expected by one side alone?"
    )]
    NotConnected,
    /// A connection could not be made.
    #[error(transparent)]
    Connect(RedisError),
    /// Redis answered a command with an error, or the connection broke under it.
    #[error(transparent)]
    Command(RedisError),
    /// The command was sent, and no answer came in time.
    #[error("no answer came in time")]
    TimedOut,
    /// What Redis answered is not what was written.
    #[error("the answer is none that this library writes: {0}")]
    Answer(&'static str),
    /// A quota is beyond what can be counted.
    #[error("a quota must have a limit of at most 1000000000 and a period of at most four years")]
    Quota,
    /// A call named nothing to count.
    #[error("no cells were named")]
    NoCells,
    /// No node of the name that was asked listens.
    #[error("no node of this name listens")]
    Nobody,
    /// An answer could not be heard now.
    #[error("what other nodes say is not heard now")]
    NotListening,
    /// So many requests to other nodes wait already.
    #[error("too many requests to other nodes wait for their answers")]
    TooManyAsked,
    /// A word between nodes is longer than they take.
    #[error("too much was said at once to another node")]
    TooLong,
    /// The node that was asked says what became of it.
    #[error("the node that was asked answers: {0}")]
    Answered(ErrorKind),
    /// The node that was asked tells of more or fewer changes than it was asked to apply.
    #[error("the node that was asked tells of other changes")]
    OtherChanges,
    /// The task that worked for the call is gone.
    #[error("the runtime is shutting down")]
    Gone,
}

impl Failure {
    /// Names the operation that failed.
    pub(crate) fn during(self, operation: &'static str) -> BackendError {
        BackendError::new(self.kind(), BACKEND, operation).because(self)
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Open | Self::NotConnected | Self::Gone | Self::Nobody | Self::NotListening => ErrorKind::Unavailable,
            Self::NoConnection | Self::TooManyAsked => ErrorKind::Overloaded,
            Self::TimedOut | Self::OtherChanges => ErrorKind::OutcomeUnknown,
            Self::Connect(error) => kind_of_connect(error),
            Self::Command(error) => kind_of_command(error),
            Self::Answer(_) => ErrorKind::Corrupt,
            Self::Quota | Self::NoCells | Self::TooLong => ErrorKind::Refused,
            Self::Answered(kind) => *kind,
        }
    }

    /// Whether it tells that Redis as a whole does not work. One key that holds something else does not, nor what another node says.
    pub(crate) fn opens_the_breaker(&self) -> bool {
        match self {
            Self::NoConnection | Self::NotConnected | Self::TimedOut => true,
            Self::Connect(_) | Self::Command(_) => self.kind() != ErrorKind::Corrupt,
            Self::Open
            | Self::Answer(_)
            | Self::Quota
            | Self::NoCells
            | Self::Gone
            | Self::Nobody
            | Self::NotListening
            | Self::TooManyAsked
            | Self::TooLong
            | Self::Answered(_)
            | Self::OtherChanges => false,
        }
    }

    /// Whether the server at the other end is gone, or is the master no longer: no connection made before is worth keeping.
    pub(crate) fn ends_connections(&self) -> bool {
        match self {
            Self::Command(error) => {
                error.is_io_error()
                    || matches!(
                        error.kind(),
                        Driver::Server(Server::ReadOnly | Server::MasterDown) | Driver::ClusterConnectionNotFound
                    )
            }
            _ => false,
        }
    }
}

/// A handle that cannot be made as it was asked for.
pub(crate) fn refused(source: impl Into<Box<dyn StdError + Send + Sync>>) -> BackendError {
    BackendError::new(ErrorKind::Refused, BACKEND, "open").because(source)
}

/// Nothing was sent yet. What answers no TLS, or only TLS, is the wrong URL and not a server that is away.
fn kind_of_connect(error: &RedisError) -> ErrorKind {
    match io_kind(error) {
        Some(std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput) => ErrorKind::Refused,
        Some(_) => ErrorKind::Unavailable,
        None => kind_of_answer(error),
    }
}

/// The command may have been carried out before the connection broke.
fn kind_of_command(error: &RedisError) -> ErrorKind {
    if error.is_io_error() { ErrorKind::OutcomeUnknown } else { kind_of_answer(error) }
}

fn io_kind(error: &RedisError) -> Option<std::io::ErrorKind> {
    if !error.is_io_error() {
        return None;
    }
    // The driver shares its sources, and gives the sharing pointer for the source.
    let shared = error.source().and_then(|source| source.downcast_ref::<Arc<dyn StdError + Send + Sync>>());
    let source = shared.and_then(|source| source.downcast_ref::<std::io::Error>());
    Some(source.map_or(std::io::ErrorKind::Other, std::io::Error::kind))
}

fn kind_of_answer(error: &RedisError) -> ErrorKind {
    match error.kind() {
        Driver::Server(kind) => kind_of_server(kind),
        Driver::Extension => error.code().map_or(ErrorKind::Refused, kind_of_code),
        // The driver closed the connection while the command waited for its turn, or for its node.
        Driver::Io | Driver::ClusterConnectionNotFound => ErrorKind::Unavailable,
        Driver::UnexpectedReturnType => ErrorKind::Corrupt,
        Driver::AuthenticationFailed
        | Driver::Parse
        | Driver::InvalidClientConfig
        | Driver::Client
        | Driver::MasterNameNotFoundBySentinel
        | Driver::NoValidReplicasFoundBySentinel
        | Driver::EmptySentinelList
        | Driver::RESP3NotSupported => ErrorKind::Refused,
        _ => ErrorKind::Refused,
    }
}

/// The codes that the driver knows by name.
fn kind_of_server(kind: Server) -> ErrorKind {
    match kind {
        Server::BusyLoading
        | Server::TryAgain
        | Server::ClusterDown
        | Server::MasterDown
        | Server::ReadOnly
        // The script was loaded a moment ago, and is gone again.
        | Server::NoScript => ErrorKind::Unavailable,
        // A node of a cluster that was not named as one.
        Server::Moved | Server::Ask | Server::CrossSlot => ErrorKind::Refused,
        Server::ResponseError
        | Server::ExecAbort
        | Server::NotBusy
        | Server::NoSub
        | Server::NoPerm => ErrorKind::Refused,
        _ => ErrorKind::Refused,
    }
}

/// All other codes, as the server writes them.
fn kind_of_code(code: &str) -> ErrorKind {
    match code {
        // Another script runs for too long; too few replicas; a replica that has lost its master.
        "BUSY" | "NOREPLICAS" | "UNKILLABLE" | "NOMASTERLINK" => ErrorKind::Unavailable,
        // No memory left; nothing can be saved to the disk.
        "OOM" | "MISCONF" => ErrorKind::Full,
        "WRONGTYPE" | "INVALIDOBJ" => ErrorKind::Corrupt,
        "NOAUTH" | "WRONGPASS" | "NOPERM" | "NOPROTO" | "DENIED" => ErrorKind::Refused,
        _ => ErrorKind::Refused,
    }
}

#[cfg(test)]
mod tests {
    use scoreboard_core::ErrorKind::{Corrupt, Full, OutcomeUnknown, Overloaded, Refused, Unavailable};

    use super::*;

    /// An error as the driver reads it from the server's answer.
    fn answered(text: &str) -> RedisError {
        let value = redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    #[test]
    fn every_code_has_its_kind() {
        for (text, kind) in [
            ("LOADING Redis is loading the dataset in memory", Unavailable),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Unavailable),
            ("CLUSTERDOWN The cluster is down", Unavailable),
            ("MASTERDOWN Link with MASTER is down", Unavailable),
            ("READONLY You can't write against a read only replica.", Unavailable),
            ("NOSCRIPT No matching script.", Unavailable),
            ("BUSY Redis is busy running a script.", Unavailable),
            ("NOREPLICAS Not enough good replicas to write.", Unavailable),
            ("UNKILLABLE Sorry the script already executed write commands", Unavailable),
            ("NOMASTERLINK Can't SYNC while not connected with my master", Unavailable),
            ("OOM command not allowed when used memory > 'maxmemory'.", Full),
            ("MISCONF Redis is configured to save RDB snapshots", Full),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Corrupt),
            ("INVALIDOBJ no such object", Corrupt),
            ("MOVED 3999 127.0.0.1:6381", Refused),
            ("ASK 3999 127.0.0.1:6381", Refused),
            ("CROSSSLOT Keys in request don't hash to the same slot", Refused),
            ("NOAUTH Authentication required.", Refused),
            ("WRONGPASS invalid username-password pair or user is disabled.", Refused),
            ("NOPERM this user has no permissions", Refused),
            ("NOPROTO unsupported protocol version", Refused),
            ("DENIED Redis is running in protected mode", Refused),
            ("EXECABORT Transaction discarded because of previous errors.", Refused),
            ("NOTBUSY No scripts in execution right now.", Refused),
            ("NOSUB no subscription", Refused),
            ("ERR unknown command", Refused),
            ("NEWCODE that nobody knows", Refused),
        ] {
            assert_eq!(Failure::Command(answered(text)).kind(), kind, "{text}");
        }
    }

    #[test]
    fn the_drivers_own_failures_have_their_kinds() {
        for (driver, kind) in [
            (Driver::AuthenticationFailed, Refused),
            (Driver::InvalidClientConfig, Refused),
            (Driver::Parse, Refused),
            (Driver::MasterNameNotFoundBySentinel, Refused),
            (Driver::EmptySentinelList, Refused),
            (Driver::RESP3NotSupported, Refused),
            (Driver::Client, Refused),
            (Driver::ClusterConnectionNotFound, Unavailable),
            (Driver::UnexpectedReturnType, Corrupt),
        ] {
            assert_eq!(Failure::Connect(RedisError::from((driver, "test"))).kind(), kind, "{driver:?}");
        }
        for (failure, kind) in [
            (Failure::Open, Unavailable),
            (Failure::NotConnected, Unavailable),
            (Failure::Gone, Unavailable),
            (Failure::NoConnection, Overloaded),
            (Failure::TimedOut, OutcomeUnknown),
            (Failure::Answer("two numbers"), Corrupt),
            (Failure::Quota, Refused),
            (Failure::NoCells, Refused),
            (Failure::Nobody, Unavailable),
            (Failure::NotListening, Unavailable),
            (Failure::TooManyAsked, Overloaded),
            (Failure::TooLong, Refused),
            (Failure::Answered(Full), Full),
            (Failure::OtherChanges, OutcomeUnknown),
        ] {
            assert_eq!(failure.kind(), kind, "{failure:?}");
        }
    }

    #[test]
    fn a_connection_that_breaks_leaves_a_command_unknown_and_a_greeting_not() {
        let io = |kind| RedisError::from(std::io::Error::new(kind, "test"));
        assert_eq!(Failure::Command(io(std::io::ErrorKind::BrokenPipe)).kind(), OutcomeUnknown);
        assert_eq!(Failure::Connect(io(std::io::ErrorKind::ConnectionRefused)).kind(), Unavailable);
        assert_eq!(Failure::Connect(io(std::io::ErrorKind::InvalidData)).kind(), Refused, "no TLS is spoken there");
    }

    #[test]
    fn a_wrong_key_opens_no_breaker_and_ends_no_connection() {
        let wrong_key = Failure::Command(answered("WRONGTYPE no"));
        assert!(!wrong_key.opens_the_breaker() && !wrong_key.ends_connections());
        let demoted = Failure::Command(answered("READONLY no"));
        assert!(demoted.opens_the_breaker() && demoted.ends_connections());
        assert!(Failure::TimedOut.opens_the_breaker() && !Failure::TimedOut.ends_connections());
    }
}
