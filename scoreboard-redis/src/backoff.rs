//! How long to wait before the next attempt.

use std::time::Duration;

use scoreboard_core::IdSource;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Doubles from 50 milliseconds to 2 seconds; each wait is anything between nothing and that, so that nodes that lost one server do not
/// come back as one.
#[derive(Debug)]
pub(crate) struct Backoff {
    ceiling: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { ceiling: FIRST }
    }

    pub(crate) fn next(&mut self, ids: &dyn IdSource) -> Duration {
        let wait = self.ceiling.mul_f64(share(ids));
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        wait
    }
}

/// From 0 to 1.
pub(crate) fn share(ids: &dyn IdSource) -> f64 {
    let mut bytes = [0; 4];
    ids.fill(&mut bytes);
    f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use scoreboard_core::testing::SeededIds;

    use super::*;

    #[test]
    fn waits_are_spread_and_bounded() {
        let ids = SeededIds::new(1);
        for _ in 0..100 {
            let mut backoff = Backoff::new();
            assert!(backoff.next(&ids) <= FIRST);
            for _ in 0..100 {
                assert!(backoff.next(&ids) <= LONGEST);
            }
        }
        let mut backoff = Backoff { ceiling: LONGEST };
        let waits: std::collections::BTreeSet<_> = (0..20).map(|_| backoff.next(&ids)).collect();
        assert_eq!(waits.len(), 20, "no two nodes wait the same");
    }
}
