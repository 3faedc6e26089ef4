//! Announcements to all nodes, over one channel.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use scoreboard_core::{BackendError, BoardId, Broadcaster, Position};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::Failure;
use crate::handle::Redis;
use crate::keys::{self, BoardNames};
use crate::scripts::LIVE_PUBLISH;

mod announcement;
mod boards;
mod listener;
mod publishers;

use announcement::Announcement;
use boards::{Boards, Watcher};
use listener::Listener;

/// How long `subscribe` waits for the connection that listens, before it goes on without: it is made in the background all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// A [`Broadcaster`] over all processes on one Redis whose boards are in one store.
///
/// - One connection a process listens, to one channel, for all boards and watchers; a watched board has one place for its newest position, and a
///   slow watcher is given that.
/// - The newest position of each board is also kept in a key. It is read when a watcher comes, after the connection was lost, when an
///   announcement is missing, and every five seconds: what was lost on the way is told late, and never not at all.
/// - Each process numbers what it announces. A number that does not come within a moment was lost, or could not be sent; what came of it
///   is read from the keys.
/// - Watchers of the same process are told at once, also while Redis is away. `subscribe` does not fail then: its stream goes on when Redis
///   is back.
///
/// It is a connection of its own because a connection that listens takes no other commands; in a cluster it is to any one of the nodes, for
/// each passes on what is published at the others. (Channels bound to slots would need a connection to every node, to save traffic
/// between nodes that one line a commit does not fill.)
///
/// Dropping the last handle ends its streams.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use futures_util::StreamExt;
/// use scoreboard_core::{BoardId, Broadcaster};
/// use scoreboard_redis::{Redis, RedisBroadcaster};
///
/// let broadcaster = RedisBroadcaster::new(Redis::from_url("redis://localhost")?, "the store");
/// let mut positions = broadcaster.subscribe(&BoardId::main()).await?;
/// broadcaster.publish(&BoardId::main(), "1.7".parse()?).await?;
/// assert_eq!(positions.next().await, Some("1.7".parse()?));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisBroadcaster(Arc<Inner>);

struct Inner {
    redis: Redis,
    names: BoardNames,
    boards: Arc<Boards>,
    /// This process, as its announcements name it.
    publisher: String,
    /// The number of its next announcement.
    next: AtomicU64,
    listening: watch::Receiver<bool>,
    listener: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl fmt::Debug for RedisBroadcaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisBroadcaster")
            .field("watched_boards", &self.0.boards.len())
            .field("listening", &*self.0.listening.borrow())
            .finish_non_exhaustive()
    }
}

impl RedisBroadcaster {
    /// A broadcaster on this Redis. It begins to listen at once. `store` names what the boards are kept in, and nothing else: what is told of another
    /// store's boards is not heard.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn new(redis: Redis, store: &str) -> Self {
        let names = redis.namespace().boards_of(store);
        let boards = Arc::<Boards>::default();
        let (tells, listening) = watch::channel(false);
        let listener = tokio::spawn(Listener::new(redis.clone(), names.clone(), boards.clone(), tells).run());
        let publisher = redis.name();
        Self(Arc::new(Inner { redis, names, boards, publisher, next: AtomicU64::new(0), listening, listener }))
    }

    /// Waits until it listens, or for as long as one is patient.
    async fn listens(&self) {
        let mut listening = self.0.listening.clone();
        let _ = tokio::time::timeout(PATIENCE, listening.wait_for(|listens| *listens)).await;
    }

    async fn announce(&self, announcement: &Announcement) -> Result<(), Failure> {
        let names = &self.0.names;
        let Announcement { board, position, .. } = announcement;
        let mut script = LIVE_PUBLISH.key(names.last(board));
        script.arg(position.epoch.get()).arg(position.version.get());
        script.arg(keys::LAST.as_millis().to_string()).arg(names.channel()).arg(announcement.to_string());
        self.0.redis.script::<u8>(&script).await.map(drop)
    }
}

#[async_trait]
impl Broadcaster for RedisBroadcaster {
    async fn publish(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        self.0.boards.announce(board, position);
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let publisher = self.0.publisher.clone();
        let announcement = Announcement { publisher, number, position, board: board.clone() };
        self.announce(&announcement).await.map_err(|failure| failure.during("publish"))
    }

    async fn publish_here(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        self.0.boards.announce(board, position);
        Ok(())
    }

    async fn subscribe(&self, board: &BoardId) -> Result<BoxStream<'static, Position>, BackendError> {
        // First of all, so that nothing is missed from here on.
        let watcher = Boards::watch(&self.0.boards, board);
        self.listens().await;
        // What was announced before is not told, though it may still be on its way.
        let before = listener::last(&self.0.redis, &self.0.names, board).await.unwrap_or_else(|failure| {
            tracing::debug!(error = %failure, "it is not known what was announced before");
            None
        });
        let watching = (watcher, before.unwrap_or_default());
        Ok(stream::unfold(watching, |(mut watcher, told): (Watcher, Position)| async move {
            let newest = watcher.newer_than(told).await?;
            Some((newest, (watcher, newest)))
        })
        .boxed())
    }
}
