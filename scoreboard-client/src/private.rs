//! What only the user of a connection is told.

use serde_json::Value;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Something that concerns the connection's user, or the connection itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Private {
    /// A message as the server sent it, with its kind in the field `type`.
    Message(Value),
    /// So many were dropped since the last one that was taken: nobody took them in time.
    Missed(u64),
    /// There was no ticket, or the server did not take it, or something else that concerns no board. The boards are followed all the same.
    Refused {
        /// As in a problem of the HTTP API, or `ticket` where none could be had.
        code: String,
        /// For people.
        detail: String,
    },
}

/// The private messages of a [`Client`](crate::Client), from when this was made.
#[derive(Debug)]
pub struct PrivateMessages(Option<broadcast::Receiver<Private>>);

impl PrivateMessages {
    pub(crate) const fn new(messages: Option<broadcast::Receiver<Private>>) -> Self {
        Self(messages)
    }

    /// The next one; `None` once the client is closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn next(&mut self) -> Option<Private> {
        match self.0.as_mut()?.recv().await {
            Ok(message) => Some(message),
            Err(RecvError::Lagged(missed)) => Some(Private::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}
