//! Every suite of the conformance kit that a store can run.

mod support;

use support::SqliteFixture;

scoreboard_core::score_store_conformance!(SqliteFixture);
scoreboard_core::account_store_conformance!(SqliteFixture);
scoreboard_core::factor_store_conformance!(SqliteFixture);
scoreboard_core::incident_store_conformance!(SqliteFixture);
scoreboard_core::moderation_store_conformance!(SqliteFixture);

/// As the server runs it: behind group commit.
mod group_commit {
    use std::sync::Arc;

    use scoreboard_core::testing::{Fixture, ScoreStoreFixture};
    use scoreboard_core::{GroupCommit, GroupCommitConfig, ScoreStore};

    use super::SqliteFixture;

    struct Grouped {
        store: Arc<GroupCommit>,
        _inner: SqliteFixture,
    }

    impl Fixture for Grouped {
        async fn fresh() -> Self {
            let inner = SqliteFixture::fresh().await;
            let store = GroupCommit::with_config(inner.score_store(), GroupCommitConfig::default(), None);
            Self { store: Arc::new(store), _inner: inner }
        }
    }

    impl ScoreStoreFixture for Grouped {
        fn score_store(&self) -> Arc<dyn ScoreStore> {
            self.store.clone()
        }
    }

    scoreboard_core::score_store_conformance!(Grouped);
}

/// With ranks in memory between the two, as a server runs it.
mod rank_indexed {
    use std::sync::Arc;

    use scoreboard_core::memory::InProcessBroadcaster;
    use scoreboard_core::testing::{Fixture, ModerationStoreFixture, ScoreStoreFixture};
    use scoreboard_core::{GroupCommit, ModerationStore, RankIndexed, RankIndexedConfig, ScoreStore};

    use super::SqliteFixture;

    struct Indexed {
        store: Arc<GroupCommit>,
        inner: SqliteFixture,
    }

    impl Fixture for Indexed {
        async fn fresh() -> Self {
            let inner = SqliteFixture::fresh().await;
            let ranks = RankIndexed::new(inner.score_store(), RankIndexedConfig::default());
            tokio::spawn(ranks.clone().follow(Arc::new(InProcessBroadcaster::default())));
            Self { store: Arc::new(GroupCommit::new(Arc::new(ranks))), inner }
        }
    }

    impl ScoreStoreFixture for Indexed {
        fn score_store(&self) -> Arc<dyn ScoreStore> {
            self.store.clone()
        }
    }

    impl ModerationStoreFixture for Indexed {
        fn moderation_store(&self) -> Arc<dyn ModerationStore> {
            self.inner.moderation_store()
        }
    }

    scoreboard_core::score_store_conformance!(Indexed);
    scoreboard_core::moderation_store_conformance!(Indexed);
}
