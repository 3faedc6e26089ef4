//! The fixture over this crate's own adapters in memory.

use std::sync::Arc;

use crate::memory::MemoryScoreStore;
use crate::store::ScoreStore;
use crate::testing::fixture::{Fixture, ScoreStoreFixture};

/// Every adapter in memory, fresh: for tests of layers, and an example of a fixture.
#[derive(Debug)]
pub struct MemoryFixture {
    scores: Arc<MemoryScoreStore>,
}

impl Fixture for MemoryFixture {
    async fn fresh() -> Self {
        Self { scores: Arc::default() }
    }
}

impl ScoreStoreFixture for MemoryFixture {
    fn score_store(&self) -> Arc<dyn ScoreStore> {
        self.scores.clone()
    }
}
