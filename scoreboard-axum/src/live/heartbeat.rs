//! Whether the other side is still there.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::LiveConfig;

/// When to ask for a sign of life, and when to give up.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    answer: Duration,
    asked: bool,
    due: Instant,
    /// Set anew only when it is over: what is heard or sent in between costs the timer nothing.
    timer: Pin<Box<Sleep>>,
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
    /// `share` (0 to 1) makes the interval up to a fifth shorter than the configured one, so that many connections do not ask at once, and none is
    /// noticed late.
    pub(crate) fn new(config: &LiveConfig, share: f64) -> Self {
        let interval = config.heartbeat.mul_f64(0.8 + 0.2 * share);
        let due = Instant::now() + interval;
        Self { interval, answer: config.heartbeat_answer, asked: false, due, timer: Box::pin(sleep_until(due)) }
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
        if self.timer.deadline() > self.due {
            self.timer.as_mut().reset(self.due);
        }
        loop {
            self.timer.as_mut().await;
            if Instant::now() >= self.due {
                break;
            }
            self.timer.as_mut().reset(self.due);
        }
        if self.asked {
            return Beat::Dead;
        }
        self.asked = true;
        self.due = Instant::now() + self.answer;
        self.timer.as_mut().reset(self.due);
        Beat::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_is_noticed_within_35_seconds() {
        for share in [0.0, 0.5, 1.0] {
            let (began, mut heartbeat) = (Instant::now(), Heartbeat::new(&LiveConfig::default(), share));
            while heartbeat.due().await != Beat::Dead {}
            assert!(began.elapsed() <= Duration::from_secs(35), "{:?}", began.elapsed());
        }
    }
}
