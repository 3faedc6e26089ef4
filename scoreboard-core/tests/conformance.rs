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

/// A near cache over a far one that is whole, and over one that forgets half of what it is told, floors excepted.
mod two_level_cache {
    use std::sync::Arc;

    use scoreboard_core::memory::MemoryBoardCache;
    use scoreboard_core::testing::{BoardCacheFixture, FaultRates, FaultyBoardCache, Fixture};
    use scoreboard_core::{BoardCache, TwoLevelCache};

    const BYTES: usize = 1 << 20;

    struct TwoLevels<const NEAR: usize, const FORGETFUL: bool>(Arc<TwoLevelCache>);

    impl<const NEAR: usize, const FORGETFUL: bool> Fixture for TwoLevels<NEAR, FORGETFUL> {
        async fn fresh() -> Self {
            let far: Arc<dyn BoardCache> = Arc::new(MemoryBoardCache::new(BYTES));
            let rates = FaultRates { before: 0.5, ..FaultRates::default() };
            let far = if FORGETFUL { Arc::new(FaultyBoardCache::new(far, 1, rates)) } else { far };
            Self(Arc::new(TwoLevelCache::new(Arc::new(MemoryBoardCache::new(NEAR)), Some(far))))
        }
    }

    impl<const NEAR: usize, const FORGETFUL: bool> BoardCacheFixture for TwoLevels<NEAR, FORGETFUL> {
        fn board_cache(&self) -> Arc<dyn BoardCache> {
            self.0.clone()
        }
    }

    mod whole {
        use super::*;
        scoreboard_core::board_cache_conformance!(TwoLevels<BYTES, false>);
    }

    /// Nearly everything comes from the far one.
    mod small_near {
        use super::*;
        scoreboard_core::board_cache_conformance!(TwoLevels<1000, false>);
    }

    mod forgetful_far {
        use super::*;
        scoreboard_core::board_cache_conformance!(TwoLevels<BYTES, true>);
    }
}
