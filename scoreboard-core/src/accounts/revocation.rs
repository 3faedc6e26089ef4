//! Sessions that were ended while access tokens of theirs are still good.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::RwLock;

use crate::accounts::Accounts;
use crate::clock::Timestamp;
use crate::error::{BackendError, Chain};
use crate::ids::SessionId;

/// How often the store is asked for sessions that others have ended.
const POLL: Duration = Duration::from_secs(5);
/// How often expired sessions are forgotten.
const FORGET: Duration = Duration::from_secs(3600);

/// Ended sessions, each only until its last access token has expired.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    ended: RwLock<HashMap<SessionId, Timestamp>>,
}

impl Revocations {
    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.ended.read().contains_key(&session)
    }

    pub(super) fn insert(&self, session: SessionId, now: Timestamp) {
        self.ended.write().insert(session, now);
    }
}

impl Accounts {
    /// Learns which sessions were ended elsewhere, or before this process began. Call it once before serving.
    ///
    /// # Errors
    ///
    /// If the store fails; what was known stays known.
    ///
    /// # Cancel safety
    ///
    /// Call it again.
    pub async fn sync_revocations(&self) -> Result<(), BackendError> {
        let now = self.parts.clock.now();
        // A minute more than a token lives, for clocks that differ.
        let since = now.minus(self.parts.config.access_lifetime + Duration::from_secs(60));
        let ended = self.parts.store.ended_since(since).await?;
        let mut known = self.parts.revocations.ended.write();
        known.retain(|_, at| *at >= since);
        for session in ended {
            known.entry(session).or_insert(now);
        }
        Ok(())
    }

    /// Follows what is ended elsewhere, each 5 seconds, and forgets expired sessions, each hour. Never returns: spawn it.
    ///
    /// # Cancel safety
    ///
    /// Stops following.
    pub async fn watch_revocations(self) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut forget_at = self.parts.clock.now();
        loop {
            poll.tick().await;
            if let Err(error) = self.sync_revocations().await {
                tracing::warn!(error = %Chain(&error), "ended sessions could not be read; trying again");
            }
            let now = self.parts.clock.now();
            if now >= forget_at {
                forget_at = now.plus(FORGET);
                if let Err(error) = self.parts.store.forget_expired(now).await {
                    tracing::warn!(error = %Chain(&error), "expired sessions could not be forgotten; trying again");
                }
            }
        }
    }
}
