//! Incidents in memory.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::clock::Timestamp;
use crate::error::{BackendError, ErrorKind};
use crate::fraud::{Incident, IncidentStore};
use crate::ids::{ActionId, IncidentId};

/// An [`IncidentStore`] in memory.
///
/// ```
/// use scoreboard_core::memory::MemoryIncidentStore;
/// use scoreboard_core::IncidentStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryIncidentStore::default();
/// assert!(store.incidents(None, 10).await?.is_empty());
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

/// Sorted by time; the id parts those of one moment.
type Place = (Timestamp, IncidentId);

#[derive(Default)]
struct Incidents {
    by_time: BTreeMap<Place, Incident>,
    places: HashMap<IncidentId, Place>,
    first_of: HashMap<(ActionId, String), IncidentId>,
}

#[async_trait]
impl IncidentStore for MemoryIncidentStore {
    async fn record_incident(&self, incident: &Incident) -> Result<IncidentId, BackendError> {
        let mut incidents = self.incidents.lock();
        let found = (incident.action_id, incident.rule.clone());
        if let Some(first) = incidents.first_of.get(&found) {
            return Ok(*first);
        }
        if incidents.places.contains_key(&incident.id) {
            let error = BackendError::new(ErrorKind::Refused, "memory", "record incident");
            return Err(error.because("the id names another incident"));
        }
        let place = (incident.at, incident.id);
        incidents.first_of.insert(found, incident.id);
        incidents.places.insert(incident.id, place);
        incidents.by_time.insert(place, incident.clone());
        Ok(incident.id)
    }

    async fn incidents(&self, before: Option<IncidentId>, limit: usize) -> Result<Vec<Incident>, BackendError> {
        let incidents = self.incidents.lock();
        let newest = |older: &mut dyn DoubleEndedIterator<Item = (&Place, &Incident)>| {
            older.rev().take(limit).map(|(_, incident)| incident.clone()).collect()
        };
        Ok(match before {
            None => newest(&mut incidents.by_time.iter()),
            Some(id) => match incidents.places.get(&id) {
                Some(place) => newest(&mut incidents.by_time.range(..place)),
                None => Vec::new(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BoardId, UserId};

    fn incident(n: u8, action: u8, rule: &str) -> Incident {
        Incident {
            id: IncidentId::from_bytes([n; 16]),
            at: Timestamp::from_millis(i64::from(n / 2)),
            board: BoardId::main(),
            user_id: UserId::from_bytes([1; 16]),
            action_id: ActionId::from_bytes([action; 16]),
            rule: rule.to_owned(),
            evidence: String::new(),
        }
    }

    #[tokio::test]
    async fn one_action_and_rule_give_one_incident() {
        let store = MemoryIncidentStore::new();
        let first = store.record_incident(&incident(1, 7, "too-fast")).await.unwrap();
        assert_eq!(store.record_incident(&incident(2, 7, "too-fast")).await.unwrap(), first);
        assert_ne!(store.record_incident(&incident(3, 7, "too-many")).await.unwrap(), first);
        assert_eq!(store.incidents(None, 10).await.unwrap().len(), 2);
        assert!(store.record_incident(&incident(1, 8, "too-fast")).await.is_err());
    }

    #[tokio::test]
    async fn pages_go_from_the_newest_back() {
        let store = MemoryIncidentStore::new();
        for n in 0..10 {
            store.record_incident(&incident(n, n, "too-fast")).await.unwrap();
        }
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = store.incidents(before, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            seen.extend(page.iter().map(|incident| incident.id.as_bytes()[0]));
        }
        assert_eq!(seen, (0..10).rev().collect::<Vec<_>>());
        assert!(store.incidents(Some(IncidentId::from_bytes([99; 16])), 3).await.unwrap().is_empty());
    }
}
