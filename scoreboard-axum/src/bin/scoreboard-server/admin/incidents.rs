//! Incidents: listed, and decided.

use scoreboard_core::{CaseDecision, Chain, IncidentFilter, IncidentId, IncidentStatus, StepOutcome};

use super::moderation::{refused, scoreboard};
use crate::cli::CaseFlags;
use crate::failure::{Failure, Result};
use crate::store::Stores;

pub(super) async fn list(stores: &Stores, limit: usize) -> Result<String> {
    let incidents = stores.incidents.incidents(&IncidentFilter::default(), None, limit).await?;
    if incidents.is_empty() {
        return Ok("no incidents".to_owned());
    }
    let mut text = String::new();
    for incident in incidents {
        let line = serde_json::to_string(&incident).map_err(|error| Failure::new(Chain(&error)))?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}

pub(super) async fn confirm(stores: &Stores, id: IncidentId, void: Option<bool>, case: CaseFlags) -> Result<String> {
    decide(stores, id, IncidentStatus::Confirmed, void, case).await
}

pub(super) async fn dismiss(stores: &Stores, id: IncidentId, case: CaseFlags) -> Result<String> {
    decide(stores, id, IncidentStatus::Dismissed, None, case).await
}

async fn decide(
    stores: &Stores,
    incident: IncidentId,
    status: IncidentStatus,
    void: Option<bool>,
    case: CaseFlags,
) -> Result<String> {
    let CaseFlags { by, reason: note, release } = case;
    let Some((user, _)) = stores.accounts.user_by_email(&by).await? else {
        return Err(Failure::new(format_args!("there is no user {}", by.as_str())));
    };
    let unknown = || Failure::new(format_args!("there is no incident {incident}"));
    let file = stores.incidents.incident(incident).await?.ok_or_else(unknown)?;
    let case = file.incident.case;
    // Who tries again decides what was seen the first time.
    let revision = if case.status == status { case.revision.saturating_sub(1) } else { case.revision };
    let decision =
        CaseDecision { incident, revision, by: user.id, at: stores.now().await?, status, note, void, release };
    match scoreboard(stores).decide(&decision).await.map_err(|error| refused(&error))? {
        StepOutcome::Taken(incident) => Ok(format!("incident {} is {}", incident.id, incident.case.status.as_str())),
        StepOutcome::Unknown => Err(unknown()),
        StepOutcome::ChangedMeanwhile(now) => {
            Err(Failure::new(format_args!("somebody has decided the incident: it is {}", now.case.status.as_str())))
        }
    }
}
