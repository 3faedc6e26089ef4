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

const FALLBACKS: &str = "scoreboard_ratelimit_fallbacks_total";

/// A [`RateLimiter`] that asks a shared limiter, and where that fails lets this node decide by itself: stricter, never not at all.
///
/// - While the shared one fails, each quota is divided by the number of nodes, and counted here from nothing: all nodes together then admit at
///   most the quota once more than they had. A quota smaller than the number of nodes stays one for each.
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
    denials: Mutex<Denials>,
    /// Whether the last call of the shared limiter failed: so that its going and coming are logged, not each call.
    fallen: AtomicBool,
}

impl FallbackLimiter {
    /// `shared` decides; where it fails, `local` does, with its part of the quotas of so many nodes.
    #[must_use]
    pub fn new(shared: Arc<dyn RateLimiter>, local: Arc<dyn RateLimiter>, nodes: NonZeroU32) -> Self {
        metrics::describe_counter!(FALLBACKS, "Calls that this node limited by itself, for the shared limiter failed.");
        Self { shared, local, nodes, denials: Mutex::default(), fallen: AtomicBool::new(false) }
    }

    fn part(&self, quota: Quota) -> Quota {
        let limit = NonZeroU32::new(quota.limit.get() / self.nodes).unwrap_or(NonZeroU32::MIN);
        Quota { limit, ..quota }
    }

    async fn decide_here(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Decision, BackendError> {
        metrics::counter!(FALLBACKS).increment(1);
        let parts: Vec<Cell<'_>> = cells.iter().map(|cell| Cell { quota: self.part(cell.quota), ..*cell }).collect();
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
