//! One load for all who want the same thing at the same time.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::hash::Hash;
use std::panic::resume_unwind;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::OnceCell;
use tracing::Instrument;

/// Loads under way, by key. Nothing is kept once it has landed: this is no cache.
///
/// Who comes while a load of the key is under way waits for it and shares its value. If the load fails, or its caller is
/// dropped, the next of those that wait runs its own: nobody is given another's error, and never are two under way at once.
pub(crate) struct Flights<K, V> {
    under_way: Mutex<HashMap<K, Flight<V>>>,
}

struct Flight<V> {
    value: Arc<OnceCell<V>>,
    aboard: usize,
}

impl<K, V> Default for Flights<K, V> {
    fn default() -> Self {
        Self { under_way: Mutex::new(HashMap::new()) }
    }
}

impl<K, V> fmt::Debug for Flights<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("under_way", &self.under_way.lock().len()).finish()
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Flights<K, V> {
    /// The value of `load`, or of another caller's that was under way for this key.
    ///
    /// Another's load may have started before this call did, so its value may lack what happened in between: who must have
    /// that compares versions and calls again.
    ///
    /// # Errors
    ///
    /// That of the caller's own `load`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped while its load runs, one of those that wait starts over.
    pub(crate) async fn run<E, F>(&self, key: K, load: impl FnOnce() -> F) -> Result<V, E>
    where
        F: Future<Output = Result<V, E>>,
    {
        let seat = self.board(key);
        seat.value.get_or_try_init(load).await.cloned()
    }

    /// Whether somebody loads this key now.
    pub(crate) fn is_under_way(&self, key: &K) -> bool {
        self.under_way.lock().contains_key(key)
    }

    fn board(&self, key: K) -> Seat<'_, K, V> {
        let mut under_way = self.under_way.lock();
        let flight = under_way.entry(key.clone()).or_insert_with(|| Flight { value: Arc::default(), aboard: 0 });
        flight.aboard += 1;
        Seat { flights: self, key, value: Arc::clone(&flight.value) }
    }
}

/// Runs this in a task of its own. Who asks may be put aside in the middle, as a watcher is whose client takes nothing; those that wait for the same
/// must not wait for that one.
///
/// # Cancel safety
///
/// If the future is dropped, the task goes on to its end.
pub(crate) async fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(work.in_current_span()).await {
        Ok(value) => value,
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => resume_unwind(panic),
            // The runtime is going down, and this with it.
            Err(_) => pending().await,
        },
    }
}

/// A caller's share in a flight.
struct Seat<'a, K: Eq + Hash, V> {
    flights: &'a Flights<K, V>,
    key: K,
    value: Arc<OnceCell<V>>,
}

impl<K: Eq + Hash, V> Drop for Seat<'_, K, V> {
    fn drop(&mut self) {
        let mut under_way = self.flights.under_way.lock();
        // Once it has landed, another flight may have taken the key.
        let Some(flight) = under_way.get_mut(&self.key).filter(|flight| Arc::ptr_eq(&flight.value, &self.value)) else {
            return;
        };
        flight.aboard -= 1;
        if flight.aboard == 0 || flight.value.initialized() {
            under_way.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use futures_util::future::{join_all, pending};
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn those_who_come_together_share_one_load() {
        let flights = Flights::<&str, u32>::default();
        let loads = AtomicUsize::new(0);
        let load = || async {
            loads.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(7)
        };
        let together = join_all((0..100).map(|_| flights.run("a", load))).await;
        assert!(together.iter().all(|value| *value == Ok(7)));
        assert_eq!(loads.load(Ordering::Relaxed), 1);
        assert_eq!(flights.run("a", load).await, Ok(7));
        assert_eq!(loads.load(Ordering::Relaxed), 2, "what has landed is not kept");
        assert!(flights.under_way.lock().is_empty());
    }

    #[tokio::test]
    async fn an_error_is_its_callers_alone() {
        let flights = Flights::<&str, u32>::default();
        let start = Notify::new();
        let mut first = Box::pin(flights.run("a", || async {
            start.notified().await;
            Err::<u32, _>("broken")
        }));
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = Box::pin(flights.run("a", || async { Ok::<_, &str>(8) }));
        assert!(second.as_mut().now_or_never().is_none());
        start.notify_one();
        assert_eq!(first.await, Err("broken"));
        assert_eq!(second.await, Ok(8));
        assert!(flights.under_way.lock().is_empty());
    }

    #[tokio::test]
    async fn another_takes_over_from_one_that_is_dropped() {
        let flights = Flights::<&str, u32>::default();
        let mut first = Box::pin(flights.run("a", pending::<Result<u32, Infallible>>));
        assert!(first.as_mut().now_or_never().is_none());
        let mut waiting: Vec<_> =
            (0..3).map(|_| Box::pin(flights.run("a", || async { Ok::<_, Infallible>(9) }))).collect();
        for future in &mut waiting {
            assert!(future.as_mut().now_or_never().is_none());
        }
        drop(waiting.remove(0));
        drop(first);
        assert_eq!(join_all(waiting).await, [Ok(9), Ok(9)]);
        assert!(flights.under_way.lock().is_empty());
    }

    #[tokio::test]
    async fn keys_do_not_wait_for_each_other() {
        let flights = Flights::<&str, u32>::default();
        let mut first = Box::pin(flights.run("a", pending::<Result<u32, Infallible>>));
        assert!(first.as_mut().now_or_never().is_none());
        let other = flights.run("b", || async { Ok::<_, Infallible>(1) }).now_or_never();
        assert_eq!(other, Some(Ok(1)));
        assert_eq!(flights.under_way.lock().len(), 1);
    }
}
