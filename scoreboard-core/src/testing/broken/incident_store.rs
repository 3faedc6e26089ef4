//! Defects of incident stores.

use std::sync::Arc;

use async_trait::async_trait;

use super::defects;
use crate::error::BackendError;
use crate::fraud::{Incident, IncidentStore};
use crate::ids::{ActionId, IncidentId};

defects! {
    /// Each attempt gives an incident of its own.
    OneAnAttempt: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::OneAnAttempt };
    /// One action has one incident, whatever the rule.
    OneAnAction: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::OneAnAction };
    /// Incidents come oldest first.
    OldestFirst: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::OldestFirst };
    /// A repeat is told its own id.
    OwnIdTold: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::OwnIdTold };
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Alteration {
    OneAnAttempt,
    OneAnAction,
    OldestFirst,
    OwnIdTold,
}

#[derive(Debug)]
struct Altered {
    store: Arc<dyn IncidentStore>,
    alteration: Alteration,
}

#[async_trait]
impl IncidentStore for Altered {
    async fn record_incident(&self, incident: &Incident) -> Result<IncidentId, BackendError> {
        let mut altered = incident.clone();
        match self.alteration {
            Alteration::OneAnAttempt => altered.action_id = ActionId::from_bytes(*incident.id.as_bytes()),
            Alteration::OneAnAction => altered.rule = "any".to_owned(),
            Alteration::OldestFirst | Alteration::OwnIdTold => {}
        }
        let id = self.store.record_incident(&altered).await?;
        Ok(if self.alteration == Alteration::OwnIdTold { incident.id } else { id })
    }

    async fn incidents(&self, before: Option<IncidentId>, limit: usize) -> Result<Vec<Incident>, BackendError> {
        let mut incidents = self.store.incidents(before, limit).await?;
        if self.alteration == Alteration::OldestFirst {
            incidents.reverse();
        }
        Ok(incidents)
    }
}
