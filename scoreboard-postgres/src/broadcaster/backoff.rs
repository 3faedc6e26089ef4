//! How long to wait before the database is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
/// A database that comes back is found again within this.
const LONGEST: Duration = Duration::from_secs(1);

/// Twice as long each time, up to a second.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Backoff {
    /// It worked.
    pub(super) const fn reset(&mut self) {
        self.0 = FIRST;
    }

    /// Whether it failed for the first time since it worked.
    pub(super) fn is_first(&self) -> bool {
        self.0 == FIRST
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST);
    }
}
