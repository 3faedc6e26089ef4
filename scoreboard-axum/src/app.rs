//! What a router is made of.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusHandle;
use scoreboard_core::accounts::Accounts;
use scoreboard_core::memory::MemoryRateLimiter;
use scoreboard_core::{BackendError, Clock, RateLimiter, Scoreboard, SystemClock};

use crate::{HttpConfig, Lifecycle};

/// The parts of a [`router`](crate::router). All but the first two have defaults.
#[derive(Clone)]
#[must_use]
pub struct App {
    pub(crate) scoreboard: Scoreboard,
    pub(crate) accounts: Accounts,
    pub(crate) limiter: Arc<dyn RateLimiter>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: HttpConfig,
    pub(crate) metrics: Option<PrometheusHandle>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) cache_check: Option<PartCheck>,
    pub(crate) database_check: Option<PartCheck>,
}

/// Whether a part works that the core does not know of.
pub(crate) type PartCheck = Arc<dyn Fn() -> BoxFuture<'static, Result<(), BackendError>> + Send + Sync>;

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", &self.config).field("lifecycle", &self.lifecycle).finish_non_exhaustive()
    }
}

impl App {
    /// Serves this scoreboard to the users of these accounts.
    pub fn new(scoreboard: Scoreboard, accounts: Accounts) -> Self {
        Self {
            scoreboard,
            accounts,
            limiter: Arc::new(MemoryRateLimiter::default()),
            clock: Arc::new(SystemClock),
            config: HttpConfig::default(),
            metrics: None,
            lifecycle: Lifecycle::default(),
            cache_check: None,
            database_check: None,
        }
    }

    /// Counts the quotas of [`HttpConfig::limits`] elsewhere than in this process. If it fails, this process counts by itself.
    pub fn with_limiter(mut self, limiter: Arc<dyn RateLimiter>) -> Self {
        self.limiter = limiter;
        self
    }

    /// Asks this clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Uses these numbers.
    pub fn with_config(mut self, config: HttpConfig) -> Self {
        self.config = config;
        self
    }

    /// Answers `/metrics` from this recorder; without one, there is no such path.
    pub fn with_metrics(mut self, metrics: PrometheusHandle) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Asks this too before `/health` says that the cache is up, for one that is shared with other nodes.
    pub fn with_cache_check(
        mut self,
        check: impl Fn() -> BoxFuture<'static, Result<(), BackendError>> + Send + Sync + 'static,
    ) -> Self {
        self.cache_check = Some(Arc::new(check));
        self
    }

    /// Asks this too before `/health` says that the database is up, where not all is kept with the boards.
    pub fn with_database_check(
        mut self,
        check: impl Fn() -> BoxFuture<'static, Result<(), BackendError>> + Send + Sync + 'static,
    ) -> Self {
        self.database_check = Some(Arc::new(check));
        self
    }

    /// Follows this lifecycle: pass the same to [`serve`](crate::serve).
    pub fn with_lifecycle(mut self, lifecycle: Lifecycle) -> Self {
        self.lifecycle = lifecycle;
        self
    }
}
