//! Adapters that are wrong on purpose, each in one way: the proof that the suites bite.
//!
//! A [`Defect`] spoils one adapter of the [`MemoryFixture`]; [`Broken`] is the fixture with it. For each defect a test names
//! the case that must fail on it, and that passes without it. Who adds a rule to a suite adds the defect that it catches.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::accounts::{AccountStore, FactorStore};
use crate::broadcast::Broadcaster;
use crate::cache::BoardCache;
use crate::clock::Timestamp;
use crate::fraud::{IncidentStore, OutstandingActions};
use crate::limiter::RateLimiter;
use crate::one_time::OneTimeStore;
use crate::store::{ModerationStore, ScoreStore};
use crate::testing::fixture::{
    AccountStoreFixture, BoardCacheFixture, BroadcasterFixture, FactorStoreFixture, Fixture, IncidentStoreFixture,
    ModerationStoreFixture, OneTimeStoreFixture, OutstandingActionsFixture, RateLimiterFixture, ScoreStoreFixture,
    VerifierFixture,
};
use crate::testing::memory::MemoryFixture;
use crate::verifier::ActionVerifier;

pub mod account_store;
pub mod board_cache;
pub mod broadcaster;
pub mod factor_store;
pub mod incident_store;
pub mod moderation_store;
pub mod one_time_store;
pub mod outstanding_actions;
pub mod rate_limiter;
pub mod score_store;
pub mod verifier;

/// What is wrong with an adapter. Each method spoils an intact one, or gives it back as it is.
pub trait Defect: Send + Sync + 'static {
    /// Spoils a score store.
    fn score_store(intact: Arc<dyn ScoreStore>) -> Arc<dyn ScoreStore> {
        intact
    }

    /// Spoils an account store.
    fn account_store(intact: Arc<dyn AccountStore>) -> Arc<dyn AccountStore> {
        intact
    }

    /// Spoils a store of second factors.
    fn factor_store(intact: Arc<dyn FactorStore>) -> Arc<dyn FactorStore> {
        intact
    }

    /// Spoils an incident store.
    fn incident_store(intact: Arc<dyn IncidentStore>) -> Arc<dyn IncidentStore> {
        intact
    }

    /// Spoils a store of decisions.
    fn moderation_store(intact: Arc<dyn ModerationStore>) -> Arc<dyn ModerationStore> {
        intact
    }

    /// Spoils a cache.
    fn board_cache(intact: Arc<dyn BoardCache>) -> Arc<dyn BoardCache> {
        intact
    }

    /// Spoils a limiter.
    fn rate_limiter(intact: Arc<dyn RateLimiter>) -> Arc<dyn RateLimiter> {
        intact
    }

    /// Spoils a count of actions under way.
    fn outstanding_actions(intact: Arc<dyn OutstandingActions>) -> Arc<dyn OutstandingActions> {
        intact
    }

    /// Spoils a store of what may be taken once.
    fn one_time_store(intact: Arc<dyn OneTimeStore>) -> Arc<dyn OneTimeStore> {
        intact
    }

    /// Spoils a broadcaster.
    fn broadcaster(intact: Arc<dyn Broadcaster>) -> Arc<dyn Broadcaster> {
        intact
    }

    /// Spoils a verifier.
    fn verifier(intact: Arc<dyn ActionVerifier>) -> Arc<dyn ActionVerifier> {
        intact
    }
}

/// No defect: the same fixture, wrapped in the same way.
#[derive(Debug)]
pub struct Intact;

impl Defect for Intact {}

/// The [`MemoryFixture`] with a defect.
#[derive(Debug)]
pub struct Broken<D> {
    memory: MemoryFixture,
    scores: Arc<dyn ScoreStore>,
    accounts: Arc<dyn AccountStore>,
    factors: Arc<dyn FactorStore>,
    incidents: Arc<dyn IncidentStore>,
    moderation: Arc<dyn ModerationStore>,
    cache: Arc<dyn BoardCache>,
    limiter: Arc<dyn RateLimiter>,
    outstanding: Arc<dyn OutstandingActions>,
    one_time: Arc<dyn OneTimeStore>,
    broadcaster: Arc<dyn Broadcaster>,
    verifier: Arc<dyn ActionVerifier>,
    defect: PhantomData<D>,
}

