//! A cache that forgets.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Dice, Fate, FaultRates};
use crate::cache::{BoardCache, CacheKey, Cached, Hit, Lease};
use crate::clock::Timestamp;
use crate::ids::BoardId;
use crate::version::Position;

/// A [`BoardCache`] that forgets at times: a `get` is a miss, or a `put` is skipped. A floor is always raised, for that is
/// what a cache must not lose.
#[derive(Debug)]
pub struct FaultyBoardCache {
    inner: Arc<dyn BoardCache>,
    dice: Dice,
}

impl FaultyBoardCache {
    /// Makes `inner` forget. The same seed gives the same faults to the same calls.
    #[must_use]
    pub fn new(inner: Arc<dyn BoardCache>, seed: u64, rates: FaultRates) -> Self {
        Self { inner, dice: Dice::new(seed, rates) }
    }
}

#[async_trait]
impl BoardCache for FaultyBoardCache {
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        match self.dice.throw().await {
            Fate::Works => self.inner.get(key, now).await,
            Fate::Fails(_) | Fate::Lost | Fate::WorksUnheard => None,
        }
    }

    async fn lease(&self, key: &CacheKey, now: Timestamp, patience: Duration) -> Lease {
        match self.dice.throw().await {
            Fate::Works => self.inner.lease(key, now, patience).await,
            Fate::Fails(_) | Fate::Lost | Fate::WorksUnheard => Lease::Granted,
        }
    }

    async fn put(&self, key: CacheKey, answer: Cached, now: Timestamp, lifetime: Duration) {
        match self.dice.throw().await {
            Fate::Works | Fate::WorksUnheard => self.inner.put(key, answer, now, lifetime).await,
            Fate::Fails(_) | Fate::Lost => {}
        }
    }

    async fn raise_floor(&self, board: &BoardId, floor: Position) {
        self.inner.raise_floor(board, floor).await;
    }
}
