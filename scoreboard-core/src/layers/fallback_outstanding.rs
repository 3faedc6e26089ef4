//! A count of actions under way that all nodes share, and one of this node's own for when it is gone.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::{BackendError, Chain};
use crate::fraud::{OutstandingAction, OutstandingActions, Started};
use crate::ids::{ActionId, UserId};

const FALLBACKS: &str = "scoreboard_outstanding_fallbacks_total";

/// An [`OutstandingActions`] that asks a shared count, and where that fails goes by what this node has counted itself.
///
/// - Nobody is refused because the shared one is gone. Until it is back, a user may have so many under way at each node.
/// - This node counts along all the time, so what was started here before the shared one went is known here then. What was handed in elsewhere
///   meanwhile is not: who waits for it has it [looked up](crate::Scoreboard::issue).
/// - The metric `scoreboard_outstanding_fallbacks_total` counts such calls.
///
/// ```
/// use std::num::NonZeroU32;
/// use std::sync::Arc;
/// use std::time::Duration;
/// use scoreboard_core::memory::MemoryOutstanding;
/// use scoreboard_core::{ActionId, FallbackOutstanding, OutstandingAction, OutstandingActions, Started, Timestamp, UserId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let shared = MemoryOutstanding::default();
/// let outstanding = FallbackOutstanding::new(Arc::new(shared), Arc::new(MemoryOutstanding::default()));
/// let action = OutstandingAction { id: ActionId::from_bytes([1; 16]), expires_in: Duration::from_secs(600) };
/// let user = UserId::for_name("example", "alice");
/// assert_eq!(outstanding.start(user, action, NonZeroU32::MIN, Timestamp::from_millis(0)).await?, Started::Counted);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FallbackOutstanding {
    shared: Arc<dyn OutstandingActions>,
    local: Arc<dyn OutstandingActions>,
    /// Whether the last call of the shared count failed: so that its going and coming are logged, not each call.
    fallen: AtomicBool,
}

impl FallbackOutstanding {
    /// `shared` decides; where it fails, `local` does.
    #[must_use]
    pub fn new(shared: Arc<dyn OutstandingActions>, local: Arc<dyn OutstandingActions>) -> Self {
        metrics::describe_counter!(
            FALLBACKS,
            "Actions under way that this node counted by itself, for the shared count failed."
        );
        Self { shared, local, fallen: AtomicBool::new(false) }
    }
}

#[async_trait]
impl OutstandingActions for FallbackOutstanding {
    async fn start(
        &self,
        user: UserId,
        action: OutstandingAction,
        max: NonZeroU32,
        now: Timestamp,
    ) -> Result<Started, BackendError> {
        let started = match self.shared.start(user, action, max, now).await {
            Ok(started) => started,
            Err(error) => {
                if !self.fallen.swap(true, Ordering::Relaxed) {
                    tracing::warn!(error = %Chain(&error), "the shared count of actions under way is gone; this node counts by itself");
                }
                metrics::counter!(FALLBACKS).increment(1);
                return self.local.start(user, action, max, now).await;
            }
        };
        if self.fallen.swap(false, Ordering::Relaxed) {
            tracing::info!("the shared count of actions under way is back");
        }
        if started == Started::Counted {
            // For when the shared one is gone. That this node takes for full what is not, for it has not heard of all that was handed in
            // elsewhere, changes nothing now.
            let _ = self.local.start(user, action, max, now).await;
        }
        Ok(started)
    }

    fn finish(&self, user: UserId, action: ActionId) {
        self.shared.finish(user, action);
        self.local.finish(user, action);
    }
}
