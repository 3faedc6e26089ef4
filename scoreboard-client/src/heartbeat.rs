//! Whether the server is still there.

use std::time::Duration;

use scoreboard_core::IdSource;
use tokio::time::{Instant, sleep_until};

use crate::backoff::fraction;

/// How often a server that does not say is asked for a sign of life.
const INTERVAL: Duration = Duration::from_secs(25);

/// What a server may ask for, so that none makes a client flood it, or never look.
const ALLOWED: std::ops::RangeInclusive<u64> = 1..=300;

/// When to ask for a sign of life, and when to give up.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    answer: Duration,
    /// An answer is waited for.
    asked: bool,
    due: Instant,
}

/// What to do when a heartbeat is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Ask.
    Ask,
    /// Nothing was heard though it was asked.
    Dead,
}

impl Heartbeat {
    /// Waits for the server's first message.
    pub(crate) fn new(answer: Duration) -> Self {
        Self { interval: INTERVAL, answer, asked: true, due: Instant::now() + answer }
    }

    /// The server said how often it listens.
    pub(crate) fn every(&mut self, seconds: u64) {
        if ALLOWED.contains(&seconds) {
            self.interval = Duration::from_secs(seconds);
        }
    }

    /// Something was heard: anything is a sign of life. A tenth either way keeps clients that came together from beating together.
    pub(crate) fn heard(&mut self, ids: &dyn IdSource) {
        self.asked = false;
        self.due = Instant::now() + self.interval.mul_f64(0.9 + 0.2 * fraction(ids));
    }

    /// Waits until it is time, and says for what.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub(crate) async fn due(&mut self) -> Beat {
        sleep_until(self.due).await;
        if self.asked {
            return Beat::Dead;
        }
        self.asked = true;
        self.due = Instant::now() + self.answer;
        Beat::Ask
    }
}

#[cfg(test)]
mod tests {
    use scoreboard_core::RandomIds;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_is_asked_and_then_given_up() {
        let began = Instant::now();
        let mut heartbeat = Heartbeat::new(Duration::from_secs(10));
        heartbeat.every(20);
        heartbeat.heard(&RandomIds);
        assert_eq!(heartbeat.due().await, Beat::Ask);
        let asked = began.elapsed().as_secs_f64();
        assert!((17.9..=22.1).contains(&asked), "{asked}");
        heartbeat.heard(&RandomIds);
        assert_eq!(heartbeat.due().await, Beat::Ask);
        let again = Instant::now();
        assert_eq!(heartbeat.due().await, Beat::Dead);
        assert_eq!(again.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_speaks_is_given_up_and_none_decides_that_nobody_looks() {
        assert_eq!(Heartbeat::new(Duration::from_secs(10)).due().await, Beat::Dead);
        let mut heartbeat = Heartbeat::new(Duration::from_secs(10));
        for seconds in [0, u64::MAX] {
            heartbeat.every(seconds);
            assert_eq!(heartbeat.interval, INTERVAL);
        }
    }
}
