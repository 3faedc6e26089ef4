//! A limiter that all nodes share, and one of this node's own for when it is gone.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::error::{BackendError, Chain};
use crate::limiter::{Cell, Decision, Quota, RateLimiter};

mod denials;

use denials::Denials;

const HALF: NonZeroU32 = NonZeroU32::new(2).expect("two is not zero");
const FALLBACKS: &str = "scoreboard_ratelimit_fallbacks_total";

/// A [`RateLimiter`] that asks a shared limiter, and where that fails lets this node decide by itself: stricter, never not at all.
///
/// - While the shared one fails, each quota is divided by the number of nodes, and counted here from nothing: all nodes together then admit at
///   most the quota once more than they had. A quota smaller than the number of nodes stays one for each.
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
}

impl FallbackLimiter {
    /// `shared` decides; where it fails, `local` does, with its part of the quotas of so many nodes.
    #[must_use]
    pub fn new(shared: Arc<dyn RateLimiter>, local: Arc<dyn RateLimiter>, nodes: NonZeroU32) -> Self {
        metrics::describe_counter!(FALLBACKS, "Calls that this node limited by itself, for the shared limiter failed.");
        Self { shared, local, nodes, halved: &[], denials: Mutex::default(), fallen: AtomicBool::new(false) }
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
        self.local.take(&parts, now).await
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
                if let Decision::Limited(usage) = decision {
                    self.denials.lock().keep(cells, usage, now);
                }
                Ok(decision)
            }
            Err(error) => {
                if !self.fallen.swap(true, Ordering::Relaxed) {
                    tracing::warn!(error = %Chain(&error), "the shared limiter is gone; this node counts by itself");
                }
                self.decide_here(cells, now).await
            }
        }
    }
}
