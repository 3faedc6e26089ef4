//! Numbers as they fall.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Draws that a seed repeats.
#[derive(Debug)]
pub(crate) struct Chance(StdRng);

impl Chance {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        Self(StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ stream))
    }

    /// From 0 to 1, without 1.
    pub(crate) fn unit(&mut self) -> f64 {
        self.0.random_range(0.0..1.0)
    }

    /// Whether something happens that does so with this probability.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.random_range(0..end)
    }

    /// By Box and Muller.
    pub(crate) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let (a, b) = (1.0 - self.unit(), self.unit());
        mean + deviation * (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// With this median; the logarithm has this standard deviation.
    pub(crate) fn log_normal(&mut self, median: f64, deviation: f64) -> f64 {
        median * self.normal(0.0, deviation).exp()
    }

    /// At least 1, with this mean.
    pub(crate) fn geometric(&mut self, mean: f64) -> u32 {
        let drawn = (1.0 - self.unit()).ln() / (1.0 - 1.0 / mean.max(1.000_001)).ln();
        1 + drawn.min(1e6) as u32
    }
}
