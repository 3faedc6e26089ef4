//! Announcements within this process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::broadcast::Broadcaster;
use crate::error::BackendError;
use crate::ids::BoardId;
use crate::version::Position;

/// A [`Broadcaster`] for one process: each watched board has one place for its newest position, whatever the number of
/// watchers. A board that nobody watches has none.
///
/// ```
/// use futures_util::StreamExt;
/// use scoreboard_core::memory::InProcessBroadcaster;
/// use scoreboard_core::{BoardId, Broadcaster};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broadcaster = InProcessBroadcaster::default();
/// let mut positions = broadcaster.subscribe(&BoardId::main()).await?;
/// for position in ["1.1", "1.2", "1.3"] {
///     broadcaster.publish(&BoardId::main(), position.parse()?).await?;
/// }
/// assert_eq!(positions.next().await, Some("1.3".parse()?), "who reads late gets the newest");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct InProcessBroadcaster {
    channels: Arc<Channels>,
}

type Channels = Mutex<HashMap<BoardId, watch::Sender<Position>>>;

impl InProcessBroadcaster {
    /// A broadcaster that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for InProcessBroadcaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcessBroadcaster").field("watched_boards", &self.channels.lock().len()).finish()
    }
}

#[async_trait]
impl Broadcaster for InProcessBroadcaster {
    async fn publish(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        if let Some(channel) = self.channels.lock().get(board) {
            channel.send_if_modified(|newest| {
                let rises = position > *newest;
                if rises {
                    *newest = position;
                }
                rises
            });
        }
        Ok(())
    }

    async fn subscribe(&self, board: &BoardId) -> Result<BoxStream<'static, Position>, BackendError> {
        let receiver = self.channels.lock().entry(board.clone()).or_default().subscribe();
        let seat = Seat { board: board.clone(), channels: Arc::downgrade(&self.channels) };
        let watcher = Watcher { receiver, _seat: seat };
        Ok(stream::unfold(watcher, |mut watcher| async {
            watcher.receiver.changed().await.ok()?;
            let newest = *watcher.receiver.borrow_and_update();
            Some((newest, watcher))
        })
        .boxed())
    }
}

/// The receiver stands first, so that it is gone when the seat counts those that are left.
struct Watcher {
    receiver: watch::Receiver<Position>,
    _seat: Seat,
}

/// Gives the board's channel up with its last watcher.
struct Seat {
    board: BoardId,
    channels: Weak<Channels>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(channels) = self.channels.upgrade() else { return };
        let mut channels = channels.lock();
        if channels.get(&self.board).is_some_and(|channel| channel.receiver_count() == 0) {
            channels.remove(&self.board);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::version::{Epoch, Version};

    fn at(version: u64) -> Position {
        Position { epoch: Epoch::new(1), version: Version::new(version) }
    }

    #[tokio::test]
    async fn a_slow_reader_gets_the_newest_and_nothing_twice() {
        let broadcaster = InProcessBroadcaster::new();
        let board = BoardId::main();
        let mut positions = broadcaster.subscribe(&board).await.unwrap();
        for version in [1, 3, 2, 3] {
            broadcaster.publish(&board, at(version)).await.unwrap();
        }
        assert_eq!(positions.next().await, Some(at(3)));
        broadcaster.publish(&board, at(2)).await.unwrap();
        assert_eq!(positions.next().now_or_never(), None, "what is older is no news");
        broadcaster.publish(&board, at(4)).await.unwrap();
        assert_eq!(positions.next().await, Some(at(4)));
    }

    #[tokio::test]
    async fn what_came_before_is_not_told() {
        let broadcaster = InProcessBroadcaster::new();
        let board = BoardId::main();
        let _first = broadcaster.subscribe(&board).await.unwrap();
        broadcaster.publish(&board, at(1)).await.unwrap();
        let mut second = broadcaster.subscribe(&board).await.unwrap();
        assert_eq!(second.next().now_or_never(), None);
    }

    #[tokio::test]
    async fn the_last_is_seen_when_the_broadcaster_goes() {
        let broadcaster = InProcessBroadcaster::new();
        let board = BoardId::main();
        let mut positions = broadcaster.subscribe(&board).await.unwrap();
        broadcaster.publish(&board, at(1)).await.unwrap();
        drop(broadcaster);
        assert_eq!(positions.next().await, Some(at(1)));
        assert_eq!(positions.next().await, None);
    }

    #[tokio::test]
    async fn boards_that_nobody_watches_take_no_room() {
        let broadcaster = InProcessBroadcaster::new();
        let board = BoardId::main();
        broadcaster.publish(&board, at(1)).await.unwrap();
        assert!(broadcaster.channels.lock().is_empty());
        let first = broadcaster.subscribe(&board).await.unwrap();
        let second = broadcaster.subscribe(&board).await.unwrap();
        drop(first);
        assert_eq!(broadcaster.channels.lock().len(), 1);
        drop(second);
        assert!(broadcaster.channels.lock().is_empty());
    }
}
