//! Every adapter in memory, and every layer over them, passes the suites.

#[path = "one_writer/network.rs"]
#[allow(dead_code, reason = "nothing is lost here")]
mod network;

use scoreboard_core::testing::MemoryFixture;

scoreboard_core::score_store_conformance!(MemoryFixture);
scoreboard_core::account_store_conformance!(MemoryFixture);
scoreboard_core::factor_store_conformance!(MemoryFixture);
scoreboard_core::incident_store_conformance!(MemoryFixture);
scoreboard_core::moderation_store_conformance!(MemoryFixture);
scoreboard_core::board_cache_conformance!(MemoryFixture);
scoreboard_core::rate_limiter_conformance!(MemoryFixture);
scoreboard_core::outstanding_actions_conformance!(MemoryFixture);
scoreboard_core::one_time_store_conformance!(MemoryFixture);
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

/// One node that writes for all: alone, and as the second of two, which has the first apply every batch of one board.
mod one_writer {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use scoreboard_core::testing::{Fixture, ManualClock, MemoryFixture, ModerationStoreFixture, ScoreStoreFixture};
    use scoreboard_core::{
        BackendError, BoardId, GroupCommit, GroupCommitConfig, ModerationStore, OneWriter, Peers, ScoreStore, Turn,
        Turns, Version,
    };

    use crate::network::{Line, Network};

    fn writer(memory: &MemoryFixture, line: Arc<Line>) -> OneWriter {
        OneWriter::new(memory.score_store(), None, line, Arc::new(ManualClock::default()))
    }

    struct Alone(OneWriter);

    impl Fixture for Alone {
        async fn fresh() -> Self {
            Self(writer(&MemoryFixture::fresh().await, Network::new().line("a")))
        }
    }

    impl ScoreStoreFixture for Alone {
        fn score_store(&self) -> Arc<dyn ScoreStore> {
            Arc::new(self.0.clone())
        }
    }

    /// Before each batch the second node hears that the first writes to its board.
    #[derive(Debug)]
    struct AlwaysHears {
        second: OneWriter,
        first: Arc<Line>,
        heard: Arc<AtomicUsize>,
    }

    #[async_trait]
    impl Turns for AlwaysHears {
        async fn turn(&self, board: &BoardId) -> Result<Turn, BackendError> {
            self.second.turn(board).await
        }

        async fn gather(&self, board: &BoardId) {
            // An update looks at its board before: by that the node knows in which epoch its store is.
            let _ = self.second.board(board).await.expect("memory");
            self.first.claim(board).await.expect("it is said");
            // Words come in order: what is answered now was said behind it.
            self.first.ask("b", &[], Version::ZERO).await.expect("the second listens");
            drop(self.second.turn(board).await.expect("nobody waits"));
            self.heard.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct Second {
        store: Arc<GroupCommit>,
        memory: MemoryFixture,
        network: Arc<Network>,
        heard: Arc<AtomicUsize>,
    }

    impl Fixture for Second {
        async fn fresh() -> Self {
            let (memory, network, heard) = (MemoryFixture::fresh().await, Network::new(), Arc::default());
            let [first, second] = ["a", "b"].map(|name| writer(&memory, network.line(name)));
            let hears = AlwaysHears { second: second.clone(), first: network.line("a"), heard: Arc::clone(&heard) };
            let group = |writer: &OneWriter, turns| {
                let below = Arc::new(writer.clone());
                Arc::new(GroupCommit::taking_turns(below, GroupCommitConfig::default(), None, Some(turns)))
            };
            let (above_first, store) = (group(&first, Arc::new(first.clone())), group(&second, Arc::new(hears)));
            tokio::spawn(first.serve(above_first));
            tokio::spawn(second.serve(store.clone()));
            for (asker, listens) in [("a", "b"), ("b", "a")] {
                while network.line(asker).ask(listens, &[], Version::ZERO).await.is_err() {
                    tokio::task::yield_now().await;
                }
            }
            network.batches.store(0, Ordering::SeqCst);
            Self { store, memory, network, heard }
        }
    }

    impl ScoreStoreFixture for Second {
        fn score_store(&self) -> Arc<dyn ScoreStore> {
            self.store.clone()
        }
    }

    /// Decisions go to the store below.
    impl ModerationStoreFixture for Second {
        fn moderation_store(&self) -> Arc<dyn ModerationStore> {
            self.memory.moderation_store()
        }
    }

    mod alone {
        use super::*;
        scoreboard_core::score_store_conformance!(Alone);
    }

    mod second {
        use super::*;
        scoreboard_core::score_store_conformance!(Second);
        scoreboard_core::moderation_store_conformance!(Second);
    }

    /// Else the suite would be about a node that writes itself.
    #[tokio::test(start_paused = true)]
    async fn the_second_has_the_first_apply_what_the_suite_applies() {
        use scoreboard_core::testing::score_store::{
            a_repeat_counts_once, many_actions_at_once_all_count, who_follows_the_log_misses_nothing,
        };
        for case in 0..3 {
            let second = Second::fresh().await;
            match case {
                0 => a_repeat_counts_once(&second).await,
                1 => many_actions_at_once_all_count(&second).await,
                _ => who_follows_the_log_misses_nothing(&second).await,
            }
            let heard = second.heard.load(Ordering::SeqCst);
            // One word each was asked behind the claim.
            assert_eq!((heard > 0, second.network.batches() - heard), (true, heard), "in case {case}");
        }
    }
}

/// A shared count of actions under way and one's own behind it: while the shared one is there, and since it has gone.
mod fallback_outstanding {
    use std::num::NonZeroU32;
    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;
    use scoreboard_core::memory::MemoryOutstanding;
    use scoreboard_core::testing::{Fixture, ManualClock, OutstandingActionsFixture};
    use scoreboard_core::{
        ActionId, BackendError, Clock, ErrorKind, FallbackOutstanding, OutstandingAction, OutstandingActions, Started,
        Timestamp, UserId,
    };

