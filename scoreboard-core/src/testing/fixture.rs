//! What a suite needs of an adapter, and how one case is run.

use std::sync::Arc;
use std::time::Duration;

use crate::store::ScoreStore;

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
