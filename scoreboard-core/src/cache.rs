//! Encoded answers, kept with the version at which they are true.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock::Timestamp;
use crate::ids::BoardId;
use crate::version::Position;

/// Which answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// The board whose floor decides whether an entry is fresh.
    pub board: BoardId,
    /// Which view of the board: the same text for the same question, another for any other.
    pub view: Arc<str>,
}

/// An encoded answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cached {
    /// When it is true.
    pub position: Position,
    /// The answer as it goes over the wire. Cloning shares it.
    pub bytes: Bytes,
}

/// An answer that a cache has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The answer.
    pub answer: Cached,
    /// For how long it may still be served if its board does not move: never more than is left of its lifetime.
    pub fresh_for: Duration,
}

/// Whether to load an answer that no cache has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Lease {
    /// Load it and put it.
    Granted,
    /// Somebody else does, or has since it was looked for: look again soon.
    Held,
}

/// Keeps derived, versioned answers that may be lost at any time.
///
/// A cache never decides what is true. Each board has a **floor**: the newest position that the cache was told of. An entry
/// below the floor is a miss, so an old fill that lands after an invalidation can never be served.
///
/// Its calls cannot fail a caller: what does not work is a miss, or is skipped.
#[async_trait]
pub trait BoardCache: fmt::Debug + Send + Sync + 'static {
    /// The answer, unless it is absent, expired at `now`, or below its board's floor.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Hit>;

    /// Asks for the leave to load an answer that was missed, so that of all processes that share the cache one loads (leases as in
    /// Nishtala et al., *Scaling Memcache at Facebook*, NSDI 2013, §3.2.1).
    ///
    /// - Once granted, it may be held until the next [`put`](Self::put) of the key, for `patience` at the most.
    /// - What is there by now need not be loaded: it is not granted for that, if the cache can tell.
    /// - A cache that is not shared, or cannot tell, grants it to all.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the lease may be held for `patience` by nobody.
    async fn lease(&self, key: &CacheKey, now: Timestamp, patience: Duration) -> Lease;

    /// Keeps the answer for `lifetime`, unless it is below its board's floor or a newer one is there already.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the answer was kept or was not.
    async fn put(&self, key: CacheKey, answer: Cached, now: Timestamp, lifetime: Duration);

    /// Raises the board's floor; a lower position than the present floor changes nothing.
    ///
    /// Once it returns, no `get` that starts answers anything older.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the floor was raised or was not: call again.
    async fn raise_floor(&self, board: &BoardId, floor: Position);
}
