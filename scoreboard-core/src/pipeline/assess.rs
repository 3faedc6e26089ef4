//! Step 3, **assess**: do the fraud rules believe it?

use crate::action::{Claims, VerifiedAction};
use crate::board::Board;
use crate::clock::Timestamp;
use crate::error::{Rejection, Result};
use crate::fraud::{Case, Finding, Incident, Measure, Verdict};
use crate::id_source::IdSourceExt;
use crate::ids::IncidentId;
use crate::pipeline::Scoreboard;
use crate::store::AtMost;

impl Scoreboard {
    /// Asks the rules: what they leave to the transaction to check, or the finding for which they block the action.
    pub(super) async fn assess(
        &self,
        action: &VerifiedAction,
        board: &Board,
        now: Timestamp,
    ) -> Result<Result<Option<AtMost>, Finding>> {
        Ok(match self.parts.fraud.on_submit(action, board, now).await? {
            Verdict::Allow(condition) => Ok(condition),
            Verdict::Block(finding) => Err(finding),
        })
    }

    /// Writes a finding down and gives the refusal that names it.
    pub(super) async fn block(&self, claims: &Claims, finding: Finding, now: Timestamp) -> Result<Rejection> {
        let incident = Incident {
            id: IncidentId::from_uuid(self.parts.ids.uuid(now)),
            at: now,
            board: claims.board.clone(),
            user_id: claims.user_id,
            action_id: claims.id,
            rule: finding.rule.to_owned(),
            evidence: finding.evidence,
            measure: Measure::Block,
            finding: None,
            case: Case::default(),
        };
        let id = self.parts.incidents.record_incident(&incident).await?.id();
        metrics::counter!("scoreboard_fraud_findings_total", "rule" => finding.rule, "measure" => "block").increment(1);
        tracing::warn!(
            incident.id = %id, board.id = %incident.board, user.id = %incident.user_id, action.id = %incident.action_id,
            rule = incident.rule, evidence = incident.evidence, "an action was blocked"
        );
        Ok(Rejection::Blocked(id))
    }
}
