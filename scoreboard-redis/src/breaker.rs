//! The circuit breaker: who does not answer is not asked again by everyone.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::measures::BREAKER;

/// Opens after a number of failures in a row. While it is open, one call in each interval is let through; the first that succeeds closes
/// it.
///
/// There is no state "half open" that a caller who goes away could leave behind: a probe is only a moment at which the next one may
/// begin.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: Mutex<State>,
    max_failures: u32,
    probe_interval: Duration,
    gauge: Gauge,
}

#[derive(Debug)]
enum State {
    Closed { failures: u32 },
    Open { probe_at: Instant },
}

/// The metric `scoreboard_breaker_state`: 0 closed, 1 open.
struct Gauge(metrics::Gauge);

impl std::fmt::Debug for Gauge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gauge")
    }
}

impl Breaker {
    pub(crate) fn new(max_failures: u32, probe_interval: Duration) -> Self {
        let gauge = Gauge(metrics::gauge!(BREAKER, "backend" => "redis"));
        gauge.0.set(0.0);
        let state = Mutex::new(State::Closed { failures: 0 });
        Self { state, max_failures: max_failures.max(1), probe_interval, gauge }
    }

    /// Whether a call may be made now.
    pub(crate) fn admits(&self) -> bool {
        match &mut *self.state.lock() {
            State::Closed { .. } => true,
            State::Open { probe_at } => {
                let now = Instant::now();
                let due = *probe_at <= now;
                if due {
                    *probe_at = now + self.probe_interval;
                }
                due
            }
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.state.lock(), State::Open { .. })
    }

    /// A call succeeded. True if that closed the breaker.
    pub(crate) fn succeeded(&self) -> bool {
        let mut state = self.state.lock();
        let was_open = matches!(*state, State::Open { .. });
        *state = State::Closed { failures: 0 };
        if was_open {
            self.gauge.0.set(0.0);
        }
        was_open
    }

    /// A call failed. True if that opened the breaker.
    pub(crate) fn failed(&self) -> bool {
        let mut state = self.state.lock();
        let State::Closed { failures } = &mut *state else { return false };
        *failures += 1;
        let opens = *failures >= self.max_failures;
        if opens {
            *state = State::Open { probe_at: Instant::now() + self.probe_interval };
            self.gauge.0.set(1.0);
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_only() {
        let breaker = Breaker::new(3, SECOND);
        for _ in 0..10 {
            assert!(!breaker.failed() && !breaker.failed());
            assert!(!breaker.succeeded(), "it was not open");
        }
        assert!(!breaker.failed() && !breaker.failed() && breaker.failed());
        assert!(breaker.is_open() && !breaker.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_an_interval_probes_and_a_success_closes() {
        let breaker = Breaker::new(1, SECOND);
        assert!(breaker.failed());
        for _ in 0..5 {
            tokio::time::advance(SECOND - Duration::from_millis(1)).await;
            assert!(!breaker.admits(), "the interval is not over");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(breaker.admits(), "one probes");
            assert!(!breaker.admits(), "the others do not");
            // Whether the probe fails or its caller goes away, the next comes an interval later.
            assert!(!breaker.failed(), "it was open already");
        }
        assert!(breaker.succeeded());
        assert!(breaker.admits() && !breaker.is_open());
    }
}
