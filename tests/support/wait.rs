//! Waiting for something to become true, never for a while.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Asks again and again until there is an answer; fails with `what` after `patience`.
pub(crate) async fn until<T>(what: impl Display, patience: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
