//! How a followed board is doing.

use tokio::time::Instant;

/// How a followed board is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// There was no connection yet.
    Connecting,
    /// Connected, and the board was asked for: what is held may be behind.
    CatchingUp,
    /// What is held is the board, as of a moment ago.
    Live,
    /// The connection is lost, or there never was one; it is tried again. What is held stays, as of its position.
    Offline(Offline),
    /// The server will not have it. Nothing follows.
    Refused(Refusal),
}

/// Since when there is no connection, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offline {
    /// When it was lost; stays through all tries that fail.
    pub since: Instant,
    /// What happened last.
    pub cause: Cause,
    /// When it is tried again.
    pub retry_at: Instant,
}

/// Why a connection was lost, or could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Cause {
    /// Nobody is there: the name is not known, or nothing listens.
    #[error("cannot connect: {0}")]
    Unreachable(String),
    /// An HTTP server is there, but it opens no live connection here; by its status, it is full, on its way up, or no scoreboard.
    #[error("the server answered {0} and opened no live connection")]
    Answered(u16),
    /// What is there does not speak the protocol.
    #[error("no scoreboard is there: {0}")]
    Stranger(String),
    /// The server closed it, with this code.
    #[error("the server closed the connection: {reason} ({code})")]
    Closed {
        /// As in RFC 6455 §7.4, 4000 to 4499 are the scoreboard's own.
        code: u16,
        /// For people.
        reason: String,
    },
    /// It ended without a word.
    #[error("the connection was lost")]
    Lost,
    /// The server no longer answers.
    #[error("the server does not answer")]
    Silent,
    /// The server sent something that is no message, or too long a one.
    #[error("the server sent what is no message")]
    Nonsense,
}

/// Why nothing follows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The server refuses this board: it is not there, or may not be followed.
    #[error("{detail} ({code})")]
    Board {
        /// As in a problem of the HTTP API, like `not_found`.
        code: String,
        /// For people.
        detail: String,
    },
    /// The server has ended the connection for good: the session was ended, or the client said what is not in the protocol.
    #[error("the server ended the connection: {reason} ({code})")]
    Closed {
        /// 4500 to 4999.
        code: u16,
        /// For people.
        reason: String,
    },
}
