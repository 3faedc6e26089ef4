//! The task that listens, comes back when the connection is lost, and reads what it may have missed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use redis::aio::{PubSubSink, PubSubStream};
use scoreboard_core::{BoardId, Position};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::announcement::Announcement;
use super::backoff::{Backoff, share};
use super::boards::Boards;
use super::publishers::Publishers;
use crate::error::Failure;
use crate::handle::Redis;
use crate::measures::LOST;

/// How often the connection is asked for a sign of life, and the keys are read.
const CHECK: Duration = Duration::from_secs(5);
/// How long a sign of life may take.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);
/// How many keys are read at once.
const AT_ONCE: usize = 16;

/// The newest position of this board that anybody announced.
pub(super) async fn last(redis: &Redis, board: &BoardId) -> Result<Option<Position>, Failure> {
    let mut get = redis::pipe();
    get.get(redis.namespace().last(board));
    let (last,): (Option<Vec<u8>>,) = redis.pipeline(&get).await?;
    // What is no position is as good as nothing; the next announcement overwrites it.
    Ok(last.and_then(|last| std::str::from_utf8(&last).ok()?.parse().ok()))
}

#[derive(Debug)]
pub(super) struct Listener {
    redis: Redis,
    boards: Arc<Boards>,
    listening: watch::Sender<bool>,
}

/// Why it listens no longer.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the connection was closed")]
    Closed,
    #[error("no sign of life came in time")]
    Silent,
    #[error("a position was announced, and not heard")]
    Deaf,
}

impl Listener {
    pub(super) const fn new(redis: Redis, boards: Arc<Boards>, listening: watch::Sender<bool>) -> Self {
        Self { redis, boards, listening }
    }

    /// Listens until the task is ended.
    pub(super) async fn run(self) {
        let mut backoff = Backoff::new();
        loop {
            match self.connect().await {
                Ok((sink, messages)) => {
                    backoff = Backoff::new();
                    self.listening.send_replace(true);
                    let ended = self.follow(sink, messages).await;
                    self.listening.send_replace(false);
                    tracing::warn!(reason = %ended, "announcements are not heard; connecting again");
                }
                Err(failure) => tracing::debug!(error = %failure, "announcements cannot be heard yet"),
            }
            sleep(backoff.next(self.redis.ids())).await;
        }
    }

    async fn connect(&self) -> Result<(PubSubSink, PubSubStream), Failure> {
        let (mut sink, messages) = self.redis.listener().await?.split();
        let subscribed = timeout(SIGN_OF_LIFE, sink.subscribe(self.redis.namespace().channel())).await;
        subscribed.map_err(|_| Failure::TimedOut)?.map_err(Failure::Connect)?;
        Ok((sink, messages))
    }

    async fn follow(&self, mut sink: PubSubSink, mut messages: PubSubStream) -> Ended {
        let mut publishers = Publishers::default();
        // What was announced while nobody listened.
        self.catch_up().await;
        let mut check_at = self.next_check();
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return Ended::Closed };
                    if let Some(announcement) = Announcement::read(message.get_payload_bytes()) {
                        self.boards.announce(&announcement.board, announcement.position);
                        publishers.heard(&announcement);
                    }
                }
                () = publishers.lost() => {
                    metrics::counter!(LOST).increment(1);
                    self.catch_up().await;
                }
                () = sleep_until(check_at) => {
                    check_at = self.next_check();
                    if !matches!(timeout(SIGN_OF_LIFE, sink.ping::<redis::Value>()).await, Ok(Ok(_))) {
                        return Ended::Silent;
                    }
                    // A connection that answers and still hears nothing (its server is cut off from the others, or the master no
                    // longer) is worth nothing.
                    if self.catch_up().await && !self.hears_in_a_moment(&mut messages).await {
                        return Ended::Deaf;
                    }
                }
            }
        }
    }

    /// Of what the keys told, something was news: either it is just on its way here, or it was lost.
    async fn hears_in_a_moment(&self, messages: &mut PubSubStream) -> bool {
        let heard = timeout(SIGN_OF_LIFE, messages.next()).await;
        if let Ok(Some(message)) = &heard
            && let Some(announcement) = Announcement::read(message.get_payload_bytes())
        {
            self.boards.announce(&announcement.board, announcement.position);
        }
        matches!(heard, Ok(Some(_)))
    }

    /// Around the interval, so that the nodes do not all ask at once.
    fn next_check(&self) -> Instant {
        Instant::now() + CHECK.mul_f64(0.9 + 0.2 * share(self.redis.ids()))
    }

    /// Reads the newest position of every watched board. True if any was news.
    async fn catch_up(&self) -> bool {
        let reads = stream::iter(self.boards.watched()).map(async |board| {
            let last = last(&self.redis, &board).await;
            (board, last)
        });
        let mut reads = std::pin::pin!(reads.buffer_unordered(AT_ONCE));
        let mut news = false;
        while let Some((board, last)) = reads.next().await {
            match last {
                Ok(Some(position)) => news |= self.boards.announce(&board, position),
                Ok(None) => {}
                // The next check reads it again.
                Err(failure) => tracing::debug!(error = %failure, "an announced position could not be read"),
            }
        }
        news
    }
}
