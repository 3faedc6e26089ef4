//! Defects of incident stores.

use std::sync::Arc;

use async_trait::async_trait;

use super::defects;
use crate::error::BackendError;
use crate::fraud::{CaseStep, Incident, IncidentFile, IncidentFilter, IncidentStore, Recorded, StepOutcome};
use crate::ids::{ActionId, BoardId, IncidentId};
use crate::version::{Epoch, Position};

defects! {
    /// Each attempt gives an incident of its own.
    OneAnAttempt: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::OneAnAttempt };
    /// One action has one incident, whatever the rule.
    OneAnAction: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::OneAnAction };
    /// Incidents come oldest first.
    OldestFirst: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::OldestFirst };
    /// A repeat is told its own id.
    OwnIdTold: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::OwnIdTold };
    /// A repeat is told that it is new.
    AlwaysNew: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::AlwaysNew };
    /// What a rule has found in numbers is lost.
    FindingLost: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::FindingLost };
    /// A filter is applied to a page that was taken before.
    FilteredLate: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::FilteredLate };
    /// A step is taken whatever its revision.
    RevisionIgnored: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::RevisionIgnored };
    /// Steps are not kept.
    StepsForgotten: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::StepsForgotten };
    /// What was watched is the last that was said.
    WatchedGoesBack: |store: dyn IncidentStore| incident_store = Altered { store, alteration: Alteration::WatchedGoesBack };
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Alteration {
    OneAnAttempt,
    OneAnAction,
    OldestFirst,
    OwnIdTold,
    AlwaysNew,
    FindingLost,
    FilteredLate,
    RevisionIgnored,
    StepsForgotten,
    WatchedGoesBack,
}

#[derive(Debug)]
struct Altered {
    store: Arc<dyn IncidentStore>,
    alteration: Alteration,
}

#[async_trait]
impl IncidentStore for Altered {
    async fn record_incident(&self, incident: &Incident) -> Result<Recorded, BackendError> {
        let mut altered = incident.clone();
        match self.alteration {
            Alteration::OneAnAttempt => altered.action_id = ActionId::from_bytes(*incident.id.as_bytes()),
            Alteration::OneAnAction => altered.rule = "any".to_owned(),
            Alteration::FindingLost => altered.finding = None,
            _ => {}
        }
        let recorded = self.store.record_incident(&altered).await?;
        Ok(match (self.alteration, recorded) {
            (Alteration::OwnIdTold, Recorded::Known(_)) => Recorded::Known(incident.id),
            (Alteration::AlwaysNew, Recorded::Known(id)) => Recorded::New(id),
            _ => recorded,
        })
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, BackendError> {
        let all = IncidentFilter::default();
        let filter_there = if self.alteration == Alteration::FilteredLate { &all } else { filter };
        let mut incidents = self.store.incidents(filter_there, before, limit).await?;
        incidents.retain(|incident| filter.matches(incident));
        if self.alteration == Alteration::OldestFirst {
            incidents.reverse();
        }
        Ok(incidents)
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<IncidentFile>, BackendError> {
        let mut file = self.store.incident(id).await?;
        if let (Alteration::StepsForgotten, Some(file)) = (self.alteration, &mut file) {
            file.steps.clear();
        }
        Ok(file)
    }

    async fn take_step(&self, id: IncidentId, step: &CaseStep) -> Result<StepOutcome, BackendError> {
        let outcome = self.store.take_step(id, step).await?;
        match outcome {
            StepOutcome::ChangedMeanwhile(now) if self.alteration == Alteration::RevisionIgnored => {
                let step = CaseStep { revision: now.case.revision, ..step.clone() };
                self.store.take_step(id, &step).await
            }
            outcome => Ok(outcome),
        }
    }

    async fn watched(&self, board: &BoardId) -> Result<Option<Position>, BackendError> {
        let watched = self.store.watched(board).await?;
        // Kept in the epoch's place, so that the intact store lets it go back.
        Ok(match self.alteration {
            Alteration::WatchedGoesBack => watched.map(|position| Position { epoch: unpacked(position), ..position }),
            _ => watched,
        })
    }

    async fn set_watched(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        let said = match self.alteration {
            Alteration::WatchedGoesBack => {
                let calls = self.store.watched(board).await?.map_or(0, |before| before.epoch.get() >> 8) + 1;
                Position { epoch: Epoch::new(calls << 8 | position.epoch.get()), ..position }
            }
            _ => position,
        };
        self.store.set_watched(board, said).await
    }
}

fn unpacked(position: Position) -> Epoch {
    Epoch::new(position.epoch.get() & 0xff)
}
