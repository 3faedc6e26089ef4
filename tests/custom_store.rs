//! The store of `examples/custom_store.rs` is a store like any other.

use std::sync::Arc;

use scoreboard::ScoreStore;
use scoreboard_core::testing::{Fixture, ScoreStoreFixture};

#[allow(dead_code, reason = "its `main` is run by tests/examples.rs")]
#[path = "../examples/custom_store.rs"]
mod custom_store;

struct LogFixture(Arc<custom_store::LogStore>);

impl Fixture for LogFixture {
    async fn fresh() -> Self {
        Self(Arc::default())
    }
}

impl ScoreStoreFixture for LogFixture {
    fn score_store(&self) -> Arc<dyn ScoreStore> {
        self.0.clone()
    }
}

scoreboard_core::score_store_conformance!(LogFixture);
