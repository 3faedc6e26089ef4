//! The fixture over this crate's own adapters.

use std::sync::Arc;
use std::time::Duration;

use crate::accounts::{AccountStore, FactorStore};
use crate::broadcast::Broadcaster;
use crate::cache::BoardCache;
use crate::clock::{Clock, Timestamp};
use crate::fraud::{IncidentStore, OutstandingActions};
use crate::id_source::RandomIds;
use crate::limiter::RateLimiter;
use crate::memory::{
    InProcessBroadcaster, MemoryAccountStore, MemoryBoardCache, MemoryIncidentStore, MemoryOutstanding,
    MemoryRateLimiter, MemoryScoreStore,
};
use crate::one_time::OneTimeStore;
use crate::store::{ModerationStore, ScoreStore};
use crate::testing::ManualClock;
use crate::testing::fixture::{
    AccountStoreFixture, BoardCacheFixture, BroadcasterFixture, FactorStoreFixture, Fixture, IncidentStoreFixture,
    ModerationStoreFixture, OneTimeStoreFixture, OutstandingActionsFixture, RateLimiterFixture, ScoreStoreFixture,
    VerifierFixture,
};
use crate::verifier::{ActionVerifier, HmacVerifier, KeyRing};

mod one_time;

use one_time::InMemory;

/// Every adapter of this crate, fresh: for tests of layers, and an example of a fixture.
#[derive(Debug)]
pub struct MemoryFixture {
    scores: Arc<MemoryScoreStore>,
    accounts: Arc<MemoryAccountStore>,
    incidents: Arc<MemoryIncidentStore>,
    cache: Arc<MemoryBoardCache>,
    limiter: Arc<MemoryRateLimiter>,
    outstanding: MemoryOutstanding,
    one_time: Arc<InMemory>,
    clock: ManualClock,
    broadcaster: Arc<InProcessBroadcaster>,
    verifier: Arc<HmacVerifier>,
}

impl Fixture for MemoryFixture {
    async fn fresh() -> Self {
        let clock = ManualClock::default();
        Self {
            scores: Arc::default(),
            accounts: Arc::default(),
            incidents: Arc::default(),
            cache: Arc::new(MemoryBoardCache::new(1024 * 1024)),
            limiter: Arc::default(),
            outstanding: MemoryOutstanding::default(),
            one_time: Arc::new(InMemory::new(clock.clone())),
            clock,
            broadcaster: Arc::default(),
            verifier: Arc::new(HmacVerifier::new(&KeyRing::random(&RandomIds))),
        }
    }
}

impl ScoreStoreFixture for MemoryFixture {
    fn score_store(&self) -> Arc<dyn ScoreStore> {
        self.scores.clone()
    }
}

impl ModerationStoreFixture for MemoryFixture {
    fn moderation_store(&self) -> Arc<dyn ModerationStore> {
        self.scores.clone()
    }
}

impl AccountStoreFixture for MemoryFixture {
    fn account_store(&self) -> Arc<dyn AccountStore> {
        self.accounts.clone()
    }
}

impl FactorStoreFixture for MemoryFixture {
    fn factor_store(&self) -> Arc<dyn FactorStore> {
        self.accounts.clone()
    }
}

impl IncidentStoreFixture for MemoryFixture {
    fn incident_store(&self) -> Arc<dyn IncidentStore> {
        self.incidents.clone()
    }
}

impl BoardCacheFixture for MemoryFixture {
    fn board_cache(&self) -> Arc<dyn BoardCache> {
        self.cache.clone()
    }
}

impl RateLimiterFixture for MemoryFixture {
    fn rate_limiter(&self) -> Arc<dyn RateLimiter> {
        self.limiter.clone()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }
}

impl OutstandingActionsFixture for MemoryFixture {
    fn outstanding_actions(&self) -> Arc<dyn OutstandingActions> {
        Arc::new(self.outstanding.clone())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }
}

impl OneTimeStoreFixture for MemoryFixture {
    fn one_time_store(&self) -> Arc<dyn OneTimeStore> {
        self.one_time.clone()
    }

    async fn advance(&self, duration: Duration) {
        self.clock.advance(duration);
    }
}

impl BroadcasterFixture for MemoryFixture {
    fn broadcaster(&self) -> Arc<dyn Broadcaster> {
        self.broadcaster.clone()
    }
}

impl VerifierFixture for MemoryFixture {
    fn verifier(&self) -> Arc<dyn ActionVerifier> {
        self.verifier.clone()
    }
}
