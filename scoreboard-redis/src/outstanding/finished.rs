//! What was finished, and Redis was not told yet.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use parking_lot::Mutex;
use scoreboard_core::{ActionId, Chain, UserId};
use tokio::time::sleep;

use super::written;
use crate::handle::Redis;

/// So many actions are gathered; beyond, they are over with their own time.
const MAX: usize = 16_384;
/// So many users' are told in one go.
const AT_ONCE: usize = 256;
/// So long they gather, where they are no more than that: Redis is told of a few as dearly as of many. Nobody waits for it: what the same user starts next at
/// this server takes it along, and who is stopped at another by what has counted has it looked up.
const GATHER: Duration = Duration::from_millis(25);
/// In a cluster each user's lie on a node of their own: so many calls at once.
const CALLS: usize = 4;

/// By user, so that what a user starts next can take them along: that finds them free, be they told at this moment or not yet.
#[derive(Debug, Default)]
pub(super) struct Finished(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: HashMap<UserId, Vec<ActionId>>,
    /// How many actions wait.
    count: usize,
    /// What is on its way: as long as its teller has it.
    told: Weak<HashMap<UserId, Vec<ActionId>>>,
    /// Who tells them, as long as it lives.
    teller: Weak<()>,
}

/// Held by the task that tells.
pub(super) type Teller = Arc<()>;

impl Finished {
    /// Adds an action, unless too many wait. If nobody tells, the caller has them [told](Self::tell).
    pub(super) fn add(&self, user: UserId, action: ActionId) -> Option<Teller> {
        let mut state = self.0.lock();
        if state.count < MAX {
            state.count += 1;
            state.waiting.entry(user).or_default().push(action);
        }
        if state.teller.strong_count() > 0 {
            return None;
        }
        let teller = Teller::default();
        state.teller = Arc::downgrade(&teller);
        Some(teller)
    }

    /// What of this user's is to be told, or on its way.
    pub(super) fn of(&self, user: UserId) -> Vec<ActionId> {
        let state = self.0.lock();
        let told = state.told.upgrade();
        let users = told.as_deref().into_iter().chain([&state.waiting]);
        users.filter_map(|users| users.get(&user)).flatten().copied().collect()
    }

    /// Some users with what of theirs is to be told, once those before are; none, where all is, and then nobody tells any more.
    fn next(&self) -> Arc<HashMap<UserId, Vec<ActionId>>> {
        let mut state = self.0.lock();
        let told: HashMap<_, _> = if state.waiting.len() > AT_ONCE {
            let users: Vec<UserId> = state.waiting.keys().take(AT_ONCE).copied().collect();
            users.into_iter().filter_map(|user| state.waiting.remove_entry(&user)).collect()
        } else {
            std::mem::take(&mut state.waiting)
        };
        if told.is_empty() {
            state.teller = Weak::new();
        }
        state.count -= told.values().map(Vec::len).sum::<usize>();
        let told = Arc::new(told);
        state.told = Arc::downgrade(&told);
        told
    }

    /// Whether they are too many to be told in one go.
    fn are_many(&self) -> bool {
        self.0.lock().waiting.len() > AT_ONCE
    }

    /// Tells Redis until there is nothing more to tell.
    pub(super) async fn tell(self: Arc<Self>, _teller: Teller, redis: Redis) {
        loop {
            if !self.are_many() {
                sleep(GATHER).await;
            }
            let finished = self.next();
            if finished.is_empty() {
                return;
            }
            if redis.is_cluster() {
                let calls = futures_util::stream::iter(&*finished);
                calls.for_each_concurrent(CALLS, |of_one| tell_of(&redis, [of_one])).await;
            } else {
                tell_of(&redis, &*finished).await;
            }
        }
    }
}

async fn tell_of<'a>(redis: &Redis, finished: impl IntoIterator<Item = (&'a UserId, &'a Vec<ActionId>)>) {
    let mut leave = redis::pipe();
    for (user, actions) in finished {
        leave.cmd("ZREM").arg(redis.namespace().outstanding(*user));
        for action in actions {
            leave.arg(&written(*action));
        }
        leave.ignore();
    }
    if let Err(failure) = redis.pipeline::<()>(&leave).await {
        let error = failure.during("finish");
        tracing::debug!(error = %Chain(&error), "what was handed in stays under way until its time is over");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: usize) -> UserId {
        UserId::from_bytes((n as u128).to_be_bytes())
    }

    const ACTION: ActionId = ActionId::from_bytes([7; 16]);

    #[test]
    fn one_tells_as_long_as_there_is_something() {
        let finished = Finished::default();
        let _teller = finished.add(user(1), ACTION).expect("nobody tells yet");
        assert_eq!(finished.add(user(2), ACTION), None, "somebody tells");
        assert_eq!(finished.add(user(1), ACTION), None);
        assert_eq!(*finished.next(), HashMap::from([(user(1), vec![ACTION, ACTION]), (user(2), vec![ACTION])]));
        assert_eq!(finished.add(user(3), ACTION), None, "it looks again");
        assert_eq!(*finished.next(), HashMap::from([(user(3), vec![ACTION])]));
        assert!(finished.next().is_empty());
        assert!(finished.add(user(1), ACTION).is_some(), "it has ended");
        assert!(finished.add(user(1), ACTION).is_some(), "the next was broken off");
    }

    #[tokio::test]
    async fn who_tells_is_known_until_its_task_ends_or_is_broken_off() {
        let finished = Arc::new(Finished::default());
        let teller = finished.add(user(1), ACTION).expect("nobody tells yet");
        let redis = Redis::from_url("redis://127.0.0.1:1").expect("a URL");
        let task = tokio::spawn(finished.clone().tell(teller, redis));
        tokio::task::yield_now().await;
        assert_eq!(finished.add(user(1), ACTION), None, "it gathers");
        task.abort();
        assert!(task.await.is_err_and(|ended| ended.is_cancelled()));
        assert!(finished.add(user(1), ACTION).is_some());
    }

    #[test]
    fn what_is_on_its_way_is_known_until_it_was_told() {
        let (finished, other) = (Finished::default(), ActionId::from_bytes([8; 16]));
        let _teller = finished.add(user(1), ACTION);
        assert_eq!(finished.of(user(1)), [ACTION]);
        let told = finished.next();
        let _ = finished.add(user(1), other);
        assert_eq!(finished.of(user(1)), [ACTION, other]);
        drop(told);
        assert_eq!(finished.of(user(1)), [other]);
        assert!(finished.of(user(2)).is_empty());
        drop(finished.next());
        assert!(finished.of(user(1)).is_empty());
    }

    #[test]
    fn what_is_gathered_is_bounded() {
        let finished = Finished::default();
        for n in 0..2 * MAX {
            let _ = finished.add(user(n / 3), ACTION);
        }
        assert_eq!(finished.0.lock().count, MAX);
        let mut told = 0;
        loop {
            let next = finished.next();
            if next.is_empty() {
                break;
            }
            assert!(next.len() <= AT_ONCE);
            told += next.values().map(Vec::len).sum::<usize>();
        }
        assert_eq!((told, finished.0.lock().count), (MAX, 0));
    }
}
