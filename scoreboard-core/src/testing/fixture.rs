//! What a suite needs of an adapter, and how one case is run.

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
use crate::verifier::ActionVerifier;

/// An empty, private backend for one case. Dropping it cleans up.
pub trait Fixture: Sized + Send + Sync + 'static {
    /// A backend that nothing has happened on, and that no other case sees.
    fn fresh() -> impl Future<Output = Self> + Send;
}

/// What the suite [`score_store`](crate::testing::score_store) needs.
pub trait ScoreStoreFixture: Fixture {
    /// A handle on the fixture's store: always on the same data.
    fn score_store(&self) -> Arc<dyn ScoreStore>;
}

/// What the suite [`account_store`](crate::testing::account_store) needs.
pub trait AccountStoreFixture: Fixture {
    /// A handle on the fixture's store: always on the same data.
    fn account_store(&self) -> Arc<dyn AccountStore>;
}

/// What the suite [`factor_store`](crate::testing::factor_store) needs.
pub trait FactorStoreFixture: Fixture {
    /// A handle on the fixture's store: always on the same data.
    fn factor_store(&self) -> Arc<dyn FactorStore>;
}

/// What the suite [`incident_store`](crate::testing::incident_store) needs.
pub trait IncidentStoreFixture: Fixture {
    /// A handle on the fixture's store: always on the same data.
    fn incident_store(&self) -> Arc<dyn IncidentStore>;
}

/// What the suite [`moderation_store`](crate::testing::moderation_store) needs.
pub trait ModerationStoreFixture: ScoreStoreFixture {
    /// A handle on the decisions about the data of the [score store](ScoreStoreFixture::score_store).
    fn moderation_store(&self) -> Arc<dyn ModerationStore>;
}

/// What the suite [`board_cache`](crate::testing::board_cache) needs.
pub trait BoardCacheFixture: Fixture {
    /// A handle on the fixture's cache, with room for a thousand short answers.
    fn board_cache(&self) -> Arc<dyn BoardCache>;
}

/// What the suite [`rate_limiter`](crate::testing::rate_limiter) needs. It counts by the millisecond: a fixture of a limiter that
/// goes by a clock of its own puts one in its place that it can move.
pub trait RateLimiterFixture: Fixture {
    /// A handle on the fixture's limiter: always on the same counts.
    fn rate_limiter(&self) -> Arc<dyn RateLimiter>;

    /// The time by which the limiter goes.
    fn now(&self) -> Timestamp;

    /// Lets this much time go by.
    fn advance(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// What the suite [`outstanding_actions`](crate::testing::outstanding_actions) needs. It counts by the millisecond: a fixture that goes by a
/// clock of its own puts one in its place that it can move.
pub trait OutstandingActionsFixture: Fixture {
    /// A handle on the fixture's count: all are clones of one.
    fn outstanding_actions(&self) -> Arc<dyn OutstandingActions>;

    /// The time by which it counts.
    fn now(&self) -> Timestamp;

    /// Lets this much time go by.
    fn advance(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// What the suite [`one_time_store`](crate::testing::one_time_store) needs. It counts by the millisecond: a fixture that goes by a clock of its own
/// puts one in its place that it can move.
pub trait OneTimeStoreFixture: Fixture {
    /// A handle on the fixture's store: always on the same data.
    fn one_time_store(&self) -> Arc<dyn OneTimeStore>;

    /// Lets this much time go by.
    fn advance(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// What the suite [`broadcaster`](crate::testing::broadcaster) needs.
pub trait BroadcasterFixture: Fixture {
    /// A handle on the fixture's broadcaster: all reach the same watchers.
    fn broadcaster(&self) -> Arc<dyn Broadcaster>;
}

/// What the suite [`verifier`](crate::testing::verifier) needs. Each fresh fixture has secrets of its own.
pub trait VerifierFixture: Fixture {
    /// The fixture's verifier.
    fn verifier(&self) -> Arc<dyn ActionVerifier>;
}

/// Runs one case on a fresh fixture, on a runtime of two threads: what the macros' tests call.
///
/// # Panics
///
/// If the case fails, or is not done within two minutes.
pub fn run<F: Fixture>(case: impl AsyncFn(&F)) {
    /// No case takes a hundredth of this on an idle machine.
    const TIME_LIMIT: Duration = Duration::from_secs(120);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the machine has threads for a runtime");
    runtime.block_on(async {
        let fixture = F::fresh().await;
        let done = tokio::time::timeout(TIME_LIMIT, case(&fixture)).await;
        assert!(done.is_ok(), "the case hangs: it was not done within {TIME_LIMIT:?}");
    });
}
