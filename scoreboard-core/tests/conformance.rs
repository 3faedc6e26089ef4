//! Every adapter in memory, and every layer over them, passes the suites.

use scoreboard_core::testing::MemoryFixture;

scoreboard_core::score_store_conformance!(MemoryFixture);
scoreboard_core::account_store_conformance!(MemoryFixture);
scoreboard_core::factor_store_conformance!(MemoryFixture);
scoreboard_core::incident_store_conformance!(MemoryFixture);
scoreboard_core::moderation_store_conformance!(MemoryFixture);
scoreboard_core::board_cache_conformance!(MemoryFixture);
scoreboard_core::rate_limiter_conformance!(MemoryFixture);
scoreboard_core::outstanding_actions_conformance!(MemoryFixture);
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

/// Ranks from memory: alone, under a group commit as a server has it, and of boards that do not fit, which the store answers.
mod rank_indexed {
    use std::sync::Arc;

    use scoreboard_core::memory::InProcessBroadcaster;
    use scoreboard_core::testing::{Fixture, MemoryFixture, ModerationStoreFixture, ScoreStoreFixture};
    use scoreboard_core::{GroupCommit, ModerationStore, RankIndexed, RankIndexedConfig, ScoreStore};

    struct Indexed<const MAX_BYTES: usize, const GROUPED: bool>(Arc<dyn ScoreStore>, MemoryFixture);

    impl<const MAX_BYTES: usize, const GROUPED: bool> Fixture for Indexed<MAX_BYTES, GROUPED> {
        async fn fresh() -> Self {
            let mut config = RankIndexedConfig::default();
            config.max_bytes = MAX_BYTES;
            let memory = MemoryFixture::fresh().await;
            let store = RankIndexed::new(memory.score_store(), config);
            tokio::spawn(store.clone().follow(Arc::new(InProcessBroadcaster::default())));
            let store: Arc<dyn ScoreStore> = Arc::new(store);
            Self(if GROUPED { Arc::new(GroupCommit::new(store)) } else { store }, memory)
        }
    }

    /// Decisions go to the store below, of which the index learns by the log.
    impl<const MAX_BYTES: usize, const GROUPED: bool> ModerationStoreFixture for Indexed<MAX_BYTES, GROUPED> {
        fn moderation_store(&self) -> Arc<dyn ModerationStore> {
            self.1.moderation_store()
        }
    }

    impl<const MAX_BYTES: usize, const GROUPED: bool> ScoreStoreFixture for Indexed<MAX_BYTES, GROUPED> {
        fn score_store(&self) -> Arc<dyn ScoreStore> {
            self.0.clone()
        }
    }

    mod alone {
        use super::*;
        scoreboard_core::score_store_conformance!(Indexed<{ 1 << 30 }, false>);
        scoreboard_core::moderation_store_conformance!(Indexed<{ 1 << 30 }, false>);
    }

    mod under_group_commit {
        use super::*;
        scoreboard_core::score_store_conformance!(Indexed<{ 1 << 30 }, true>);
        scoreboard_core::moderation_store_conformance!(Indexed<{ 1 << 30 }, true>);
    }

    mod too_large {
        use super::*;
        scoreboard_core::score_store_conformance!(Indexed<0, false>);
        scoreboard_core::moderation_store_conformance!(Indexed<0, false>);
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