    #[derive(Debug)]
    struct Gone;

    #[async_trait]
    impl OutstandingActions for Gone {
        async fn start(
            &self,
            _: UserId,
            _: OutstandingAction,
            _: NonZeroU32,
            _: Timestamp,
        ) -> Result<Started, BackendError> {
            Err(BackendError::new(ErrorKind::Unavailable, "gone", "start"))
        }

        fn finish(&self, _: UserId, _: ActionId) {}
    }

    struct Fallback<const IS_THERE: bool>(Arc<FallbackOutstanding>, ManualClock);

    impl<const IS_THERE: bool> Fixture for Fallback<IS_THERE> {
        async fn fresh() -> Self {
            let shared: Arc<dyn OutstandingActions> =
                if IS_THERE { Arc::new(MemoryOutstanding::default()) } else { Arc::new(Gone) };
            let outstanding = FallbackOutstanding::new(shared, Arc::new(MemoryOutstanding::default()));
            Self(Arc::new(outstanding), ManualClock::default())
        }
    }

    impl<const IS_THERE: bool> OutstandingActionsFixture for Fallback<IS_THERE> {
        fn outstanding_actions(&self) -> Arc<dyn OutstandingActions> {
            self.0.clone()
        }

        fn now(&self) -> Timestamp {
            self.1.now()
        }

        async fn advance(&self, duration: Duration) {
            self.1.advance(duration);
        }
    }

    mod shared {
        use super::*;
        scoreboard_core::outstanding_actions_conformance!(Fallback<true>);
    }

    mod shared_is_gone {
        use super::*;
        scoreboard_core::outstanding_actions_conformance!(Fallback<false>);
    }
}

/// People are told of incidents, by who takes every message and by who takes none.
mod incident_alerts {
    use std::sync::Arc;

    use async_trait::async_trait;
    use scoreboard_core::accounts::{Email, Message, Notifier};
    use scoreboard_core::testing::{Fixture, IncidentStoreFixture, ManualClock, MemoryFixture};
    use scoreboard_core::{BackendError, ErrorKind, IncidentAlerts, IncidentAlertsConfig, IncidentStore};

    #[derive(Debug)]
    struct Carrier {
        is_full: bool,
    }

    #[async_trait]
    impl Notifier for Carrier {
        async fn deliver(&self, _: &Message) -> Result<(), BackendError> {
            if self.is_full { Err(BackendError::new(ErrorKind::Overloaded, "carrier", "deliver")) } else { Ok(()) }
        }
    }

    struct Alerts(Arc<IncidentAlerts>);

    impl Fixture for Alerts {
        async fn fresh() -> Self {
            let address = Email::new("ops@example.org").expect("an address");
            let carriers = [true, false].map(|is_full| (Arc::new(Carrier { is_full }) as _, address.clone()));
            let (inner, clock) = (MemoryFixture::fresh().await.incident_store(), Arc::new(ManualClock::default()));
            Self(Arc::new(IncidentAlerts::new(inner, carriers.into(), clock, IncidentAlertsConfig::default())))
        }
    }

    impl IncidentStoreFixture for Alerts {
        fn incident_store(&self) -> Arc<dyn IncidentStore> {
            self.0.clone()
        }
    }

    scoreboard_core::incident_store_conformance!(Alerts);
}
