//! A client's socket, and what it is to be told over it.

use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt, StreamExt, poll};
use tokio::time::timeout;

use crate::live::feeds::{Feeds, Said};
use crate::live::socket::End;

/// How many messages go in one write at the most; then it is looked whether the client says something, or is to go.
const AT_ONCE: usize = 16;

/// A socket with all that its client watches. What the feeds say at one moment goes in one write: where much is told, it is the calls to
/// the system that cost.
pub(crate) struct Wire {
    pub(crate) feeds: Feeds,
    socket: WebSocket,
    write_timeout: Duration,
    /// Something was put that may not have gone.
    unsent: bool,
    /// How many feeds have spoken since anything else was looked at.
    in_a_row: usize,
}

/// What happens next.
pub(crate) enum Next {
    /// A feed has something for the client.
    Said(Said),
    /// The client said something; nothing, if it is gone.
    Heard(Option<Result<Message, axum::Error>>),
    /// The client does not take what it was told: it is to be waited for.
    Stuck,
}

impl Wire {
    /// What is written must have gone within `write_timeout`.
    pub(crate) fn new(socket: WebSocket, write_timeout: Duration) -> Self {
        Self { feeds: Feeds::default(), socket, write_timeout, unsent: false, in_a_row: 0 }
    }

    /// Waits for what happens next. All that was [put](Self::put) goes before it waits.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(crate) async fn next(&mut self) -> Next {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The feeds come first: so a connection that was woken by one, as most are, looks at everything else once and not twice.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let pauses = self.in_a_row == AT_ONCE;
        if !pauses && let Poll::Ready(said) = self.feeds.poll_next(cx) {
            self.in_a_row += 1;
            return Poll::Ready(Next::Said(said));
        }
        self.in_a_row = 0;
        if self.unsent {
            let Poll::Ready(Ok(())) = self.socket.poll_flush_unpin(cx) else { return Poll::Ready(Next::Stuck) };
            self.unsent = false;
        }
        if pauses {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Next::Heard(ready!(self.socket.poll_next_unpin(cx))))
    }

    /// Has a message sent before anything is waited for.
    pub(crate) async fn put(&mut self, message: Message) -> Result<(), End> {
        self.unsent = true;
        in_time(self.write_timeout, self.socket.feed(message)).await
    }

    /// Waits until all has gone that was put.
    pub(crate) async fn flush(&mut self) -> Result<(), End> {
        in_time(self.write_timeout, self.socket.flush()).await?;
        self.unsent = false;
        Ok(())
    }

    /// Sends a message, and waits until it has gone.
    pub(crate) async fn send(&mut self, message: Message) -> Result<(), End> {
        self.put(message).await?;
        self.flush().await
    }

    /// The socket alone, at the end.
    pub(crate) fn into_socket(self) -> WebSocket {
        self.socket
    }
}

/// Writes, as long as the client takes it.
async fn in_time(limit: Duration, write: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    let mut write = pin!(write);
    // What the system takes at once needs no timer.
    let written = match poll!(write.as_mut()) {
        Poll::Ready(written) => Ok(written),
        Poll::Pending => timeout(limit, write).await,
    };
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::TooSlow),
    }
}
