//! The rules that need no statistics: what they block cannot have happened honestly.

use async_trait::async_trait;

use crate::action::{Claims, VerifiedAction};
use crate::board::Board;
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::fraud::outstanding::Outstanding;
use crate::fraud::{Finding, FraudDetector, IssueVerdict, Verdict};
use crate::ids::{ActionId, UserId};
use crate::store::AtMost;

/// Sooner than the kind's minimum duration, above its number a day, or too many actions under way.
///
/// - **Duration**: by the catalogue as it is now; the action's own `notBefore` holds the catalogue of its start.
/// - **Number a day**: days are UTC. It is decided inside the transaction, so that simultaneous actions cannot pass it together.
/// - **Under way**: a user may have at most so many actions started and neither handed in nor expired. Those
///   started in this process are counted.
#[derive(Debug)]
pub struct DeterministicRules {
    outstanding: Outstanding,
}

impl DeterministicRules {
    /// How many actions a user may have under way, if nothing else is said.
    pub const DEFAULT_OUTSTANDING: u32 = 5;

    /// The rules with this many actions under way a user.
    #[must_use]
    pub fn new(max_outstanding: std::num::NonZeroU32) -> Self {
        Self { outstanding: Outstanding::new(max_outstanding) }
    }
}

impl Default for DeterministicRules {
    fn default() -> Self {
        Self::new(std::num::NonZeroU32::new(Self::DEFAULT_OUTSTANDING).expect("not zero"))
    }
}

#[async_trait]
impl FraudDetector for DeterministicRules {
    async fn on_issue(&self, claims: &Claims, now: Timestamp) -> Result<IssueVerdict, BackendError> {
        Ok(match self.outstanding.start(claims.user_id, claims.id, claims.expires_at, now) {
            Ok(()) => IssueVerdict::Allow,
            Err((usage, waited_for)) => IssueVerdict::Wait { usage, waited_for },
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
