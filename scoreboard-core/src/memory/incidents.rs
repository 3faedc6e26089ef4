//! Incidents in memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::error::BackendError;
use crate::fraud::{CaseStep, Incident, IncidentFile, IncidentFilter, IncidentStore, Recorded, StepOutcome};
use crate::ids::{ActionId, BoardId, IncidentId};
use crate::version::Position;

/// An [`IncidentStore`] in memory.
///
/// ```
/// use scoreboard_core::memory::MemoryIncidentStore;
/// use scoreboard_core::{IncidentFilter, IncidentStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryIncidentStore::default();
/// assert!(store.incidents(&IncidentFilter::default(), None, 10).await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryIncidentStore {
    incidents: Arc<Mutex<Incidents>>,
}

impl MemoryIncidentStore {
    /// A store without incidents.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for MemoryIncidentStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryIncidentStore").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Incidents {
    /// In the order in which they were written down.
    files: Vec<IncidentFile>,
    places: HashMap<IncidentId, usize>,
    first_of: HashMap<(ActionId, String), IncidentId>,
    watched: HashMap<BoardId, Position>,
}

#[async_trait]
impl IncidentStore for MemoryIncidentStore {
    async fn record_incident(&self, incident: &Incident) -> Result<Recorded, BackendError> {
        let mut incidents = self.incidents.lock();
        let found = (incident.action_id, incident.rule.clone());
        if let Some(first) = incidents.first_of.get(&found) {
            return Ok(Recorded::Known(*first));
        }
        if incidents.places.contains_key(&incident.id) {
            return Ok(Recorded::Known(incident.id));
        }
        let place = incidents.files.len();
        incidents.first_of.insert(found, incident.id);
        incidents.places.insert(incident.id, place);
        incidents.files.push(IncidentFile { incident: incident.clone(), steps: Vec::new() });
        Ok(Recorded::New(incident.id))
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, BackendError> {
        let incidents = self.incidents.lock();
        let older = match before {
            None => incidents.files.len(),
            Some(id) => incidents.places.get(&id).copied().unwrap_or_default(),
        };
        let newest = incidents.files[..older].iter().rev().map(|file| &file.incident);
        Ok(newest.filter(|incident| filter.matches(incident)).take(limit).cloned().collect())
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<IncidentFile>, BackendError> {
        let incidents = self.incidents.lock();
        Ok(incidents.places.get(&id).map(|place| incidents.files[*place].clone()))
    }

    async fn take_step(&self, id: IncidentId, step: &CaseStep) -> Result<StepOutcome, BackendError> {
        let incidents = &mut *self.incidents.lock();
        let Some(&place) = incidents.places.get(&id) else { return Ok(StepOutcome::Unknown) };
        let file = &mut incidents.files[place];
        if let Some(case) = file.incident.case.after(step) {
            file.incident.case = case;
            file.steps.push(step.clone());
        } else if file.steps.last() != Some(step) {
            return Ok(StepOutcome::ChangedMeanwhile(file.incident.clone()));
        }
        Ok(StepOutcome::Taken(file.incident.clone()))
    }

    async fn watched(&self, board: &BoardId) -> Result<Option<Position>, BackendError> {
        Ok(self.incidents.lock().watched.get(board).copied())
    }

    async fn set_watched(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        let mut incidents = self.incidents.lock();
        let watched = incidents.watched.entry(board.clone()).or_insert(position);
        *watched = position.max(*watched);
        Ok(())
    }
}
