//! Every adapter in memory, and every layer over them, passes the suites.

use scoreboard_core::testing::MemoryFixture;

scoreboard_core::score_store_conformance!(MemoryFixture);
scoreboard_core::account_store_conformance!(MemoryFixture);
scoreboard_core::incident_store_conformance!(MemoryFixture);
scoreboard_core::board_cache_conformance!(MemoryFixture);
scoreboard_core::rate_limiter_conformance!(MemoryFixture);
scoreboard_core::broadcaster_conformance!(MemoryFixture);
scoreboard_core::verifier_conformance!(MemoryFixture);

/// Group commit, with the default bounds, and with batches so small that calls are carried over.
mod group_commit {
    use std::sync::Arc;

    use scoreboard_core::testing::{Fixture, MemoryFixture, ScoreStoreFixture};
    use scoreboard_core::{GroupCommit, GroupCommitConfig, ScoreStore};

    struct Grouped<const MAX_BATCH: usize>(Arc<GroupCommit>);

    impl<const MAX_BATCH: usize> Fixture for Grouped<MAX_BATCH> {
        async fn fresh() -> Self {
            let config = GroupCommitConfig { max_batch: MAX_BATCH, ..GroupCommitConfig::default() };
            let inner = MemoryFixture::fresh().await.score_store();
            Self(Arc::new(GroupCommit::with_config(inner, config, None)))
        }
    }

    impl<const MAX_BATCH: usize> ScoreStoreFixture for Grouped<MAX_BATCH> {
        fn score_store(&self) -> Arc<dyn ScoreStore> {
            self.0.clone()
        }
    }

    mod large {
        use super::*;
        scoreboard_core::score_store_conformance!(Grouped<512>);
    }

    mod small {
        use super::*;
        scoreboard_core::score_store_conformance!(Grouped<2>);
    }
}
