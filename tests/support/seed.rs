//! Randomness that a failure tells how to repeat.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const VARIABLE: &str = "SCOREBOARD_TEST_SEED";

/// A generator whose seed is printed if the test fails.
#[derive(Debug)]
pub(crate) struct Seeded {
    seed: u64,
    rng: StdRng,
}

impl Seeded {
    /// From the seed in the environment, or a new one.
    pub(crate) fn new() -> Self {
        let seed = match std::env::var(VARIABLE) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{VARIABLE} must be a number, not `{text}`")),
            Err(_) => rand::random(),
        };
        Self { seed, rng: StdRng::seed_from_u64(seed) }
    }

    /// How to have the same numbers again.
    pub(crate) fn told(&self) -> String {
        format!("{VARIABLE}={}", self.seed)
    }

    /// A number of this range.
    pub(crate) fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.rng.random_range(range)
    }
}

impl Drop for Seeded {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat with {}", self.told());
        }
    }
}
