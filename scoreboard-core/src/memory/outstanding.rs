//! Actions under way, counted in memory.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::fraud::{OutstandingAction, OutstandingActions, Started};
use crate::ids::{ActionId, UserId};

/// How many users are kept apart before those with nothing under way are swept out.
const SWEEP_AT: usize = 100_000;

/// An [`OutstandingActions`] for one process, which forgets them when it ends.
///
/// Bounded: as many actions a user as may be, and a user only while one of them is under way.
///
/// ```
/// use std::num::NonZeroU32;
/// use std::time::Duration;
/// use scoreboard_core::memory::MemoryOutstanding;
/// use scoreboard_core::{ActionId, OutstandingAction, OutstandingActions, Started, Timestamp, UserId};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (outstanding, user) = (MemoryOutstanding::default(), UserId::for_name("example", "alice"));
/// let action = |n| OutstandingAction { id: ActionId::from_bytes([n; 16]), expires_in: Duration::from_secs(600) };
/// let (one, now) = (NonZeroU32::MIN, Timestamp::from_millis(0));
/// assert_eq!(outstanding.start(user, action(1), one, now).await?, Started::Counted);
/// assert_eq!(outstanding.start(user, action(2), one, now).await?, Started::Full(vec![action(1)]));
/// outstanding.finish(user, action(1).id);
/// assert_eq!(outstanding.start(user, action(2), one, now).await?, Started::Counted);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryOutstanding(Arc<Mutex<Users>>);

#[derive(Debug)]
struct Users {
    started: HashMap<UserId, Vec<(ActionId, Timestamp)>>,
    sweep_at: usize,
}

impl Default for Users {
    fn default() -> Self {
        Self { started: HashMap::new(), sweep_at: SWEEP_AT }
    }
}

#[async_trait]
impl OutstandingActions for MemoryOutstanding {
    async fn start(
        &self,
        user: UserId,
        action: OutstandingAction,
        max: NonZeroU32,
        now: Timestamp,
    ) -> Result<Started, BackendError> {
        let mut users = self.0.lock();
        if users.started.len() >= users.sweep_at {
            users.started.retain(|_, actions| actions.iter().any(|(_, until)| *until > now));
            // Doubling keeps the sweeps a constant share of the work.
            users.sweep_at = SWEEP_AT.max(users.started.len() * 2);
        }
        let actions = users.started.entry(user).or_default();
        actions.retain(|(_, until)| *until > now);
        if actions.iter().any(|(id, _)| *id == action.id) {
            return Ok(Started::Counted);
        }
        if actions.len() >= max.get() as usize {
            actions.sort_unstable_by_key(|(id, until)| (*until, *id));
            let left =
                |(id, until): &(ActionId, Timestamp)| OutstandingAction { id: *id, expires_in: until.since(now) };
            return Ok(Started::Full(actions.iter().map(left).collect()));
        }
        actions.push((action.id, now.plus(action.expires_in)));
        Ok(Started::Counted)
    }

    fn finish(&self, user: UserId, action: ActionId) {
        let mut users = self.0.lock();
        if let Some(actions) = users.started.get_mut(&user) {
            actions.retain(|(id, _)| *id != action);
            if actions.is_empty() {
                users.started.remove(&user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn users_whose_actions_expired_are_swept_out() {
        let outstanding = MemoryOutstanding::default();
        for n in 0..=SWEEP_AT as u64 {
            let id = u128::from(n).to_be_bytes();
            let now = Timestamp::from_millis(n as i64);
            let action = OutstandingAction { id: ActionId::from_bytes(id), expires_in: Duration::from_millis(9) };
            let started = outstanding.start(UserId::from_bytes(id), action, NonZeroU32::MIN, now).await;
            assert_eq!(started.unwrap(), Started::Counted);
        }
        assert!(outstanding.0.lock().started.len() < 20);
    }
}
