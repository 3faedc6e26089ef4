//! Who plays at exact intervals, and somebody who does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::support::user::User;

/// Slower than what a rhythm is taken for, which a person taps.
const PACE: Duration = Duration::from_millis(2_100);

/// One tap, from start to end; gives the receipt.
pub(crate) async fn tap(user: &mut User) -> Value {
    let action = user.issue("tap").await.expect("it answers").expect(201)["action"].take();
    user.update(&action).await.expect("it answers").expect(200)["receipt"].take()
}

/// A program that plays until it is told to stop.
pub(crate) struct Bot {
    stop: Arc<AtomicBool>,
    playing: JoinHandle<User>,
}

impl Bot {
    pub(crate) fn play(mut user: User) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let playing = tokio::spawn(async move {
            let mut pace = interval(PACE);
            // On a machine that is late, exact from then on.
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while !stopped.load(Ordering::Relaxed) {
                pace.tick().await;
                tap(&mut user).await;
            }
            user
        });
        Self { stop, playing }
    }

    pub(crate) async fn stop(self) -> User {
        self.stop.store(true, Ordering::Relaxed);
        self.playing.await.expect("it plays on until it is stopped")
    }
}
