//! Sessions that were ended while access tokens of theirs are still good.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use crate::accounts::Accounts;
use crate::clock::Timestamp;
use crate::error::{BackendError, Chain};
use crate::ids::SessionId;

/// How often the store is asked for sessions that others have ended: twice in the second within which all must refuse them. It is one look
/// into an index, which needs no bus and so none that could fail.
const POLL: Duration = Duration::from_millis(500);
/// How often expired sessions are forgotten.
const FORGET: Duration = Duration::from_secs(3600);
/// How far the clocks of two nodes may be apart, at the most.
const SKEW: Duration = Duration::from_secs(60);

/// Ended sessions, each only until its last access token has expired.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    ended: RwLock<HashMap<SessionId, Timestamp>>,
    /// Who waits for the end of a session: it is told by the sender going away.
    followed: Mutex<HashMap<SessionId, watch::Sender<()>>>,
    /// Up to when the store has told of all sessions that were ended.
    synced_at: Mutex<Option<Timestamp>>,
}

impl Revocations {
    pub(super) fn contains(&self, session: SessionId) -> bool {
        self.ended.read().contains_key(&session)
    }

    pub(super) fn end(&self, session: SessionId, now: Timestamp) {
        self.ended.write().insert(session, now);
        self.tell([session]);
    }

    /// Tells who follows these sessions. They are among the ended ones by now, for [`follow`](Self::follow) looks there last.
    fn tell(&self, ended: impl IntoIterator<Item = SessionId>) {
        let mut followed = self.followed.lock();
        for session in ended {
            followed.remove(&session);
        }
    }

    fn follow(&self, session: SessionId) -> watch::Receiver<()> {
        let mut followed = self.followed.lock();
        let end = followed.entry(session).or_default().subscribe();
        // Looked at only now: what was ended before is seen here, and what is ended after finds the sender.
        if self.contains(session) {
            followed.remove(&session);
        }
        end
    }

    fn unfollow(&self, session: SessionId, end: watch::Receiver<()>) {
        let mut followed = self.followed.lock();
        // Dropped under the lock: of several that go at once, the last one finds that nobody is left.
        drop(end);
        if followed.get(&session).is_some_and(|sender| sender.receiver_count() == 0) {
            followed.remove(&session);
        }
    }
}

/// Knows when a session is ended. It does not end the session when it is dropped.
#[derive(Debug)]
pub struct SessionEnd {
    accounts: Accounts,
    session: SessionId,
    end: watch::Receiver<()>,
}

impl SessionEnd {
    /// Returns once the session has been ended, by logout or the reuse of a refresh token: at once if it was by these
    /// [`Accounts`], as soon as they hear of it if it was elsewhere.
    ///
    /// A session that is merely over, 30 days after its login, is not noticed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn ended(&mut self) {
        // Nothing is ever sent.
        while self.end.changed().await.is_ok() {}
    }
}

impl Drop for SessionEnd {
    fn drop(&mut self) {
        let (_, nothing) = watch::channel(());
        let end = std::mem::replace(&mut self.end, nothing);
        self.accounts.parts.revocations.unfollow(self.session, end);
    }
}

impl Accounts {
    /// Follows a session until it is ended: for what goes on longer than a request.
    #[must_use]
    pub fn follow_session(&self, session: SessionId) -> SessionEnd {
        SessionEnd { accounts: self.clone(), session, end: self.parts.revocations.follow(session) }
    }

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
        let revocations = &self.parts.revocations;
        let now = self.parts.clock.now();
        // A minute more than a token lives, for clocks that differ.
        let needed_since = now.minus(self.parts.config.access_lifetime + SKEW);
        // What was told once is known; while the store was away, more may have been ended than tokens need, but is followed.
        let untold_since = revocations.synced_at.lock().map_or(needed_since, |at| at.minus(SKEW));
        let ended = self.parts.store.ended_since(untold_since).await?;
        {
            let mut known = revocations.ended.write();
            known.retain(|_, at| *at >= needed_since);
            for &session in &ended {
                known.entry(session).or_insert(now);
            }
        }
        revocations.tell(ended);
        *revocations.synced_at.lock() = Some(now);
        Ok(())
    }

    /// Follows what is ended elsewhere, twice a second, and forgets expired sessions, each hour. Never returns: spawn it.
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
                if let Some(factors) = &self.parts.factors
                    && let Err(error) = factors.store.forget_challenges(now).await
                {
                    tracing::warn!(error = %Chain(&error), "logins that are over could not be forgotten; trying again");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const ROUNDS: usize = 20_000;

    fn session(round: usize) -> SessionId {
        SessionId::from_bytes((round as u128).to_be_bytes())
    }

    /// Does both as much at the same moment as can be, many times.
    fn race(one: impl Fn(usize) + Sync, other: impl Fn(usize) + Sync) {
        let arrived = AtomicUsize::new(0);
        let run = |act: &(dyn Fn(usize) + Sync)| {
            for round in 0..ROUNDS {
                arrived.fetch_add(1, Ordering::AcqRel);
                while arrived.load(Ordering::Acquire) < 2 * (round + 1) {
                    std::thread::yield_now();
                }
                act(round);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| run(&one));
            run(&other);
        });
    }

    #[test]
    fn whoever_follows_is_told_whether_it_began_before_or_after_the_end() {
        let revocations = Revocations::default();
        let ends = Mutex::new(Vec::new());
        race(
            |round| revocations.end(session(round), NOW),
            |round| {
                let end = revocations.follow(session(round));
                ends.lock().push(end);
            },
        );
        assert_eq!(ends.lock().iter().filter(|end| end.has_changed().is_ok()).count(), 0, "not told");
        assert!(revocations.followed.lock().is_empty());
    }

    #[test]
    fn nothing_is_kept_of_sessions_that_nobody_follows() {
        let revocations = Revocations::default();
        let (one, other) = (session(1), session(2));
        let [first, second] = [revocations.follow(one), revocations.follow(one)];
        let third = revocations.follow(other);
        let unfollow = |session, end: watch::Receiver<()>| {
            revocations.unfollow(session, end);
            revocations.followed.lock().len()
        };
        assert_eq!(unfollow(one, first), 2, "one more follows");
        assert_eq!(unfollow(one, second), 1);
        revocations.end(other, NOW);
        assert_eq!(unfollow(other, third), 0);
    }

    #[test]
    fn nothing_is_kept_when_all_go_at_once() {
        let revocations = Revocations::default();
        let follow = || (0..ROUNDS).map(|round| Mutex::new(Some(revocations.follow(session(round))))).collect();
        let ends: [Vec<Mutex<Option<watch::Receiver<()>>>>; 2] = [follow(), follow()];
        let unfollow = |round: usize, end: &Mutex<Option<watch::Receiver<()>>>| {
            let end = end.lock().take().expect("each is dropped once");
            revocations.unfollow(session(round), end);
        };
        race(|round| unfollow(round, &ends[0][round]), |round| unfollow(round, &ends[1][round]));
        assert_eq!(revocations.followed.lock().len(), 0);
    }
}
