//! Whether the other side is still there.

use std::time::Duration;

use tokio::time::Instant;

use crate::LiveConfig;

/// When to ask for a sign of life, and when to give up.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    answer: Duration,
    asked: bool,
    due: Instant,
}

/// What to do when a heartbeat is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// Ask.
    Ping,
    /// Nothing was heard though it was asked.
    Dead,
}

impl Heartbeat {
    /// `share` (0 to 1) puts the interval within ± 20 % of the configured one, so that many connections do not ask at once.
    pub(crate) fn new(config: &LiveConfig, share: f64) -> Self {
        let interval = config.heartbeat.mul_f64(0.8 + 0.4 * share);
        Self { interval, answer: config.heartbeat_answer, asked: false, due: Instant::now() + interval }
    }

    /// Something was heard: any message is a sign of life.
    pub(crate) fn heard(&mut self) {
        self.asked = false;
        self.due = Instant::now() + self.interval;
    }

    /// Waits until it is time, and says for what.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub(crate) async fn due(&mut self) -> Beat {
        tokio::time::sleep_until(self.due).await;
        if self.asked {
            return Beat::Dead;
        }
        self.asked = true;
        self.due = Instant::now() + self.answer;
        Beat::Ping
    }
}
