//! What the cache's monitor looks at: counts that only grow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How often the cache had what was asked for, and how long those waited who asked for something else.
#[derive(Debug)]
pub(in crate::pipeline) struct Measures {
    slow_after: Duration,
    hits: AtomicU64,
    misses: AtomicU64,
    shared_hits: AtomicU64,
    loads: AtomicU64,
    slow_loads: AtomicU64,
    slow_by_shared: AtomicU64,
}

/// The counts at one moment, or between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::pipeline) struct Counts {
    /// Answers that were in this process.
    pub(in crate::pipeline) hits: u64,
    /// Answers that were not.
    pub(in crate::pipeline) misses: u64,
    /// Loads that the shared cache made needless: each may have answered many misses.
    pub(in crate::pipeline) shared_hits: u64,
    /// What was fetched for those who waited, from wherever: one for all who wanted the same.
    pub(in crate::pipeline) loads: u64,
    /// Those of them that took longer than an answer may.
    pub(in crate::pipeline) slow_loads: u64,
    /// Those of them that waited for the shared cache more than for anything else.
    pub(in crate::pipeline) slow_by_shared: u64,
}

impl Counts {
    /// What was counted since.
    pub(in crate::pipeline) const fn since(self, earlier: Self) -> Self {
        Self {
            hits: self.hits - earlier.hits,
            misses: self.misses - earlier.misses,
            shared_hits: self.shared_hits - earlier.shared_hits,
            loads: self.loads - earlier.loads,
            slow_loads: self.slow_loads - earlier.slow_loads,
            slow_by_shared: self.slow_by_shared - earlier.slow_by_shared,
        }
    }
}

impl Measures {
    /// A load that takes longer than `slow_after` is a slow one.
    pub(super) fn new(slow_after: Duration) -> Self {
        Self {
            slow_after,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            shared_hits: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            slow_loads: AtomicU64::new(0),
            slow_by_shared: AtomicU64::new(0),
        }
    }

    /// Counts an answer that was there; gives how many were before it.
    pub(super) fn hit(&self) -> u64 {
        self.hits.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts one that was not.
    pub(super) fn miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    /// Times a load until what is returned is dropped.
    pub(super) fn load(&self) -> Load<'_> {
        Load { measures: self, began: Instant::now(), shared: Duration::ZERO }
    }

    /// All counts now. Not of one instant: each is as exact as its own.
    pub(in crate::pipeline) fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        // The parts before what they are parts of.
        let (slow_by_shared, slow_loads) = (read(&self.slow_by_shared), read(&self.slow_loads));
        Counts {
            hits: read(&self.hits),
            misses: read(&self.misses),
            shared_hits: read(&self.shared_hits),
            loads: read(&self.loads),
            slow_loads,
            slow_by_shared,
        }
    }
}

/// A load under way. Counted when it ends, be it that its caller goes away.
pub(super) struct Load<'a> {
    measures: &'a Measures,
    began: Instant,
    shared: Duration,
}

impl Load<'_> {
    /// Times what is asked of the shared cache by itself. That another node takes long to load is not its fault, so waiting for that is
    /// not to be among it.
    pub(super) async fn of_shared<T>(&mut self, asked: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let answer = asked.await;
        self.shared += began.elapsed();
        answer
    }

    /// The shared cache had it.
    pub(super) fn shared_hit(&self) {
        self.measures.shared_hits.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Load<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.measures.loads.fetch_add(1, Ordering::Relaxed);
        if took > self.measures.slow_after {
            self.measures.slow_loads.fetch_add(1, Ordering::Relaxed);
            if self.shared > took / 2 {
                self.measures.slow_by_shared.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
