//! Waiting for something to become true, never for a while.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Asks again and again until there is an answer; fails with `what` after `patience`.
pub(crate) async fn until<T>(what: impl Display, patience: Duration, ask: impl AsyncFnMut() -> Option<T>) -> T {
    let answer = timeout(patience, eventually(ask)).await;
    answer.unwrap_or_else(|_| panic!("not within {patience:?}: {what}"))
}
