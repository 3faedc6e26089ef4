//! What a caller asked for and cannot have.

use scoreboard_core::{BoardId, InvalidValue, WindowKind};

/// Why there is no client. Whether the server is there does not matter here: a client keeps trying.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// What should be the server's URL is none.
    #[error(transparent)]
    Url(#[from] InvalidValue),
    /// TLS cannot be spoken: the feature `tls` is missing, or certificates to trust are.
    #[error("cannot speak TLS: {0}")]
    Tls(String),
}

/// Why a board is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// So many entries cannot be asked for.
    #[error("a board is followed by its first 1 to 100 entries")]
    Limit,
    /// So many cannot be asked for.
    #[error("a user is followed with 1 to 50 entries on each side")]
    Radius,
    /// These cannot be asked for at once.
    #[error(transparent)]
    Users(#[from] InvalidValue),
    /// There is a subscription of this client to the board already that follows it in this way.
    #[error("the board `{0}` is followed already ({1})")]
    Followed(BoardId, WindowKind),
    /// The client was closed, or the server has ended its connection for good.
    #[error("the client is closed")]
    Closed,
}