impl<D: Defect> Fixture for Broken<D> {
    async fn fresh() -> Self {
        let memory = MemoryFixture::fresh().await;
        Self {
            scores: D::score_store(memory.score_store()),
            accounts: D::account_store(memory.account_store()),
            factors: D::factor_store(memory.factor_store()),
            incidents: D::incident_store(memory.incident_store()),
            moderation: D::moderation_store(memory.moderation_store()),
            cache: D::board_cache(memory.board_cache()),
            limiter: D::rate_limiter(memory.rate_limiter()),
            outstanding: D::outstanding_actions(memory.outstanding_actions()),
            one_time: D::one_time_store(memory.one_time_store()),
            broadcaster: D::broadcaster(memory.broadcaster()),
            verifier: D::verifier(memory.verifier()),
            memory,
            defect: PhantomData,
        }
    }
}

impl<D: Defect> ScoreStoreFixture for Broken<D> {
    fn score_store(&self) -> Arc<dyn ScoreStore> {
        self.scores.clone()
    }
}

impl<D: Defect> ModerationStoreFixture for Broken<D> {
    fn moderation_store(&self) -> Arc<dyn ModerationStore> {
        self.moderation.clone()
    }
}

impl<D: Defect> AccountStoreFixture for Broken<D> {
    fn account_store(&self) -> Arc<dyn AccountStore> {
        self.accounts.clone()
    }
}

impl<D: Defect> FactorStoreFixture for Broken<D> {
    fn factor_store(&self) -> Arc<dyn FactorStore> {
        self.factors.clone()
    }
}

impl<D: Defect> IncidentStoreFixture for Broken<D> {
    fn incident_store(&self) -> Arc<dyn IncidentStore> {
        self.incidents.clone()
    }
}

impl<D: Defect> BoardCacheFixture for Broken<D> {
    fn board_cache(&self) -> Arc<dyn BoardCache> {
        self.cache.clone()
    }
}

impl<D: Defect> RateLimiterFixture for Broken<D> {
    fn rate_limiter(&self) -> Arc<dyn RateLimiter> {
        self.limiter.clone()
    }

    fn now(&self) -> Timestamp {
        RateLimiterFixture::now(&self.memory)
    }

    async fn advance(&self, duration: Duration) {
        RateLimiterFixture::advance(&self.memory, duration).await;
    }
}

impl<D: Defect> OutstandingActionsFixture for Broken<D> {
    fn outstanding_actions(&self) -> Arc<dyn OutstandingActions> {
        self.outstanding.clone()
    }

    fn now(&self) -> Timestamp {
        OutstandingActionsFixture::now(&self.memory)
    }

    async fn advance(&self, duration: Duration) {
        OutstandingActionsFixture::advance(&self.memory, duration).await;
    }
}

impl<D: Defect> OneTimeStoreFixture for Broken<D> {
    fn one_time_store(&self) -> Arc<dyn OneTimeStore> {
        self.one_time.clone()
    }

    async fn advance(&self, duration: Duration) {
        OneTimeStoreFixture::advance(&self.memory, duration).await;
    }
}

impl<D: Defect> BroadcasterFixture for Broken<D> {
    fn broadcaster(&self) -> Arc<dyn Broadcaster> {
        self.broadcaster.clone()
    }
}

impl<D: Defect> VerifierFixture for Broken<D> {
    fn verifier(&self) -> Arc<dyn ActionVerifier> {
        self.verifier.clone()
    }
}

/// Declares a defect and what it does to one adapter.
macro_rules! defects {
    ($($(#[$doc:meta])* $name:ident: |$intact:ident: dyn $adapter:ident| $method:ident = $spoilt:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;

            impl $crate::testing::broken::Defect for $name {
                fn $method($intact: std::sync::Arc<dyn $adapter>) -> std::sync::Arc<dyn $adapter> {
                    std::sync::Arc::new($spoilt)
                }
            }
        )*
    };
}
use defects;
