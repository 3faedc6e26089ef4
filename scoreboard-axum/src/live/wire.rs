//! A client's socket, and what it is to be told over it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures_util::{Sink, SinkExt, Stream, StreamExt, poll};
use scoreboard_core::{BoardId, LiveFrame};
use tokio::time::timeout;

use crate::live::alarm::Alarm;
use crate::live::feed::{FeedItem, Notice};
use crate::live::feeds::{About, Feeds};
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
    /// How often the feeds have spoken since anything else was looked at.
    in_a_row: usize,
    /// Rings for all that is waited for beside the feeds.
    alarm: Alarm,
}

/// What happens next.
pub(crate) enum Next<T> {
    /// A feed of this board, about this, has something for this client alone.
    Noticed(BoardId, About, Notice),
    /// The client said something; nothing, if it is gone.
    Heard(Option<Result<Message, axum::Error>>),
    /// What was waited for elsewhere.
    Elsewhere(T),
}

impl<S> Wire<S>
where
    S: Stream<Item = Result<Message, axum::Error>> + Sink<Message, Error = axum::Error> + Unpin,
{
    /// What is written must have gone within `write_timeout`.
    pub(crate) fn new(socket: S, write_timeout: Duration) -> Self {
        let (feeds, alarm) = (Feeds::default(), Alarm::default());
        Self { feeds, socket, write_timeout, unsent: false, in_a_row: 0, alarm }
    }

    /// Sends what happens on the boards, as it comes, until something else happens, here or `elsewhere`. All that was [put](Self::put) goes
    /// before it waits.
    pub(crate) async fn next<F: Future>(&mut self, elsewhere: F) -> Result<Next<F::Output>, End> {
        let mut elsewhere = pin!(elsewhere);
        // It was waited for by nobody, and who returned from here did not wait for the socket either.
        self.alarm.set();
        loop {
            match poll_fn(|cx| self.poll_next(cx, elsewhere.as_mut())).await? {
                Some(next) => return Ok(next),
                None => self.flush().await?,
            }
        }
    }

    /// The same; nothing, where the client does not take what it is told, and is to be waited for.
    ///
    /// The feeds come first, and all else is looked at when it has rung: a connection is woken a hundred times a second by a feed, and hardly
    /// ever by anything else. What it takes for that is polled and not awaited: of a thousand connections each is out of the processor's
    /// cache when its turn comes, and the fewer places it must be fetched from, the better.
    fn poll_next<F: Future>(
        &mut self,
        cx: &mut Context<'_>,
        elsewhere: Pin<&mut F>,
    ) -> Poll<Result<Option<Next<F::Output>>, End>> {
        let Self { feeds, socket, unsent, in_a_row, alarm, .. } = self;
        while *in_a_row < AT_ONCE {
            let Poll::Ready(ready) = socket.poll_ready_unpin(cx) else { return Poll::Ready(Ok(None)) };
            ready.map_err(|_| End::Gone)?;
            let Poll::Ready((board, about, item)) = feeds.poll_next(cx) else { break };
            *in_a_row += 1;
            match item {
                FeedItem::Frame(frame) => socket.start_send_unpin(message(&frame)?).map_err(|_| End::Gone)?,
                FeedItem::Notice(notice) => return Poll::Ready(Ok(Some(Next::Noticed(board, about, notice)))),
            }
            *unsent = true;
        }
        if *unsent {
            let Poll::Ready(gone) = socket.poll_flush_unpin(cx) else { return Poll::Ready(Ok(None)) };
            gone.map_err(|_| End::Gone)?;
            *unsent = false;
        }
        if std::mem::take(in_a_row) == AT_ONCE {
            cx.waker().wake_by_ref();
        }
        alarm.poll(cx, |cx| match socket.poll_next_unpin(cx) {
            // A sign of life before the end of waiting for one.
            Poll::Ready(heard) => Poll::Ready(Ok(Some(Next::Heard(heard)))),
            Poll::Pending => elsewhere.poll(cx).map(|happened| Ok(Some(Next::Elsewhere(happened)))),
        })
    }

    /// Has a message sent before anything is waited for.
    async fn put(&mut self, message: Message) -> Result<(), End> {
        self.unsent = true;
        in_time(self.write_timeout, self.socket.feed(message)).await
    }

    /// Waits until all has gone that was put.
    async fn flush(&mut self) -> Result<(), End> {
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

/// What all who watch the same are sent: the bytes are shared.
fn message(frame: &LiveFrame) -> Result<Message, End> {
    let text = Utf8Bytes::try_from(frame.json()).map_err(|_| {
        tracing::error!("a frame is not UTF-8");
        End::Restart
    })?;
    Ok(Message::Text(text))
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
    use std::future::pending;
    use std::sync::Arc;

    use futures_util::stream;
    use scoreboard_core::memory::MemoryScoreStore;
    use scoreboard_core::{BoardSpec, Scoreboard, WindowKind};

    use super::*;
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
        let item = || FeedItem::Notice(Notice::Refused(Problem::new(Code::NotFound, "again and again")));
        wire.feeds.insert(&BoardId::main(), WindowKind::Top, stream::repeat_with(item).boxed());
        wire
    }

    /// Puts what the feeds say until something else happens; gives how often they spoke, and what that was.
    async fn told(wire: &mut Wire<Client>) -> (usize, Result<Next<()>, End>) {
        for spoke in 0..10 * AT_ONCE {
            match wire.next(pending()).await {
                Ok(Next::Noticed(..)) => wire.put(Message::text("said")).await.unwrap(),
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
            assert!(matches!(next, Ok(Next::Heard(Some(Ok(Message::Text(heard))))) if heard == text));
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
            let next = timeout(LIMIT, wire.next(pending::<()>())).await.expect("the feeds go on by themselves");
            assert!(matches!(next, Ok(Next::Noticed(..))));
            assert!(began.elapsed().is_zero(), "nobody waits behind a pause, be it for a timer that wakes the task");
            wire.put(Message::text("said")).await.unwrap();
            assert!(wire.socket.put <= AT_ONCE, "no more than that waits to go");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_waited_for() {
        let mut wire = talkative(Client { says: ["one"].into(), takes_nothing: true, ..Client::default() });
        let began = tokio::time::Instant::now();
        let (spoke, next) = told(&mut wire).await;
        assert!(matches!(next, Err(End::TooSlow)) && began.elapsed() >= LIMIT);
        assert_eq!(spoke, AT_ONCE);
    }

    /// A frame, of a board on which nothing has happened.
    async fn frame() -> LiveFrame {
        let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
        scoreboard.create_board(BoardSpec::new(BoardId::main())).await.unwrap();
        scoreboard.subscribe(&BoardId::main(), 10, None).await.unwrap().next_frame().await.unwrap()
    }

    #[tokio::test]
    async fn what_happens_elsewhere_is_seen_however_much_happens_on_the_boards() {
        let (mut wire, frame) = (talkative(Client::default()), frame().await);
        let frames = stream::repeat_with(move || FeedItem::Frame(frame.clone()));
        wire.feeds.insert(&BoardId::main(), WindowKind::Top, frames.boxed());
        // Ready when it is asked a second time, for it was woken.
        let next = timeout(LIMIT, wire.next(tokio::task::yield_now())).await.expect("in time");
        assert!(matches!(next, Ok(Next::Elsewhere(()))));
        assert_eq!((wire.socket.put, wire.socket.gone), (0, 2 * AT_ONCE));
    }
}
