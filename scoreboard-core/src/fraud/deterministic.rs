//! The rules that need no statistics: what they block cannot have happened honestly.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::action::{Claims, VerifiedAction};
use crate::board::Board;
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::fraud::{Finding, FraudDetector, IssueVerdict, OutstandingAction, OutstandingActions, Started, Verdict};
use crate::ids::{ActionId, UserId};
use crate::limiter::{Algorithm, Quota, Usage};
use crate::memory::MemoryOutstanding;
use crate::store::AtMost;

/// Sooner than the kind's minimum duration, above its number a day, or too many actions under way.
///
/// - **Duration**: by the catalogue as it is now; the action's own `notBefore` holds the catalogue of its start.
/// - **Number a day**: days are UTC. It is decided inside the transaction, so that simultaneous actions cannot pass it together.
/// - **Under way**: a user may have at most so many actions started and neither handed in nor expired. Those started in this process are
///   counted, unless a [count](Self::with_outstanding) is given that several share.
#[derive(Debug)]
pub struct DeterministicRules {
    max_outstanding: NonZeroU32,
    outstanding: Arc<dyn OutstandingActions>,
}

impl DeterministicRules {
    /// How many actions a user may have under way, if nothing else is said.
    pub const DEFAULT_OUTSTANDING: u32 = 5;

    /// The rules with this many actions under way a user.
    #[must_use]
    pub fn new(max_outstanding: NonZeroU32) -> Self {
        Self { max_outstanding, outstanding: Arc::new(MemoryOutstanding::default()) }
    }

    /// The same rules, with what is under way counted there.
    #[must_use]
    pub fn with_outstanding(self, outstanding: Arc<dyn OutstandingActions>) -> Self {
        Self { outstanding, ..self }
    }

    /// As a client is told of a quota: it is used up until the first of these is over, and free when all are.
    fn usage(&self, under_way: &[OutstandingAction], at: Timestamp) -> Usage {
        let times = under_way.iter().map(|action| action.expires_in);
        let (soonest, latest) = (times.clone().min().unwrap_or_default(), times.max().unwrap_or_default());
        let quota = Quota {
            limit: self.max_outstanding,
            period: latest.max(Duration::from_secs(1)),
            algorithm: Algorithm::SlidingLog,
        };
        Usage { policy: "outstanding", quota, at, remaining: 0, retry_after: soonest, reset_after: latest }
    }
}

impl Default for DeterministicRules {
    fn default() -> Self {
        Self::new(NonZeroU32::new(Self::DEFAULT_OUTSTANDING).expect("not zero"))
    }
}

#[async_trait]
impl FraudDetector for DeterministicRules {
    async fn on_issue(&self, claims: &Claims, now: Timestamp) -> Result<IssueVerdict, BackendError> {
        let action = OutstandingAction { id: claims.id, expires_in: claims.expires_at.since(now) };
        Ok(match self.outstanding.start(claims.user_id, action, self.max_outstanding, now).await? {
            Started::Counted => IssueVerdict::Allow,
            Started::Full(under_way) => IssueVerdict::Wait {
                usage: self.usage(&under_way, now),
                waited_for: under_way.into_iter().map(|action| action.id).collect(),
            },
        })
    }

    async fn on_submit(&self, action: &VerifiedAction, board: &Board, now: Timestamp) -> Result<Verdict, BackendError> {
        let claims = action.claims();
        let Some(kind) = board.spec.kind(&claims.kind) else {
            let evidence = format!("kind `{}` is no longer in the catalogue", claims.kind);
            return Ok(Verdict::Block(Finding { rule: "kind_withdrawn", evidence }));
        };
        let took = now.since(claims.issued_at);
        if took < kind.min_duration() {
            let evidence = format!("took {} ms, minimum {} ms", took.as_millis(), kind.min_duration().as_millis());
            return Ok(Verdict::Block(Finding { rule: "too_fast", evidence }));
        }
        Ok(Verdict::Allow(kind.per_day.map(|count| AtMost { count, since: now.start_of_day() })))
    }

    fn on_settled(&self, user: UserId, action: ActionId) {
        self.outstanding.finish(user, action);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Season;
    use crate::ids::{BoardId, KindId};
    use crate::score::Points;

    #[tokio::test]
    async fn a_sixth_waits_until_one_is_done_or_expires() {
        let rules = DeterministicRules::default();
        let (user, at) = (UserId::from_bytes([1; 16]), Timestamp::from_millis);
        let claims = |n: u8, until: i64| Claims {
            id: ActionId::from_bytes([n; 16]),
            board: BoardId::main(),
            season: Season::FIRST,
            kind: "tap".parse::<KindId>().unwrap(),
            user_id: user,
            points: Points::new(1).unwrap(),
            issued_at: at(0),
            not_before: at(0),
            expires_at: at(until),
        };
        for n in 0..5 {
            let verdict = rules.on_issue(&claims(n, 1000 + i64::from(n)), at(0)).await.unwrap();
            assert_eq!(verdict, IssueVerdict::Allow);
        }
        let IssueVerdict::Wait { usage, waited_for } = rules.on_issue(&claims(9, 9000), at(400)).await.unwrap() else {
            panic!("five are under way");
        };
        assert_eq!((usage.retry_after.as_millis(), usage.reset_after.as_millis(), usage.remaining), (600, 604, 0));
        assert_eq!(waited_for, [0, 1, 2, 3, 4].map(|n| claims(n, 0).id));
        rules.on_settled(user, claims(3, 0).id);
        assert_eq!(rules.on_issue(&claims(9, 9000), at(400)).await.unwrap(), IssueVerdict::Allow);
        assert_ne!(rules.on_issue(&claims(10, 9000), at(400)).await.unwrap(), IssueVerdict::Allow);
        let verdict = rules.on_issue(&claims(10, 9000), at(1000)).await.unwrap();
        assert_eq!(verdict, IssueVerdict::Allow, "the first has expired");
    }
}
