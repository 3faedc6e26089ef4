//! How a client is put together.

use std::fmt;
use std::sync::Arc;

use crate::address::Address;
use crate::client::Client;
use crate::config::ClientConfig;
use crate::connection::Connector;
use crate::error::ConnectError;
use crate::shared::Shared;
use crate::ticket::TicketSource;
use crate::worker::Worker;

/// A client that is not there yet.
pub struct Builder {
    server: String,
    config: ClientConfig,
    tickets: Option<Arc<dyn TicketSource>>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new(server: &str) -> Self {
        Self { server: server.to_owned(), config: ClientConfig::default(), tickets: None }
    }

    /// With these limits.
    #[must_use]
    pub fn with_config(self, config: ClientConfig) -> Self {
        Self { config, ..self }
    }

    /// With a ticket for each connection, which then belongs to a user: see [`Client::private_messages`]. Such a client connects also where
    /// it follows no board.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use scoreboard_client::Client;
    /// let client = Client::builder("http://127.0.0.1:9")
    ///     .with_tickets(|| async { Err("the game is not signed in yet".into()) })
    ///     .connect()?;
    /// let messages = client.private_messages();
    /// # drop(messages);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_tickets(self, tickets: impl TicketSource) -> Self {
        Self { tickets: Some(Arc::new(tickets)), ..self }
    }

    /// The client, which begins at once where there are tickets, else with its first subscription.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn connect(self) -> Result<Client, ConnectError> {
        let address = Address::parse(&self.server)?;
        let connector = Connector::new(&address, &self.config)?;
        let shared = Arc::new(Shared::new(self.config.private_messages));
        let worker = Worker::new(shared.clone(), connector, self.config, self.tickets);
        tokio::spawn(worker.run());
        Ok(Client::new(shared))
    }
}
