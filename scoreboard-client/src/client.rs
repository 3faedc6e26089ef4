//! A connection to a server, for as many boards as it allows.

use std::sync::Arc;

use scoreboard_core::BoardId;

use crate::builder::Builder;
use crate::error::{ConnectError, SubscribeError};
use crate::private::PrivateMessages;
use crate::shared::Shared;
use crate::subscription::Subscription;

/// A connection to a scoreboard server. It is opened with the first subscription, and again whenever it is lost.
///
/// Cloning clones the handle. When the last handle and the last [`Subscription`] are gone, the connection is closed.
#[derive(Debug, Clone)]
pub struct Client(Arc<Handle>);

#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Client {
    /// A client of the server at this URL (`http`, or `https` with the feature `tls`), with the path under which it is mounted, if any.
    ///
    /// It does not wait for the server: what becomes of the connection is the [`State`](crate::State) of each subscription. Must be called
    /// on a tokio runtime, which runs the connection's task.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the URL is none, or TLS is asked for and cannot be spoken.
    pub fn connect(server: &str) -> Result<Self, ConnectError> {
        Self::builder(server).connect()
    }

    /// The same with tickets, or with limits of one's own.
    #[must_use]
    pub fn builder(server: &str) -> Builder {
        Builder::new(server)
    }

    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(Arc::new(Handle(shared)))
    }

    /// Follows the first `limit` entries of a board, 1 to 100. A client follows a board once at a time.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use scoreboard_client::{Client, SubscribeError};
    /// use scoreboard_core::BoardId;
    ///
    /// let client = Client::connect("http://127.0.0.1:9")?;
    /// let main = client.subscribe(&BoardId::main(), 10)?;
    /// assert_eq!(client.subscribe(&BoardId::main(), 3).unwrap_err(), SubscribeError::Followed(BoardId::main()));
    /// drop(main);
    /// client.subscribe(&BoardId::main(), 3)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SubscribeError`]; whether there is such a board is told by the subscription.
    pub fn subscribe(&self, board: &BoardId, limit: usize) -> Result<Subscription, SubscribeError> {
        let (number, shown) = self.0.0.want(board, limit)?;
        Ok(Subscription::new(self.clone(), board.clone(), number, limit, shown))
    }

    /// What only the connection's user is told, from now on. Only where there are [tickets](Builder::with_tickets).
    #[must_use]
    pub fn private_messages(&self) -> PrivateMessages {
        self.0.0.listen()
    }

    /// Tries again now, if it waits for the next try: for a user who presses a key, or a device that is on a network again.
    pub fn connect_now(&self) {
        self.0.0.hurry.notify_waiters();
    }

    /// Closes the connection. Nothing follows on any subscription.
    pub fn close(&self) {
        self.0.0.close();
    }

    pub(crate) fn unsubscribe(&self, board: &BoardId, number: u64) {
        self.0.0.unwant(board, number);
    }
}
