//! When to ask again what has failed.

use std::time::Duration;

use crate::id_source::IdSource;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(10);

/// Waits that double from a quarter of a second to ten, each made half to one and a half times as long by chance: what failed for many
/// windows or nodes together is not asked by all of them together again.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It worked.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed: how long to wait, and whether it is the first time in a row.
    pub(super) fn failed(&mut self, ids: &dyn IdSource) -> (Duration, bool) {
        let mut byte = [0];
        ids.fill(&mut byte);
        let wait = FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
        let first = self.failures == 0;
        self.failures = self.failures.saturating_add(1);
        (wait.mul_f64(0.5 + f64::from(byte[0]) / 255.0), first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id_source::RandomIds;

    #[test]
    fn waits_grow_are_bounded_and_begin_again() {
        let mut backoff = Backoff::default();
        let mut middle = FIRST;
        for failure in 0..100 {
            let (wait, first) = backoff.failed(&RandomIds);
            assert!(wait >= middle / 2 && wait <= middle * 3 / 2, "failure {failure}: {wait:?}");
            assert_eq!(first, failure == 0);
            middle = (middle * 2).min(LONGEST);
        }
        backoff.reset();
        let (wait, first) = backoff.failed(&RandomIds);
        assert!(wait <= FIRST * 3 / 2 && first);
    }
}
