//! What a client sent, where no message could be made of it.

use std::error::Error;

use tokio_tungstenite::tungstenite::Error as WebSocketError;
use tokio_tungstenite::tungstenite::error::ProtocolError;

/// Why it could not be read, by the words and codes of RFC 6455 §7.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// These are no frames of a WebSocket, or they do not follow one another as they must.
    Protocol,
    /// A text is not UTF-8.
    Text,
    /// It is longer than anything that is read.
    TooBig,
}

impl Unreadable {
    /// `None` where nothing was sent: the connection is gone, and nobody is there to be told.
    pub(crate) fn of(error: &axum::Error) -> Option<Self> {
        match error.source().and_then(|source| source.downcast_ref::<WebSocketError>()) {
            Some(WebSocketError::Utf8(_)) => Some(Self::Text),
            Some(WebSocketError::Capacity(_)) => Some(Self::TooBig),
            Some(WebSocketError::Io(_) | WebSocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => None,
            _ => Some(Self::Protocol),
        }
    }

    /// The close code, and what is said with it.
    pub(crate) const fn close(self) -> (u16, &'static str) {
        match self {
            Self::Protocol => (1002, "protocol error"),
            Self::Text => (1007, "not UTF-8"),
            Self::TooBig => (1009, "too big"),
        }
    }
}
