//! A broadcaster that loses announcements.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::{Dice, Fate, FaultRates};
use crate::broadcast::Broadcaster;
use crate::error::{BackendError, ErrorKind};
use crate::ids::BoardId;
use crate::version::Position;

/// A [`Broadcaster`] that loses announcements at times, with an error or without a word, and may refuse a watcher.
#[derive(Debug)]
pub struct FaultyBroadcaster {
    inner: Arc<dyn Broadcaster>,
    dice: Dice,
}

impl FaultyBroadcaster {
    /// Makes `inner` lose announcements. The same seed gives the same faults to the same calls.
    #[must_use]
    pub fn new(inner: Arc<dyn Broadcaster>, seed: u64, rates: FaultRates) -> Self {
        Self { inner, dice: Dice::new(seed, rates) }
    }
}

#[async_trait]
impl Broadcaster for FaultyBroadcaster {
    async fn publish(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        match self.dice.throw().await {
            Fate::Works | Fate::WorksUnheard => self.inner.publish(board, position).await,
            Fate::Lost => Ok(()),
            Fate::Fails(_) => Err(BackendError::new(ErrorKind::Unavailable, "faulty", "publish")),
        }
    }

    async fn subscribe(&self, board: &BoardId) -> Result<BoxStream<'static, Position>, BackendError> {
        match self.dice.throw().await {
            Fate::Fails(_) => Err(BackendError::new(ErrorKind::Unavailable, "faulty", "subscribe")),
            Fate::Works | Fate::Lost | Fate::WorksUnheard => self.inner.subscribe(board).await,
        }
    }
}
