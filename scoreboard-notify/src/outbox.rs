//! A bounded queue before a notifier, and the task that empties it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use scoreboard_core::accounts::{Message, Notifier};
use scoreboard_core::{BackendError, Chain, Clock, ErrorKind};
use tokio::sync::{Semaphore, mpsc};

/// The numbers of an [`Outbox`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxConfig {
    /// How many messages may wait; a further one is refused. Default: 1000.
    pub queue: usize,
    /// How many are under way at once. Default: 8.
    pub at_once: usize,
    /// How often a message is tried. Default: 6, within a minute or two.
    pub tries: u32,
    /// How long the first wait between two tries is; each further one is twice as long. Default: 2 s.
    pub first_wait: Duration,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self { queue: 1000, at_once: 8, tries: 6, first_wait: Duration::from_secs(2) }
    }
}

/// A [`Notifier`] that takes messages at once, for another that takes its time. What waits is in this process alone: a message that was
/// taken and not carried when it ends is lost, and its user asks again.
#[derive(Debug, Clone)]
pub struct Outbox {
    waiting: mpsc::Sender<Message>,
}

/// Carries what an [`Outbox`] has taken.
#[derive(Debug)]
#[must_use = "nothing is carried before `run` is spawned"]
pub struct OutboxWork {
    waiting: mpsc::Receiver<Message>,
    carrier: Carrier,
}

#[derive(Debug, Clone)]
struct Carrier {
    notifier: Arc<dyn Notifier>,
    clock: Arc<dyn Clock>,
    config: OutboxConfig,
}

impl Outbox {
    /// An outbox before this notifier, and the work of it, which is to be spawned.
    pub fn new(notifier: Arc<dyn Notifier>, clock: Arc<dyn Clock>, config: OutboxConfig) -> (Self, OutboxWork) {
        let (sender, waiting) = mpsc::channel(config.queue.max(1));
        (Self { waiting: sender }, OutboxWork { waiting, carrier: Carrier { notifier, clock, config } })
    }
}

#[async_trait]
impl Notifier for Outbox {
    async fn deliver(&self, message: &Message) -> Result<(), BackendError> {
        self.waiting.try_send(message.clone()).map_err(|error| {
            let (kind, why) = match error {
                mpsc::error::TrySendError::Full(_) => (ErrorKind::Overloaded, "too many messages wait"),
                mpsc::error::TrySendError::Closed(_) => (ErrorKind::Unavailable, "nothing is carried any more"),
            };
            count(message, "refused");
            BackendError::new(kind, "outbox", "deliver").because(why)
        })
    }
}

impl OutboxWork {
    /// Carries messages until every clone of the outbox is gone and all that it took is carried or given up: spawn it.
    ///
    /// # Cancel safety
    ///
    /// What was not carried is lost.
    pub async fn run(mut self) {
        let at_once = self.carrier.config.at_once.clamp(1, 1000);
        let places = Arc::new(Semaphore::new(at_once));
        while let Some(message) = self.waiting.recv().await {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let carrier = self.carrier.clone();
            tokio::spawn(async move {
                carrier.carry(&message).await;
                drop(place);
            });
        }
        // All places free again: nothing is under way.
        let all = u32::try_from(at_once).unwrap_or(u32::MAX);
        let _all = places.acquire_many(all).await;
    }
}

impl Carrier {
    async fn carry(&self, message: &Message) {
        let mut wait = self.config.first_wait;
        for left in (0..self.config.tries.max(1)).rev() {
            if message.expires_at.is_some_and(|end| end <= self.clock.now()) {
                return give_up(message, "it is of no use any more");
            }
            let error = match self.notifier.deliver(message).await {
                Ok(()) => return count(message, "carried"),
                Err(error) => error,
            };
            // No mailbox, a bad address, wrong credentials: the next try would end the same way.
            if left == 0 || error.kind() == ErrorKind::Refused {
                return give_up(message, &Chain(&error).to_string());
            }
            count(message, "tried");
            tracing::info!(message.id = %message.id, error = %Chain(&error), ?wait, "a message could not be carried; trying again");
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2);
        }
    }
}

/// Says so, by the message's id and its user's: what is in it is in no log.
fn give_up(message: &Message, why: &str) {
    count(message, "given_up");
    tracing::warn!(message.id = %message.id, kind = message.kind.as_str(), user.id = %message.user_id, why, "a message was given up");
}

fn count(message: &Message, outcome: &'static str) {
    metrics::counter!("scoreboard_messages_total", "kind" => message.kind.as_str(), "outcome" => outcome).increment(1);
}
