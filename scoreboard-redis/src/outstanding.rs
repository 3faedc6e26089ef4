//! The actions that each user has under way, over all nodes.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use scoreboard_core::{ActionId, BackendError, OutstandingAction, OutstandingActions, Started, Timestamp, UserId};

use crate::error::Failure;
use crate::handle::Redis;
use crate::keys;
use crate::scripts::OUTSTANDING_START;

mod finished;

use finished::Finished;

/// An [`OutstandingActions`] whose count is shared by all processes on one Redis.
///
/// - The clock is Redis' own, to the millisecond. The `now` of a call is not looked at: nodes whose clocks differ count as one. What lasts
///   longer than a day is taken to last a day.
/// - [`start`](OutstandingActions::start) is one script on one key, so it is one step in a cluster too.
/// - [`finish`](OutstandingActions::finish) waits for nobody: what was finished is gathered for 25 ms, and told to Redis by a task that ends when
///   there is nothing more to tell, many in one go. What the same user starts next takes along what was not told yet, so who hands in and starts again
///   at one node never waits for it. No more than 16,384 are gathered; beyond, where Redis is gone, and at a stop, they are
///   forgotten: they are over with their own time, and [`Scoreboard::issue`](scoreboard_core::Scoreboard::issue) looks up whether what somebody
///   waits for has counted.
///
/// Where Redis is gone, a start fails within [`Config::call_timeout`](crate::Config::call_timeout): put
/// [`FallbackOutstanding`](scoreboard_core::FallbackOutstanding) in front.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use scoreboard_core::memory::MemoryOutstanding;
/// use scoreboard_core::{DeterministicRules, FallbackOutstanding};
/// use scoreboard_redis::{Redis, RedisOutstanding};
///
/// let shared = RedisOutstanding::new(Redis::from_url("redis://localhost")?);
/// let outstanding = FallbackOutstanding::new(Arc::new(shared), Arc::new(MemoryOutstanding::default()));
/// let rules = DeterministicRules::default().with_outstanding(Arc::new(outstanding));
/// # drop(rules);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct RedisOutstanding {
    redis: Redis,
    finished: Arc<Finished>,
}

impl RedisOutstanding {
    /// A count on this Redis.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        Self { redis, finished: Arc::default() }
    }

    async fn try_start(&self, user: UserId, action: OutstandingAction, max: NonZeroU32) -> Result<Started, Failure> {
        let mut script = OUTSTANDING_START.prepare_invoke();
        script.key(self.redis.namespace().outstanding(user)).arg(max.get()).arg(&written(action.id));
        script.arg(millis(action.expires_in.min(keys::ACTION))).arg(millis(keys::ACTION));
        for finished in self.finished.of(user) {
            script.arg(&written(finished));
        }
        started(&self.redis.script::<Vec<String>>(&script).await?)
    }
}

#[async_trait]
impl OutstandingActions for RedisOutstanding {
    /// As the trait says.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Overloaded`, or `OutcomeUnknown` where no answer came: the action may be counted. Whatever else Redis answers to whoever
    /// may not write there, by the table in this crate.
    ///
    /// # Cancel safety
    ///
    /// As the trait says.
    async fn start(
        &self,
        user: UserId,
        action: OutstandingAction,
        max: NonZeroU32,
        _: Timestamp,
    ) -> Result<Started, BackendError> {
        self.try_start(user, action, max).await.map_err(|failure| failure.during("start"))
    }

    fn finish(&self, user: UserId, action: ActionId) {
        // Without a runtime nobody could tell it: it is over with its own time.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if let Some(teller) = self.finished.add(user, action) {
            runtime.spawn(self.finished.clone().tell(teller, self.redis.clone()));
        }
    }
}

/// What the script says.
fn started(reply: &[String]) -> Result<Started, Failure> {
    if reply.is_empty() {
        return Ok(Started::Counted);
    }
    let (pairs, rest) = reply.as_chunks::<2>();
    let under_way: Option<_> = pairs.iter().map(|[id, left]| read(id, left)).collect();
    match under_way {
        Some(under_way) if rest.is_empty() => Ok(Started::Full(under_way)),
        _ => Err(Failure::Answer("ids, and for how long each is under way")),
    }
}

fn read(id: &str, left: &str) -> Option<OutstandingAction> {
    let mut bytes = [0; 16];
    hex::decode_to_slice(id, &mut bytes).ok()?;
    Some(OutstandingAction { id: ActionId::from_bytes(bytes), expires_in: Duration::from_millis(left.parse().ok()?) })
}

/// In hexadecimal.
fn written(action: ActionId) -> [u8; 32] {
    let mut text = [0; 32];
    hex::encode_to_slice(action.as_bytes(), &mut text).expect("two digits for each byte");
    text
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_or_is_none_of_ours() {
        let reply = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let id = "000102030405060708090a0b0c0d0e0f";
        assert_eq!(started(&[]).unwrap(), Started::Counted);
        let action = OutstandingAction {
            id: ActionId::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]),
            expires_in: Duration::from_millis(77),
        };
        assert_eq!(started(&reply(&[id, "77"])).unwrap(), Started::Full(vec![action]));
        for bad in [&[id][..], &[id, "77", id], &[id, "-1"], &["a", "77"], &[&id[2..], "77"]] {
            assert!(matches!(started(&reply(bad)), Err(Failure::Answer(_))), "{bad:?}");
        }
    }
}
