//! The task of a client: connects when something is wanted, and again when it was lost.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::RandomIds;
use tokio::time::{Instant, sleep_until};

use crate::backoff::{Verdict, full_jitter, verdict_of};
use crate::config::ClientConfig;
use crate::connection::Connector;
use crate::follower::Follower;
use crate::private::Private;
use crate::session::{Over, Session};
use crate::shared::{Key, Shared};
use crate::state::{Cause, Offline, Refusal};
use crate::ticket::TicketSource;

pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) config: ClientConfig,
    pub(crate) tickets: Option<Arc<dyn TicketSource>>,
    pub(crate) followers: HashMap<Key, Follower>,
    /// How many connections were lost since one last held.
    pub(crate) attempt: u32,
    connector: Connector,
    /// While there is no connection.
    offline: Option<Offline>,
}

/// The client is closed.
struct Closed;

impl Worker {
    pub(crate) fn new(
        shared: Arc<Shared>,
        connector: Connector,
        config: ClientConfig,
        tickets: Option<Arc<dyn TicketSource>>,
    ) -> Self {
        Self { shared, config, tickets, followers: HashMap::new(), attempt: 0, connector, offline: None }
    }

    /// Runs until the client is closed, or the server has closed it for good.
    pub(crate) async fn run(mut self) {
        while let Ok(()) = self.wanted().await {
            let over = match self.connector.open(&self.config).await {
                Ok(socket) => Session::new(&mut self, socket).run().await,
                Err(cause) => Over::Lost(cause),
            };
            let wait = match over {
                Over::Unwanted => continue,
                Over::Closed => break,
                Over::Lost(cause) => self.lost(cause, Duration::ZERO),
                Over::Ended { code, reason } => match verdict_of(code) {
                    Verdict::Again => self.lost(Cause::Closed { code, reason }, Duration::ZERO),
                    Verdict::Spread => self.lost(Cause::Closed { code, reason }, self.config.restart_spread),
                    Verdict::Never => return self.refused(code, reason),
                },
            };
            if let Err(Closed) = self.wait(wait).await {
                break;
            }
        }
    }

    /// Whether there is anything to keep a connection for.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.followers.is_empty() || self.tickets.is_some()
    }

    /// Returns once something is wanted.
    async fn wanted(&mut self) -> Result<(), Closed> {
        loop {
            self.look()?;
            if self.is_wanted() {
                return Ok(());
            }
            self.offline = None;
            self.shared.woken.notified().await;
        }
    }

    /// Takes up what is wanted since the last look; gives what is followed no more, or by somebody else. `None` once the client is closed.
    pub(crate) fn sync(&mut self) -> Option<Vec<Key>> {
        let wanted = self.shared.wanted()?;
        let left = |key: &Key, follower: &mut Follower| !wanted.get(key).is_some_and(|wish| follower.is_of(wish));
        let left = self.followers.extract_if(left).map(|(key, _)| key).collect();
        for (key, wish) in wanted {
            self.followers.entry(key).or_insert_with(|| Follower::new(wish));
        }
        Some(left)
    }

    /// The same while there is no connection, which who has just come is to know.
    fn look(&mut self) -> Result<(), Closed> {
        self.sync().ok_or(Closed)?;
        if let Some(offline) = &self.offline {
            self.followers.values_mut().for_each(|follower| follower.offline(offline));
        }
        Ok(())
    }

    /// There is a connection.
    pub(crate) fn connected(&mut self) {
        self.offline = None;
        self.followers.values_mut().for_each(Follower::connected);
    }

    /// Says so to all who follow, and until when to wait.
    fn lost(&mut self, cause: Cause, spread: Duration) -> Instant {
        let now = Instant::now();
        let retry_at = now + full_jitter(&RandomIds, &self.config, self.attempt, spread);
        tracing::debug!(%cause, attempt = self.attempt, wait_ms = (retry_at - now).as_millis(), "not connected");
        self.attempt = self.attempt.saturating_add(1);
        let since = self.offline.as_ref().map_or(now, |offline| offline.since);
        self.offline = Some(Offline { since, cause, retry_at });
        retry_at
    }

    async fn wait(&mut self, until: Instant) -> Result<(), Closed> {
        let shared = self.shared.clone();
        // One for the whole wait: it hears of a call also while something else is looked at.
        let mut hurry = pin!(shared.hurry.notified());
        loop {
            self.look()?;
            if !self.is_wanted() {
                return Ok(());
            }
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                () = &mut hurry => return Ok(()),
                () = shared.woken.notified() => {}
            }
        }
    }

    /// The server has ended it for good.
    fn refused(self, code: u16, reason: String) {
        for follower in self.followers.values() {
            follower.end(Refusal::Closed { code, reason: reason.clone() });
        }
        self.shared.tell(Private::Refused { code: code.to_string(), detail: reason });
    }
}

/// However the task ends, nobody is left waiting.
impl Drop for Worker {
    fn drop(&mut self) {
        self.shared.end();
    }
}
