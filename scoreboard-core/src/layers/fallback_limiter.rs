//! A limiter that all nodes share, and one of this node's own for when it is gone.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::error::{BackendError, Chain};
use crate::limiter::{Cell, Decision, Denials, Quota, RateLimiter, Usage};
use crate::store::Admitted;

const HALF: NonZeroU32 = NonZeroU32::new(2).expect("two is not zero");
const FALLBACKS: &str = "scoreboard_ratelimit_fallbacks_total";

/// A [`RateLimiter`] that asks a shared limiter, and where that fails lets this node decide by itself: stricter, never not at all.
///
/// - While the shared one fails, each quota is divided by the number of nodes. Of an [exact](crate::Algorithm::SlidingLog) one of at most 64, what this node
///   has admitted before counts: who comes to one node, or to all alike, is admitted no more in any stretch than the quota; whoever comes to others just then,
///   their parts besides. Others are counted here from nothing. A quota smaller than the number of nodes stays one for each.
/// - It counts by the shared one's clock, as far ahead of this node's as it was when it answered last.
/// - For a period after the shared one has failed it may have forgotten what it had counted. Until then, what this node knows to have been admitted holds too.
/// - Of quotas that are named to [`halving`](Self::halving), half of that: they stand before what must rather stay shut.
/// - The metric `scoreboard_ratelimit_fallbacks_total` counts such calls.
/// - Who is refused by the shared limiter is refused here until the moment that it named, without asking it again: a flood of one
///   subject costs the shared limiter one call. Of these a bounded number are remembered.
///
/// ```
/// use std::num::NonZeroU32;
/// use std::sync::Arc;
/// use scoreboard_core::memory::MemoryRateLimiter;
/// use scoreboard_core::{Cell, Decision, FallbackLimiter, RateLimiter, Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let shared = MemoryRateLimiter::default();
/// let nodes = NonZeroU32::new(3).ok_or("three")?;
/// let limiter = FallbackLimiter::new(Arc::new(shared), Arc::new(MemoryRateLimiter::default()), nodes);
/// let cells = [Cell { policy: "update", subject: "alice", quota: "10/min".parse()? }];
/// assert!(matches!(limiter.take(&cells, Timestamp::from_millis(0)).await?, Decision::Allowed(_)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FallbackLimiter {
    shared: Arc<dyn RateLimiter>,
    local: Arc<dyn RateLimiter>,
    nodes: NonZeroU32,
    /// The names of the quotas that are halved besides.
    halved: &'static [&'static str],
    denials: Mutex<Denials>,
    /// Whether the last call of the shared limiter failed: so that its going and coming are logged, not each call.
    fallen: AtomicBool,
    /// When it failed last, in milliseconds since 1970.
    failed_at: AtomicI64,
    /// So many milliseconds its clock was ahead of this node's when it answered last.
    ahead: AtomicI64,
}

impl FallbackLimiter {
    /// `shared` decides; where it fails, `local` does, with its part of the quotas of so many nodes.
    #[must_use]
    pub fn new(shared: Arc<dyn RateLimiter>, local: Arc<dyn RateLimiter>, nodes: NonZeroU32) -> Self {
        metrics::describe_counter!(FALLBACKS, "Calls that this node limited by itself, for the shared limiter failed.");
        let (denials, fallen) = (Mutex::default(), AtomicBool::new(false));
        let (failed_at, ahead) = (AtomicI64::new(i64::MIN), AtomicI64::new(0));
        Self { shared, local, nodes, halved: &[], denials, fallen, failed_at, ahead }
    }

    /// Halves the quotas with these names while the shared limiter fails. For those that keep guesses at passwords and tokens few: what a
    /// node counts from nothing is more than the shared limiter would have admitted, and here that is worth more than a login that waits.
    #[must_use]
    pub fn halving(self, policies: &'static [&'static str]) -> Self {
        Self { halved: policies, ..self }
    }

    fn part(&self, Cell { policy, quota, .. }: &Cell<'_>) -> Quota {
        let parts = if self.halved.contains(policy) { self.nodes.saturating_mul(HALF) } else { self.nodes };
        let limit = NonZeroU32::new(quota.limit.get() / parts).unwrap_or(NonZeroU32::MIN);
        Quota { limit, ..*quota }
    }

    async fn decide_here(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Decision, BackendError> {
        metrics::counter!(FALLBACKS).increment(1);
        let parts: Vec<Cell<'_>> = cells.iter().map(|cell| Cell { quota: self.part(cell), ..*cell }).collect();
        self.local.take(&parts, self.shared_time(now)).await
    }

    /// What the shared limiter's clock shows, as far as this node knows.
    fn shared_time(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.as_millis().saturating_add(self.ahead.load(Ordering::Relaxed)))
    }

    /// Counts here what the shared limiter has admitted at this moment of its clock. `Some` if this node knows that it was too much, and why the
    /// shared one may not.
    ///
    /// Otherwise the shared one is right.
    async fn count_along(&self, cells: &[Cell<'_>], at: Timestamp, now: Timestamp) -> Option<Usage> {
        // Those that stores hold, for the same reason.
        let exact = cells.iter().filter(|cell| Admitted::under(cell.quota, at).is_some());
        let exact: Vec<Cell<'_>> = exact.copied().collect();
        if exact.is_empty() {
            return None;
        }
        match self.local.take(&exact, at).await {
            Ok(Decision::Limited(usage)) if self.has_failed_within(usage.quota.period, now) => Some(usage),
            _ => None,
        }
    }

    fn has_failed_within(&self, period: Duration, now: Timestamp) -> bool {
        let ago = now.as_millis().saturating_sub(self.failed_at.load(Ordering::Relaxed)).unsigned_abs();
        u128::from(ago) <= period.as_millis()
    }
}

#[async_trait]
impl RateLimiter for FallbackLimiter {
    async fn take(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Decision, BackendError> {
        if let Some(usage) = self.denials.lock().find(cells, now) {
            return Ok(Decision::Limited(usage));
        }
        match self.shared.take(cells, now).await {
            Ok(decision) => {
                if self.fallen.swap(false, Ordering::Relaxed) {
                    tracing::info!("the shared limiter is back");
                }
                let (Decision::Allowed(Usage { at, .. }) | Decision::Limited(Usage { at, .. })) = decision;
                self.ahead.store(at.as_millis() - now.as_millis(), Ordering::Relaxed);
                match decision {
                    Decision::Limited(usage) => self.denials.lock().keep(cells, usage, now),
                    Decision::Allowed(_) => {
                        if let Some(usage) = self.count_along(cells, at, now).await {
                            // The shared limiter has counted this one, though it is refused: it shall not count those that come behind it.
                            self.denials.lock().keep(cells, usage, now);
                            return Ok(Decision::Limited(usage));
                        }
                    }
                }
                Ok(decision)
            }
            Err(error) => {
                self.failed_at.store(now.as_millis(), Ordering::Relaxed);
                if !self.fallen.swap(true, Ordering::Relaxed) {
                    tracing::warn!(error = %Chain(&error), "the shared limiter is gone; this node counts by itself");
                }
                self.decide_here(cells, now).await
            }
        }
    }
}
