//! Whether what is seldom looked at has something to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// Wakes a task, and remembers that it did. What is polled behind it is polled again only once it has called: of a task that is woken a
/// hundred times a second for one thing, all else that it waits for costs one look at a flag.
#[derive(Debug)]
pub(crate) struct Alarm {
    bell: Arc<Bell>,
    /// Made once, of the bell.
    waker: Waker,
}

#[derive(Debug)]
struct Bell {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Default for Alarm {
    /// Rings at first: nothing has been looked at.
    fn default() -> Self {
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: AtomicWaker::new() });
        let waker = Waker::from(bell.clone());
        Self { bell, waker }
    }
}

impl Alarm {
    /// Has everything looked at the next time.
    pub(crate) fn set(&self) {
        self.bell.rung.store(true, Ordering::Release);
    }

    /// Polls, if it has rung since; else nothing has changed. What is ready is to be [looked at](Self::set) again.
    pub(crate) fn poll<T>(&self, cx: &Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        // Known to the bell first: what rings after the flag is taken wakes the task.
        self.bell.task.register(cx.waker());
        if !self.bell.rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        poll(&mut Context::from_waker(&self.waker))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_looked_at_before_it_rings_and_nothing_is_missed() {
        let (alarm, looks) = (Alarm::default(), Cell::new(0));
        let (sender, mut said) = mpsc::channel(1);
        let (poke, mut poked) = mpsc::channel::<()>(1);
        let heard = poll_fn(|cx| {
            // Woken for something else, again and again.
            while poked.poll_recv(cx).is_ready() {}
            alarm.poll(cx, |cx| {
                looks.set(looks.get() + 1);
                said.poll_recv(cx)
            })
        });
        let others = async {
            for _ in 0..100 {
                poke.send(()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            sender.send("at last").await.unwrap();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            heard = tokio::time::timeout(Duration::from_secs(1), heard) => assert_eq!(heard.unwrap(), Some("at last")),
            () = others => unreachable!("it waits for ever"),
        }
        assert_eq!(looks.get(), 2, "once at first, and once when it rang");
    }
}
