//! Actions that were started and neither handed in nor expired, counted per user.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::ids::{ActionId, UserId};
use crate::limiter::{Algorithm, Quota, Usage};

/// How many users are kept apart before those with nothing under way are swept out.
const SWEEP_AT: usize = 100_000;

/// Bounded: at most `max` actions a user, and a user only while one of them has not expired.
#[derive(Debug)]
pub(super) struct Outstanding {
    max: NonZeroU32,
    users: Mutex<Users>,
}

#[derive(Debug)]
struct Users {
    started: HashMap<UserId, Vec<(ActionId, Timestamp)>>,
    sweep_at: usize,
}

impl Outstanding {
    pub(super) fn new(max: NonZeroU32) -> Self {
        Self { max, users: Mutex::new(Users { started: HashMap::new(), sweep_at: SWEEP_AT }) }
    }

    /// Counts an action as started, or says when there is room for one, and which take it.
    pub(super) fn start(
        &self,
        user: UserId,
        action: ActionId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), (Usage, Vec<ActionId>)> {
        let mut users = self.users.lock();
        if users.started.len() >= users.sweep_at {
            users.started.retain(|_, actions| actions.iter().any(|(_, until)| *until > now));
            // Doubling keeps the sweeps a constant share of the work.
            users.sweep_at = SWEEP_AT.max(users.started.len() * 2);
        }
        let actions = users.started.entry(user).or_default();
        actions.retain(|(_, until)| *until > now);
        if actions.len() >= self.max.get() as usize {
            let soonest = actions.iter().map(|(_, until)| *until).min().unwrap_or(now);
            let latest = actions.iter().map(|(_, until)| *until).max().unwrap_or(now);
            let (retry_after, reset_after) = (soonest.since(now), latest.since(now));
            let quota = Quota {
                limit: self.max,
                period: reset_after.max(Duration::from_secs(1)),
                algorithm: Algorithm::SlidingLog,
            };
            let usage = Usage { policy: "outstanding", quota, remaining: 0, retry_after, reset_after };
            return Err((usage, actions.iter().map(|(id, _)| *id).collect()));
        }
        actions.push((action, until));
        Ok(())
    }

    /// Counts it as no longer under way.
    pub(super) fn finish(&self, user: UserId, action: ActionId) {
        let mut users = self.users.lock();
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
    use super::*;

    #[test]
    fn a_sixth_waits_until_one_is_done_or_expires() {
        let outstanding = Outstanding::new(NonZeroU32::new(5).expect("five"));
        let user = UserId::from_bytes([1; 16]);
        let action = |n: u8| ActionId::from_bytes([n; 16]);
        let at = Timestamp::from_millis;
        for n in 0..5 {
            assert!(outstanding.start(user, action(n), at(1000 + i64::from(n)), at(0)).is_ok());
        }
        let (full, waited_for) = outstanding.start(user, action(9), at(9000), at(400)).expect_err("five are under way");
        assert_eq!(full.retry_after, Duration::from_millis(600));
        assert_eq!(waited_for, [0, 1, 2, 3, 4].map(action));
        outstanding.finish(user, action(3));
        assert!(outstanding.start(user, action(9), at(9000), at(400)).is_ok());
        assert!(outstanding.start(user, action(10), at(9000), at(400)).is_err());
        assert!(outstanding.start(user, action(10), at(9000), at(1000)).is_ok(), "the first has expired");
    }

    #[test]
    fn users_whose_actions_expired_are_swept_out() {
        let outstanding = Outstanding::new(NonZeroU32::MIN);
        for n in 0..=SWEEP_AT as u64 {
            let id = u128::from(n).to_be_bytes();
            let now = Timestamp::from_millis(n as i64);
            let _ = outstanding.start(
                UserId::from_bytes(id),
                ActionId::from_bytes(id),
                now.plus(Duration::from_millis(9)),
                now,
            );
        }
        assert!(outstanding.users.lock().started.len() < 20);
    }
}
