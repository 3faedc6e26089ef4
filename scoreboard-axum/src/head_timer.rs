//! The time that the head of a request may take.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use parking_lot::Mutex;
use tokio::time;

/// A timer of one connection, for hyper, which wants to be woken a while after each request unless the next has come.
///
/// The runtime's timers are set and unset under a lock, which a busy connection would take for each of its requests. This keeps one set, and sets it
/// anew when it goes off for a request that has long come: once in that while, however many come in it.
#[derive(Debug, Clone)]
pub(crate) struct HeadTimer {
    alarm: Arc<Mutex<Pin<Box<time::Sleep>>>>,
}

impl HeadTimer {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { alarm: Arc::new(Mutex::new(Box::pin(time::sleep(timeout)))) }
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Deadline { at: deadline.into(), alarm: self.alarm.clone() })
    }

    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }
}

/// The end of one wait.
struct Deadline {
    at: time::Instant,
    alarm: Arc<Mutex<Pin<Box<time::Sleep>>>>,
}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut alarm = self.alarm.lock();
        loop {
            ready!(alarm.as_mut().poll(cx));
            if alarm.deadline() >= self.at {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(self.at);
        }
    }
}

impl Sleep for Deadline {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_time() {
        const TIMEOUT: Duration = Duration::from_secs(10);
        let timer = HeadTimer::new(TIMEOUT);
        let begun = time::Instant::now();
        // Heads that come in time: the alarm stays as it was set for the first.
        for _ in 0..7 {
            let mut wait = timer.sleep(TIMEOUT);
            tokio::select! {
                () = &mut wait => panic!("the wait ended after {:?}", begun.elapsed()),
                () = time::sleep(Duration::from_secs(4)) => {}
            }
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(28));
        timer.sleep(TIMEOUT).await;
        assert_eq!(begun.elapsed().as_secs(), 38, "no sooner and no later than its own ten seconds");
        timer.sleep(TIMEOUT).await;
        assert_eq!(begun.elapsed().as_secs(), 48);
    }
}
