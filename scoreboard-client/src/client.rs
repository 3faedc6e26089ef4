//! A connection to a server, for as many boards as it allows.

use std::sync::Arc;

use scoreboard_core::{BoardId, LiveWindow, UserId};

use crate::builder::Builder;
use crate::error::{ConnectError, SubscribeError};
use crate::private::PrivateMessages;
use crate::shared::{Key, Shared};
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

    /// Follows the first `limit` entries of a board, 1 to 100. A client follows a board in each of the three ways once at a time.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use scoreboard_client::{Client, SubscribeError};
    /// use scoreboard_core::{BoardId, LiveWindow, UserId};
    ///
    /// let client = Client::connect("http://127.0.0.1:9")?;
    /// let main = client.subscribe(&BoardId::main(), 10)?;
    /// let again = client.subscribe(&BoardId::main(), 3);
    /// assert!(matches!(again, Err(SubscribeError::Followed(board, _)) if board == BoardId::main()));
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
        if !(1..=100).contains(&limit) {
            return Err(SubscribeError::Limit);
        }
        self.follow(board, LiveWindow::top(limit))
    }

    /// Follows a user with `radius` entries, 1 to 50, on each side, wherever the user goes. The view is empty while the user is not on the
    /// board, and as long as ever at its ends: what one side lacks is on the other.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use scoreboard_client::Client;
    /// use scoreboard_core::{BoardId, LiveWindow, UserId};
    ///
    /// let client = Client::connect("http://127.0.0.1:9")?;
    /// let ada = UserId::for_name("my-game", "ada");
    /// let top = client.subscribe(&BoardId::main(), 10)?;
    /// let near = client.subscribe_around(&BoardId::main(), ada, 5)?;
    /// assert_eq!(*near.window(), LiveWindow::around(ada, 5), "over the same connection");
    /// # drop(top);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_around(
        &self,
        board: &BoardId,
        user: UserId,
        radius: usize,
    ) -> Result<Subscription, SubscribeError> {
        if !(1..=50).contains(&radius) {
            return Err(SubscribeError::Radius);
        }
        self.follow(board, LiveWindow::around(user, radius))
    }

    /// Follows some users, 1 to 100, wherever they stand: friends, say. Who is not on the board is not in the view until they are.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_users(
        &self,
        board: &BoardId,
        users: impl IntoIterator<Item = UserId>,
    ) -> Result<Subscription, SubscribeError> {
        self.follow(board, LiveWindow::users(users)?)
    }

    fn follow(&self, board: &BoardId, window: LiveWindow) -> Result<Subscription, SubscribeError> {
        let (number, shown) = self.0.0.want(board, window.clone())?;
        Ok(Subscription::new(self.clone(), board.clone(), window, number, shown))
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

    pub(crate) fn unsubscribe(&self, key: &Key, number: u64) {
        self.0.0.unwant(key, number);
    }
}
