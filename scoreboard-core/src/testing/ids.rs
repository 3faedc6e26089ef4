//! Ids and secrets that a seed repeats.

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::id_source::IdSource;

/// An [`IdSource`] for tests: the same seed gives the same bytes in the same order.
///
/// ```
/// use scoreboard_core::IdSourceExt;
/// use scoreboard_core::testing::SeededIds;
/// assert_eq!(SeededIds::new(7).secret(), SeededIds::new(7).secret());
/// assert_ne!(SeededIds::new(7).secret(), SeededIds::new(8).secret());
/// ```
#[derive(Debug)]
pub struct SeededIds(Mutex<StdRng>);

impl SeededIds {
    /// A source that starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl IdSource for SeededIds {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().fill_bytes(bytes);
    }
}
