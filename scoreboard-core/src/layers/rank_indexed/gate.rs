//! A lock whose readers are let in between any two steps of a writer that goes on and on.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// How often it is looked again before a thread sleeps: some ten microseconds, more than a read or a step of the writer takes. To be woken takes
/// several times as long, for a writer too, and whoever comes meanwhile waits with it.
const LOOKS: u32 = 400;

/// How long a writer leaves the lock to those who wait for it, in looks: they need far less, unless the system has stopped them.
const PAUSE: u32 = 100;

/// A [`RwLock`] that is held for less time than it takes to put a thread to sleep and to wake it.
pub(crate) struct Gate<T> {
    lock: RwLock<T>,
    /// The readers that look for the lock to be free.
    waiting: AtomicU32,
}

impl<T> Gate<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { lock: RwLock::new(value), waiting: AtomicU32::new(0) }
    }

    /// Waits for no more than the writer's present step, if the writer [pauses](Self::pause) behind each.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        if let Some(guard) = self.lock.try_read() {
            return guard;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let guard = look(|| self.lock.try_read());
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        // Who has it was stopped by the system, or has more to do: the wait is long in any case.
        guard.unwrap_or_else(|| self.lock.read())
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        look(|| self.lock.try_write()).unwrap_or_else(|| self.lock.write())
    }

    /// Ends a step: whoever waits is next, and not the writer again.
    pub(crate) fn pause(&self, guard: RwLockWriteGuard<'_, T>) {
        RwLockWriteGuard::unlock_fair(guard);
        let mut looks = 0;
        while looks < PAUSE && self.waiting.load(Ordering::Relaxed) > 0 {
            spin_loop();
            looks += 1;
        }
    }
}

fn look<G>(mut attempt: impl FnMut() -> Option<G>) -> Option<G> {
    (0..LOOKS).find_map(|_| {
        let guard = attempt();
        if guard.is_none() {
            spin_loop();
        }
        guard
    })
}
