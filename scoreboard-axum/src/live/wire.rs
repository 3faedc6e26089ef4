//! A client's socket, and what it is to be told over it.

use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::{Sink, SinkExt, Stream, StreamExt, poll};
use tokio::time::timeout;

use crate::live::feeds::{Feeds, Said};
use crate::live::socket::End;

/// How many messages go in one write at the most; then it is looked whether the client says something, or is to go.
const AT_ONCE: usize = 16;

/// A socket with all that its client watches. What the feeds say at one moment goes in one write: where much is told, it is the calls to
/// the system that cost.
pub(crate) struct Wire<S = WebSocket> {
    pub(crate) feeds: Feeds,
    socket: S,
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

impl<S> Wire<S>
where
    S: Stream<Item = Result<Message, axum::Error>> + Sink<Message, Error = axum::Error> + Unpin,
{
    /// What is written must have gone within `write_timeout`.
    pub(crate) fn new(socket: S, write_timeout: Duration) -> Self {
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
    pub(crate) fn into_socket(self) -> S {
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;

    use futures_util::stream;
    use scoreboard_core::{BoardId, WindowKind};

    use super::*;
    use crate::live::feed::FeedItem;
    use crate::problem::{Code, Problem};

    const LIMIT: Duration = Duration::from_secs(5);

    /// A socket whose client says what it is told to say, and takes what it is told to take.
    #[derive(Default)]
    struct Client {
        says: VecDeque<&'static str>,
        /// What was put and has not gone.
        put: usize,
        gone: usize,
        takes_nothing: bool,
    }

    impl Stream for Client {
        type Item = Result<Message, axum::Error>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            match self.says.pop_front() {
                Some(text) => Poll::Ready(Some(Ok(Message::text(text)))),
                // It says nothing more, and nobody is woken for it.
                None => Poll::Pending,
            }
        }
    }

    impl Sink<Message> for Client {
        type Error = axum::Error;

        fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
            Poll::Ready(Ok(()))
        }

        fn start_send(mut self: Pin<&mut Self>, _: Message) -> Result<(), axum::Error> {
            self.put += 1;
            Ok(())
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
            if self.takes_nothing {
                return Poll::Pending;
            }
            self.gone += std::mem::take(&mut self.put);
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A wire on which a feed has something to say whenever it is asked.
    fn talkative(client: Client) -> Wire<Client> {
        let mut wire = Wire::new(client, LIMIT);
        let item = || FeedItem::Refused(Problem::new(Code::NotFound, "again and again"));
        wire.feeds.insert(&BoardId::main(), WindowKind::Top, stream::repeat_with(item).boxed());
        wire
    }

    /// Puts what the feeds say until something else happens; gives how often they spoke, and what that was.
    async fn told(wire: &mut Wire<Client>) -> (usize, Next) {
        for spoke in 0..10 * AT_ONCE {
            match wire.next().await {
                Next::Said(_) => wire.put(Message::text("said")).await.unwrap(),
                other => return (spoke, other),
            }
        }
        panic!("nothing else is looked at, however long the feeds speak");
    }

    #[tokio::test]
    async fn a_client_is_heard_however_much_it_is_told() {
        let mut wire = talkative(Client { says: ["one", "two"].into(), ..Client::default() });
        for text in ["one", "two"] {
            let (spoke, next) = told(&mut wire).await;
            assert!(matches!(next, Next::Heard(Some(Ok(Message::Text(heard)))) if heard == text));
            assert_eq!(spoke, AT_ONCE, "it is not looked before each message either");
            assert_eq!(wire.socket.put, 0, "what was told has gone before the client is heard");
        }
        assert_eq!(wire.socket.gone, 2 * AT_ONCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_told_on() {
        let mut wire = talkative(Client::default());
        let began = tokio::time::Instant::now();
        for _ in 0..10 * AT_ONCE {
            let next = tokio::time::timeout(LIMIT, wire.next()).await.expect("the feeds go on by themselves");
            assert!(matches!(next, Next::Said(_)));
            assert!(began.elapsed().is_zero(), "nobody waits behind a pause, be it for a timer that wakes the task");
            wire.put(Message::text("said")).await.unwrap();
            assert!(wire.socket.put <= AT_ONCE, "no more than that waits to go");
        }
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_waited_for() {
        let mut wire = talkative(Client { says: ["one"].into(), takes_nothing: true, ..Client::default() });
        let (spoke, next) = told(&mut wire).await;
        assert!(matches!(next, Next::Stuck));
        assert_eq!(spoke, AT_ONCE);
    }
}
