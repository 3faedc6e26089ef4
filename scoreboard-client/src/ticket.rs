//! Who a connection belongs to.

use async_trait::async_trait;

/// Why there is no ticket.
pub type TicketError = Box<dyn std::error::Error + Send + Sync>;

/// Gives a ticket of `POST /api/auth/ws-ticket` for each connection, by which it belongs to a user, who is then told what only he is.
///
/// A closure that returns a future will do.
#[async_trait]
pub trait TicketSource: Send + Sync + 'static {
    /// A fresh ticket: each lets in one connection, within half a minute.
    ///
    /// # Errors
    ///
    /// Whatever stands in the way. The boards are followed all the same; it is told among the private messages.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped if the connection is lost meanwhile; the ticket is then of no use to anyone.
    async fn ticket(&self) -> Result<String, TicketError>;
}

#[async_trait]
impl<F, T> TicketSource for F
where
    F: Fn() -> T + Send + Sync + 'static,
    T: Future<Output = Result<String, TicketError>> + Send,
{
    async fn ticket(&self) -> Result<String, TicketError> {
        self().await
    }
}
