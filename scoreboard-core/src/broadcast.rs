//! "This board is at this version now": a hint to whoever watches.

use std::fmt;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};

use crate::error::BackendError;
use crate::ids::BoardId;
use crate::version::Position;

/// Tells watchers, here and on other nodes, that a board has moved.
///
/// An announcement is only a hint: watchers follow the log, so a lost one costs them time, never a change.
#[async_trait]
pub trait Broadcaster: fmt::Debug + Send + Sync + 'static {
    /// Announces that `board` has reached `position`.
    ///
    /// Never waits for a watcher. A repeat, or a position older than one announced before, does no harm.
    ///
    /// # Errors
    ///
    /// `Unavailable`; the change it tells of stands all the same.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, each watcher may or may not have been told.
    async fn publish(&self, board: &BoardId, position: Position) -> Result<(), BackendError>;

    /// Announces to the watchers of this process what another node has announced to all others. By default everybody is told once more, which does no harm.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    ///
    /// # Cancel safety
    ///
    /// As [`publish`](Self::publish).
    async fn publish_here(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        self.publish(board, position).await
    }

    /// Follows a board's announcements from now on.
    ///
    /// - Positions come in rising order; a slow reader is given the newest and misses those between: memory is bounded.
    /// - What is announced after `subscribe` returned is never missed altogether: the newest is seen at last.
    /// - The stream ends when the broadcaster is gone.
    ///
    /// # Errors
    ///
    /// `Unavailable` or `Overloaded`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is followed.
    async fn subscribe(&self, board: &BoardId) -> Result<BoxStream<'static, Position>, BackendError>;
}

/// What is told of a board; `None` once nothing more is.
pub(crate) type Told = (BoardId, Option<Position>);

/// So many boards are subscribed to at once.
const AT_ONCE: usize = 16;

/// What is told of each of these. Some at once: where the broadcaster's server is away, each takes its time.
pub(crate) async fn subscribe_all(
    broadcaster: &dyn Broadcaster,
    boards: Vec<BoardId>,
) -> Result<Vec<(BoardId, BoxStream<'static, Told>)>, BackendError> {
    let subscribed = stream::iter(boards).map(|id| async move {
        let (of, end) = (id.clone(), (id.clone(), None));
        let positions = broadcaster.subscribe(&id).await?.map(move |position| (of.clone(), Some(position)));
        Ok((id, positions.chain(stream::iter([end])).boxed()))
    });
    subscribed.buffered(AT_ONCE).try_collect().await
}
