//! When to come again, and whether.

use std::time::Duration;

use scoreboard_core::IdSource;

use crate::config::ClientConfig;

/// What a code says with which the server closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Come again.
    Again,
    /// Come again, but not all at once.
    Spread,
    /// Do not.
    Never,
}

/// 4500 to 4999 are final. 1012 is a server that restarts. All else comes again: 4000 to 4499, and what networks and proxies do.
pub(crate) const fn verdict_of(code: u16) -> Verdict {
    match code {
        4500..=4999 => Verdict::Never,
        1012 => Verdict::Spread,
        _ => Verdict::Again,
    }
}

/// How long to wait before trying again: any time between none and a bound that doubles with each attempt, and is no lower than
/// `at_least`. Clients that lost the same server at the same instant come back spread over the whole span instead of together.
///
/// It is `random_between(0, min(cap, base * 2 ** attempt))`, "full jitter" in Marc Brooker's *Exponential Backoff And Jitter*, AWS
/// Architecture Blog, 2015.
pub(crate) fn full_jitter(ids: &dyn IdSource, config: &ClientConfig, attempt: u32, at_least: Duration) -> Duration {
    let doubled = config.first_wait.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX));
    doubled.min(config.longest_wait).max(at_least).mul_f64(fraction(ids))
}

/// A number from 0 up to 1.
pub(crate) fn fraction(ids: &dyn IdSource) -> f64 {
    let mut bytes = [0; 4];
    ids.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use scoreboard_core::RandomIds;

    use super::*;

    #[test]
    fn codes_are_judged_by_their_range() {
        use Verdict::{Again, Never, Spread};
        for (code, verdict) in [
            (1000, Again),
            (1006, Again),
            (1011, Again),
            (1012, Spread),
            (4008, Again),
            (4499, Again),
            (4500, Never),
            (4501, Never),
            (4999, Never),
            (5000, Again),
        ] {
            assert_eq!(verdict_of(code), verdict, "{code}");
        }
    }

    #[test]
    fn waits_fill_a_span_that_doubles_to_a_bound() {
        let config = ClientConfig::default();
        for (attempt, at_least, bound) in
            [(0, 0, 500), (1, 0, 1000), (5, 0, 16_000), (6, 0, 20_000), (90, 0, 20_000), (0, 5000, 5000)]
        {
            let bound = Duration::from_millis(bound);
            let draw = || full_jitter(&RandomIds, &config, attempt, Duration::from_millis(at_least));
            let waits: Vec<_> = std::iter::repeat_with(draw).take(2000).collect();
            let (least, most) = (waits.iter().min().expect("some"), waits.iter().max().expect("some"));
            assert!(*most <= bound && *most > bound.mul_f64(0.9), "{attempt}: {most:?} of {bound:?}");
            assert!(*least < bound.mul_f64(0.1), "{attempt}: {least:?} of {bound:?}");
        }
    }
}
