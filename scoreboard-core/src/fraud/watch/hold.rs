//! Users held by a rule, until people have decided.

use crate::error::{BackendError, Chain, Error, Rejection};
use crate::fraud::watch::Shared;
use crate::fraud::{Incident, IncidentStatus};
use crate::ids::{IncidentId, ModerationId};
use crate::store::{Moderation, ModerationAct, ModerationRefusal};
use crate::version::Version;

impl Shared {
    /// Holds the user whom an open incident is about, unless that was done before, by whoever and however long ago.
    pub(super) async fn hold(&self, id: IncidentId) -> Result<(), BackendError> {
        let Some(incident) = self.incident(id).await? else { return Ok(()) };
        if incident.case.status != IncidentStatus::Open {
            return Ok(());
        }
        match self.scoreboard.carried_out(incident.hold_id()).await {
            Ok(None) => {}
            // Without a store of decisions it stays a proposal.
            Ok(Some(_)) | Err(Error::Rejected(Rejection::NoModeration)) => return Ok(()),
            Err(error) => return failed(&incident, error),
        }
        let held = match self.hold_since(&incident, self.first_found(&incident).await?).await {
            // What the log cannot tell any more stays shown, and what is to come is pending.
            Err(Error::Rejected(Rejection::Moderation(
                ModerationRefusal::Archived { .. } | ModerationRefusal::Differs { .. },
            ))) => self.hold_since(&incident, self.next_of(&incident).await?).await,
            held => held,
        };
        if let Err(error) = held {
            return failed(&incident, error);
        }
        metrics::counter!("scoreboard_fraud_holds_total", "rule" => incident.rule.clone()).increment(1);
        tracing::warn!(
            incident.id = %id, user.id = %incident.user_id, rule = incident.rule, moderation.id = %incident.hold_id(),
            "a user is held until people have decided"
        );
        let now = self.incident(id).await?;
        if now.is_some_and(|incident| incident.case.status == IncidentStatus::Dismissed) {
            // Somebody has let the user go while they were being held.
            let late = crate::encoding::uuid_for("scoreboard/late-hold/v1", &[incident.id.as_bytes()]);
            let (user_id, actions) = (incident.user_id, Vec::new());
            let act =
                ModerationAct::Conclude { incident: incident.id, confirmed: false, user_id, actions, release: true };
            if let Err(error) = self.carry_out(&incident, ModerationId::from_uuid(late), act).await {
                return failed(&incident, error);
            }
        }
        Ok(())
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, BackendError> {
        Ok(self.incidents().incident(id).await?.map(|file| file.incident))
    }

    async fn hold_since(&self, incident: &Incident, since: Version) -> Result<(), Error> {
        let (user_id, board) = (incident.user_id, incident.board.clone());
        self.carry_out(incident, incident.hold_id(), ModerationAct::Hold { user_id, board, since }).await
    }

    async fn carry_out(&self, incident: &Incident, id: ModerationId, act: ModerationAct) -> Result<(), Error> {
        let moderation = Moderation {
            id,
            at: self.scoreboard.clock().now(),
            by: format!("rule {}", incident.rule),
            reason: format!("incident {} of the rule {}", incident.id, incident.rule),
            act,
        };
        match self.scoreboard.moderate(&moderation).await {
            // Another node has done it meanwhile.
            Ok(_) | Err(Error::Rejected(Rejection::Moderation(ModerationRefusal::IdUsed))) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The version of the first action that was found.
    async fn first_found(&self, incident: &Incident) -> Result<Version, BackendError> {
        let found = match self.scoreboard.found_in(incident).await {
            Err(Error::Backend(error)) => return Err(error),
            found => found.unwrap_or_default(),
        };
        match found.first() {
            Some(first) => Ok(first.position.version),
            None => self.next_of(incident).await,
        }
    }

    /// The version of what is to come.
    async fn next_of(&self, incident: &Incident) -> Result<Version, BackendError> {
        let board = self.store().board(&incident.board).await?;
        Ok(board.map_or(Version::ZERO, |board| board.version).next())
    }
}

/// A backend's failure is tried again at the next look. A refusal would be refused again: people learn of it, and decide.
fn failed(incident: &Incident, error: Error) -> Result<(), BackendError> {
    match error {
        Error::Backend(error) => Err(error),
        error => {
            tracing::error!(incident.id = %incident.id, error = %Chain(&error), "whom a rule is to hold is not held");
            Ok(())
        }
    }
}
