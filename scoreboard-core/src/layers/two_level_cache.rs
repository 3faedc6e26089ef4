//! A cache in this process over one that all processes share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::cache::{BoardCache, CacheKey, Cached, Hit, Lease};
use crate::clock::Timestamp;
use crate::ids::BoardId;
use crate::version::Position;

/// A [`BoardCache`] of two levels: what the near one (in this process) misses is looked for in the far one (shared by all nodes), and
/// copied with what is left of its life.
///
/// The near one decides by its own floors: what it will not take from the far one is a miss, so that whatever the far one has lost or
/// was restored to, nothing older is served than this process knows of.
///
/// Hits and misses are counted in `scoreboard_cache_requests_total` by `tier` (`l1`, `l2`) and `result`.
#[derive(Clone)]
pub struct TwoLevelCache {
    near: Arc<dyn BoardCache>,
    far: Option<Arc<dyn BoardCache>>,
    /// Whether the far one is neither asked nor filled for now.
    passes_over_far: Arc<AtomicBool>,
    near_requests: Requests,
    far_requests: Requests,
}

impl TwoLevelCache {
    /// `near` over `far`; without a far one, `near` alone. Counts with the metrics recorder that is installed now.
    pub fn new(near: Arc<dyn BoardCache>, far: Option<Arc<dyn BoardCache>>) -> Self {
        let passes_over_far = Arc::default();
        Self { near, far, passes_over_far, near_requests: Requests::of("l1"), far_requests: Requests::of("l2") }
    }

    /// From now on, whether the far level is done without: nothing is asked of it and put there. Floors are raised all the same, for others
    /// serve from it.
    pub fn pass_over_far(&self, passes_over: bool) {
        self.passes_over_far.store(passes_over, Ordering::Relaxed);
    }

    /// The far level, if there is one and it is not passed over.
    fn used_far(&self) -> Option<&Arc<dyn BoardCache>> {
        self.far.as_ref().filter(|_| !self.passes_over_far.load(Ordering::Relaxed))
    }

    /// What the near level has.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn get_near(&self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        let hit = self.near.get(key, now).await;
        self.near_requests.count(hit.is_some());
        hit
    }

    /// Whether the near level has it. Not counted, for nobody asks.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn has_near(&self, key: &CacheKey, now: Timestamp) -> bool {
        self.near.get(key, now).await.is_some()
    }

    /// What the far level has and the near one takes.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed but the near level.
    pub async fn get_far(&self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        let hit = match self.used_far()?.get(key, now).await {
            Some(Hit { answer, fresh_for }) => {
                self.near.put(key.clone(), answer, now, fresh_for).await;
                self.near.get(key, now).await
            }
            None => None,
        };
        self.far_requests.count(hit.is_some());
        hit
    }

    /// Raises the floor of the near level only: for what another node has told, which has raised the far one itself.
    ///
    /// # Cancel safety
    ///
    /// As [`BoardCache::raise_floor`].
    pub async fn raise_near_floor(&self, board: &BoardId, floor: Position) {
        self.near.raise_floor(board, floor).await;
    }
}

impl fmt::Debug for TwoLevelCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwoLevelCache").field("near", &self.near).field("far", &self.far).finish_non_exhaustive()
    }
}

#[async_trait]
impl BoardCache for TwoLevelCache {
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        match self.get_near(key, now).await {
            Some(hit) => Some(hit),
            None => self.get_far(key, now).await,
        }
    }

    async fn lease(&self, key: &CacheKey, now: Timestamp, patience: Duration) -> Lease {
        match self.used_far() {
            Some(far) => far.lease(key, now, patience).await,
            None => self.near.lease(key, now, patience).await,
        }
    }

    async fn put(&self, key: CacheKey, answer: Cached, now: Timestamp, lifetime: Duration) {
        if let Some(far) = self.used_far() {
            self.near.put(key.clone(), answer.clone(), now, lifetime).await;
            far.put(key, answer, now, lifetime).await;
        } else {
            self.near.put(key, answer, now, lifetime).await;
        }
    }

    async fn raise_floor(&self, board: &BoardId, floor: Position) {
        // The near one first: this process knows at once, and the far one may take its time.
        self.near.raise_floor(board, floor).await;
        if let Some(far) = &self.far {
            far.raise_floor(board, floor).await;
        }
    }
}

/// How often a level had what was asked for. Handles, so that no request looks them up by their labels.
#[derive(Clone)]
struct Requests {
    hits: metrics::Counter,
    misses: metrics::Counter,
}

impl Requests {
    fn of(tier: &'static str) -> Self {
        let counter = |result| metrics::counter!("scoreboard_cache_requests_total", "tier" => tier, "result" => result);
        Self { hits: counter("hit"), misses: counter("miss") }
    }

    fn count(&self, is_hit: bool) {
        if is_hit { self.hits.increment(1) } else { self.misses.increment(1) }
    }
}
