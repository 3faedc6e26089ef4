//! Where a board is, asked of the store once for all windows that want to know at the same time.

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::BackendError;

/// The last time that the store was asked where a board is, and whether it answered.
///
/// A store that answers from memory learns by being asked, for whoever reads after that. So it is of no use that each of a thousand
/// windows asks by itself: of those that want to know at the same time, one asks, and the others read after its answer.
#[derive(Debug, Default)]
pub(super) struct Whereabouts(Mutex<Option<(Instant, Result<(), BackendError>)>>);

impl Whereabouts {
    /// Returns once the store was asked later than at `since`: by `ask`, or by another who waited just as long.
    ///
    /// # Errors
    ///
    /// That of who asked: to a store that is silent, a thousand do not wait in turn.
    ///
    /// # Cancel safety
    ///
    /// The next who waits asks.
    pub(super) async fn asked_after(
        &self,
        since: Instant,
        ask: impl Future<Output = Result<(), BackendError>>,
    ) -> Result<(), BackendError> {
        let mut last = self.0.lock().await;
        if let Some((began, outcome)) = &*last
            && *began > since
        {
            return outcome.clone();
        }
        let began = Instant::now();
        let outcome = ask.await;
        *last = Some((began, outcome.clone()));
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::error::ErrorKind;

    #[tokio::test]
    async fn those_who_want_to_know_at_once_ask_twice_at_the_most() {
        let (whereabouts, asked) = (Arc::new(Whereabouts::default()), Arc::new(AtomicUsize::new(0)));
        let all: Vec<_> = (0..200)
            .map(|_| {
                let (whereabouts, asked) = (whereabouts.clone(), asked.clone());
                tokio::spawn(async move {
                    let since = Instant::now();
                    let mut began = None;
                    let ask = async {
                        began = Some(Instant::now());
                        asked.fetch_add(1, Ordering::SeqCst);
                        sleep(Duration::from_millis(20)).await;
                        Err(BackendError::new(ErrorKind::Unavailable, "test", "board"))
                    };
                    whereabouts.asked_after(since, ask).await.expect_err("all are told");
                    assert!(began.is_none_or(|began| began >= since));
                })
            })
            .collect();
        for one in all {
            one.await.expect("it holds");
        }
        assert!(asked.load(Ordering::SeqCst) <= 2, "{asked:?}");
        // Who comes later asks again; who is content with what was asked a moment ago does not.
        let ask = || async {
            asked.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let before = asked.load(Ordering::SeqCst);
        whereabouts.asked_after(Instant::now(), ask()).await.expect("it answers");
        whereabouts.asked_after(Instant::now() - Duration::from_secs(5), ask()).await.expect("it answered");
        assert_eq!(asked.load(Ordering::SeqCst), before + 1);
    }
}
