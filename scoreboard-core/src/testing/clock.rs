//! A clock that stands still until it is told to move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};

/// A [`Clock`] for tests. Clones share one time.
///
/// ```
/// use std::time::Duration;
/// use scoreboard_core::Clock;
/// use scoreboard_core::testing::ManualClock;
/// let clock = ManualClock::default();
/// let (seen, start) = (clock.clone(), clock.now());
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(seen.now(), start.plus(Duration::from_secs(60)));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Where a clock starts if nothing else is said: 2023-11-14T22:13:20Z.
    pub const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_millis())))
    }

    /// Moves on by `duration`; what is shorter than a millisecond is dropped.
    pub fn advance(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).expect("tests advance by less than 292 million years");
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    /// Puts the clock at `now`, be it forwards or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(Self::START)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
