//! Backends that fail as real ones do, by a seed: for tests of what is built on them.

use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::error::{BackendError, ErrorKind};

mod board_cache;
mod broadcaster;
mod score_store;

pub use board_cache::FaultyBoardCache;
pub use broadcaster::FaultyBroadcaster;
pub use score_store::FaultyScoreStore;

/// How often what goes wrong: each a probability from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FaultRates {
    /// A call fails before it did anything: `Unavailable`, `Overloaded` or `Contended`.
    pub before: f64,
    /// A write is not made, and its answer is `OutcomeUnknown`.
    pub lost: f64,
    /// A write is made, and its answer is `OutcomeUnknown`.
    pub after: f64,
    /// A call takes up to three milliseconds longer.
    pub delay: f64,
}

/// The dice of a wrapper.
struct Dice {
    random: Mutex<StdRng>,
    rates: Mutex<FaultRates>,
}

/// What becomes of one call.
enum Fate {
    Works,
    Fails(ErrorKind),
    Lost,
    WorksUnheard,
}

impl Dice {
    fn new(seed: u64, rates: FaultRates) -> Self {
        Self { random: Mutex::new(StdRng::seed_from_u64(seed)), rates: Mutex::new(rates) }
    }

    /// Waits, perhaps, and says how the call ends.
    async fn throw(&self) -> Fate {
        let (delay, fate) = {
            let (mut random, rates) = (self.random.lock(), *self.rates.lock());
            let mut happens = |rate: f64| random.random_bool(rate.clamp(0.0, 1.0));
            let (delayed, before, lost, after) =
                (happens(rates.delay), happens(rates.before), happens(rates.lost), happens(rates.after));
            let kinds = [ErrorKind::Unavailable, ErrorKind::Overloaded, ErrorKind::Contended];
            let kind = *kinds.choose(&mut *random).expect("not empty");
            let fate = match (before, lost, after) {
                (true, _, _) => Fate::Fails(kind),
                (_, true, _) => Fate::Lost,
                (_, _, true) => Fate::WorksUnheard,
                (false, false, false) => Fate::Works,
            };
            (delayed.then(|| Duration::from_micros(random.random_range(0..3000))), fate)
        };
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        fate
    }

    async fn write<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        let unknown = || BackendError::new(ErrorKind::OutcomeUnknown, "faulty", operation);
        match self.throw().await {
            Fate::Works => call.await,
            Fate::Fails(kind) => Err(BackendError::new(kind, "faulty", operation)),
            Fate::Lost => Err(unknown()),
            Fate::WorksUnheard => call.await.and_then(|_| Err(unknown())),
        }
    }

    async fn read<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        match self.throw().await {
            Fate::Fails(kind) => Err(BackendError::new(kind, "faulty", operation)),
            Fate::Works | Fate::Lost | Fate::WorksUnheard => call.await,
        }
    }
}

impl fmt::Debug for Dice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.rates.lock(), f)
    }
}
