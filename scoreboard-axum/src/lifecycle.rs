//! From start to end: starting, ready, draining.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Where a server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Starting,
    Ready,
    Draining { until: Instant },
}

/// Whether a server wants traffic. Clones share one state.
///
/// A new one is starting: `/health/ready` answers 503. [`ready`](Self::ready) makes it 200, and a drain 503 again, for good.
///
/// ```
/// use std::time::Duration;
/// let lifecycle = scoreboard_axum::Lifecycle::default();
/// assert!(!lifecycle.is_ready());
/// lifecycle.ready();
/// assert!(lifecycle.is_ready());
/// lifecycle.drain(Duration::from_secs(10));
/// lifecycle.ready();
/// assert!(!lifecycle.is_ready());
/// ```
#[derive(Debug, Clone)]
pub struct Lifecycle {
    stage: Arc<watch::Sender<Stage>>,
    /// Whether that is a drain: asked by every request, which takes no lock for it.
    draining: Arc<AtomicBool>,
    /// Counts the live connections.
    live: TaskTracker,
}

impl Default for Lifecycle {
    fn default() -> Self {
        let stage = Arc::new(watch::Sender::new(Stage::Starting));
        Self { stage, draining: Arc::default(), live: TaskTracker::new() }
    }
}

impl Lifecycle {
    /// Everything is warm: send traffic.
    pub fn ready(&self) {
        self.stage.send_if_modified(|stage| {
            let starting = *stage == Stage::Starting;
            if starting {
                *stage = Stage::Ready;
            }
            starting
        });
    }

    /// Whether traffic is wanted.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.stage.borrow() == Stage::Ready
    }

    /// Begins to end: no new live connections, and those that are open are closed, spread evenly over `window`. A repeat changes
    /// nothing.
    ///
    /// [`serve`](crate::serve) does it by itself; whoever serves the router in another way calls this when it shuts down.
    pub fn drain(&self, window: Duration) {
        self.draining.store(true, Ordering::Relaxed);
        self.stage.send_if_modified(|stage| {
            let draining = matches!(stage, Stage::Draining { .. });
            if !draining {
                *stage = Stage::Draining { until: Instant::now() + window };
            }
            !draining
        });
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Returns once this share (0 to 1) of the drain window is over; never, while there is no drain.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub(crate) async fn drained(&self, share: f64) {
        let mut stage = self.stage.subscribe();
        let draining = stage.wait_for(|stage| matches!(stage, Stage::Draining { .. })).await.map(|stage| *stage);
        let Ok(Stage::Draining { until }) = draining else {
            // The sender lives as long as `self`.
            return std::future::pending().await;
        };
        let window = until.saturating_duration_since(Instant::now());
        tokio::time::sleep(window.mul_f64(share)).await;
    }

    /// Marks a live connection as open as long as the token is held.
    pub(crate) fn live_token(&self) -> TaskTrackerToken {
        self.live.token()
    }

    /// Returns once no live connection is open.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub(crate) async fn live_ended(&self) {
        self.live.close();
        self.live.wait().await;
    }
}
