//! A connection that listens to channels: made again when it is lost, and asked for a sign of life.

use std::time::Duration;

use futures_util::StreamExt;
use redis::Msg;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::backoff::{Backoff, share};
use crate::error::Failure;
use crate::handle::Redis;

/// How often a connection is asked for a sign of life.
const CHECK: Duration = Duration::from_secs(5);
/// How long a sign of life may take.
pub(crate) const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// Listens to some channels, by one connection after the other.
#[derive(Debug)]
pub(crate) struct Listening {
    redis: Redis,
    /// What comes by the channels, for the log.
    what: &'static str,
    channels: Vec<String>,
    /// Whether it listens now.
    listens: watch::Sender<bool>,
    backoff: Backoff,
}

/// Why a connection listens no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("the connection was closed")]
    Closed,
    #[error("no sign of life came in time")]
    Silent,
    #[error("what was said for certain was not heard")]
    Deaf,
}

impl Listening {
    /// To what is to be listened, and where it is told whether it is.
    pub(crate) const fn new(
        redis: Redis,
        what: &'static str,
        channels: Vec<String>,
        listens: watch::Sender<bool>,
    ) -> Self {
        Self { redis, what, channels, listens, backoff: Backoff::new() }
    }

    /// A connection that listens, however long that takes.
    pub(crate) async fn connect(&mut self) -> Connection {
        loop {
            match self.try_to_connect().await {
                Ok(connection) => {
                    self.backoff = Backoff::new();
                    self.listens.send_replace(true);
                    return connection;
                }
                Err(failure) => tracing::debug!(error = %failure, "{} cannot be heard yet", self.what),
            }
            self.wait().await;
        }
    }

    /// The connection is lost. Waits a moment, so that nodes that lost one server do not come back as one.
    pub(crate) async fn lost(&mut self, ended: Ended) {
        self.listens.send_replace(false);
        tracing::warn!(reason = %ended, "{} are not heard; connecting again", self.what);
        self.wait().await;
    }

    async fn wait(&mut self) {
        sleep(self.backoff.next(self.redis.ids())).await;
    }

    async fn try_to_connect(&self) -> Result<Connection, Failure> {
        let (mut sink, messages) = self.redis.listener().await?.split();
        let subscribed = timeout(SIGN_OF_LIFE, sink.subscribe(&self.channels)).await;
        subscribed.map_err(|_| Failure::TimedOut)?.map_err(Failure::Connect)?;
        let check_at = next_check(&self.redis);
        Ok(Connection { redis: self.redis.clone(), sink, messages, check_at })
    }
}

/// One connection that listens.
pub(crate) struct Connection {
    redis: Redis,
    sink: PubSubSink,
    messages: PubSubStream,
    check_at: Instant,
}

/// What comes of listening.
pub(crate) enum Heard {
    Message(Msg),
    /// The connection gave a sign of life, as every five seconds: time to look whether it also hears.
    Alive,
}

impl Connection {
    /// What comes next.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing was taken.
    pub(crate) async fn next(&mut self) -> Result<Heard, Ended> {
        tokio::select! {
            message = self.messages.next() => message.map(Heard::Message).ok_or(Ended::Closed),
            () = sleep_until(self.check_at) => {
                if !matches!(timeout(SIGN_OF_LIFE, self.sink.ping::<redis::Value>()).await, Ok(Ok(_))) {
                    return Err(Ended::Silent);
                }
                self.check_at = next_check(&self.redis);
                Ok(Heard::Alive)
            }
        }
    }

    /// The next message that comes in a moment.
    pub(crate) async fn soon(&mut self) -> Option<Msg> {
        timeout(SIGN_OF_LIFE, self.messages.next()).await.ok().flatten()
    }
}

/// Around the interval, so that the nodes do not all ask at once.
fn next_check(redis: &Redis) -> Instant {
    Instant::now() + CHECK.mul_f64(0.9 + 0.2 * share(redis.ids()))
}
