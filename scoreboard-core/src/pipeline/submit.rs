//! The update, top to bottom.

use crate::action::SignedAction;
use crate::error::{Error, Result};
use crate::fraud::Finding;
use crate::ids::UserId;
use crate::pipeline::Scoreboard;
use crate::pipeline::apply::Applied;
use crate::pipeline::limit::Admission;
use crate::pipeline::verify::verify_moment;
use crate::store::{Change, Origin, Receipt};

impl Scoreboard {
    /// Counts an action that this user has done, exactly once.
    ///
    /// When it returns `Ok`, the change is durable, no cache answers anything older, and whoever watches was told. The same
    /// action handed in again, at once or years later, gets the first receipt with `replayed` set; once its row is archived, it has expired.
    ///
    /// # Errors
    ///
    /// - [`Error::RateLimited`]: over the quota. Where the limiter knows, before anything else is looked at; where it has forgotten, the store does, on
    ///   its board.
    /// - [`Error::Rejected`]: forged, another's, out of its time, blocked, or out of range.
    /// - [`Error::Backend`]: if its kind is [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown), the action may have counted;
    ///   hand the same one in again to find out.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the action counts wholly or not at all; hand the same one in again to find out. It may be taken to be
    /// under way until its time is over, or until the user is to wait for it: then it is looked up.
    pub async fn submit(&self, user: UserId, action: SignedAction) -> Result<Receipt> {
        let admission = self.admit(user).await?; // 1. limit
        self.submit_admitted(admission, action).await
    }

    /// [`submit`](Self::submit) behind its first step.
    ///
    /// # Errors
    ///
    /// As `submit`; over the quota only where the limiter did not know.
    ///
    /// # Cancel safety
    ///
    /// As `submit`.
    pub async fn submit_admitted(&self, admission: Admission, action: SignedAction) -> Result<Receipt> {
        // 2. verify
        let action = self.verify(admission.user(), action)?;
        let now = self.moment_of(&action).await;
        let board = self.catalogue(&action.claims().board, now).await?;
        if let Err(rejection) = verify_moment(&action, &board, now) {
            return self
                .first_receipt(action.claims().id, action.fingerprint())
                .await?
                .ok_or(Error::Rejected(rejection));
        }

        // 3. assess
        let at_most = match self.assess(&action, &board, now).await? {
            Ok(condition) => condition,
            Err(finding) => {
                return match self.first_receipt(action.claims().id, action.fingerprint()).await? {
                    Some(receipt) => Ok(receipt),
                    None => Err(self.block(action.claims(), finding, now).await?.into()),
                };
            }
        };

        // 4. apply, and with its batch 5. refresh and 6. publish
        let claims = action.claims();
        let change = Change {
            action_id: claims.id,
            fingerprint: action.fingerprint(),
            board: claims.board.clone(),
            season: claims.season,
            user_id: claims.user_id,
            kind: claims.kind.clone(),
            points: claims.points,
            origin: Origin::Action,
            at: now,
            at_most,
            admitted: admission.admitted(),
        };
        let applied = self.apply(change).await;
        // Here, and not where the batch is applied: that may be another node, and what this user starts next, they start here.
        if matches!(applied, Ok(Applied::Yes(_) | Applied::AboveCount) | Err(Error::Rejected(_))) {
            self.parts.fraud.on_settled(claims.user_id, claims.id);
        }
        match applied? {
            Applied::Yes(receipt) => Ok(receipt),
            Applied::OverQuota(free_in) => Err(self.over_quota(&admission, free_in)),
            Applied::AboveCount => {
                let limit = at_most.map_or(0, |at_most| at_most.count);
                let finding =
                    Finding { rule: "above_daily_number", evidence: format!("more than {limit} in a day (UTC)") };
                Err(self.block(claims, finding, now).await?.into())
            }
        }
    }
}
