//! People told of incidents: each once, and never so many that nobody reads them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::accounts::{Email, Message, MessageKind, Notifier};
use crate::clock::{Clock, Timestamp};
use crate::encoding::uuid_for;
use crate::error::{BackendError, Chain};
use crate::fraud::{CaseStep, Incident, IncidentFile, IncidentFilter, IncidentStore, Measure, Recorded, StepOutcome};
use crate::ids::{BoardId, IncidentId, UserId};
use crate::version::Position;

/// Of so many users and rules it is remembered that they were told of.
const MAX_TOLD: usize = 10_000;

/// Whom alerts go to, and how many.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IncidentAlertsConfig {
    /// Nobody is told of less than this. Default: of all.
    pub least: Measure,
    /// For so long nobody is told again of the same user and rule. Default: an hour.
    pub quiet: Duration,
    /// So many alerts are sent in an hour; the next one then says how many were not. Default: 20.
    pub per_hour: usize,
    /// Where incidents are looked at: alerts end with it and the incident's id. Default: the path alone.
    pub url: String,
}

impl Default for IncidentAlertsConfig {
    fn default() -> Self {
        let url = "/api/admin/incidents/".to_owned();
        Self { least: Measure::Flag, quiet: Duration::from_secs(3600), per_hour: 20, url }
    }
}

/// An [`IncidentStore`] that tells people of what is written down for the first time.
///
/// An alert may be lost, with the process or by its carrier, and never holds an incident up: the list of open incidents is what counts. What
/// became of alerts is in `scoreboard_incident_alerts_total`, by `outcome`.
#[derive(Debug)]
pub struct IncidentAlerts {
    inner: Arc<dyn IncidentStore>,
    carriers: Vec<(Arc<dyn Notifier>, Email)>,
    clock: Arc<dyn Clock>,
    config: IncidentAlertsConfig,
    sent: Mutex<Sent>,
}

#[derive(Debug, Default)]
struct Sent {
    /// Of whom and of which rule, and when.
    told: HashMap<(UserId, String), Timestamp>,
    /// When alerts were sent, within the last hour.
    times: VecDeque<Timestamp>,
    /// How many were not, since the last that was.
    unsent: u64,
}

impl IncidentAlerts {
    /// Before this store; alerts go by each of the carriers, to the address beside it: one that carries by other ways than mail ignores it.
    /// Each takes a message at once: put an outbox before those that do not.
    #[must_use]
    pub fn new(
        inner: Arc<dyn IncidentStore>,
        carriers: Vec<(Arc<dyn Notifier>, Email)>,
        clock: Arc<dyn Clock>,
        config: IncidentAlertsConfig,
    ) -> Self {
        Self { inner, carriers, clock, config, sent: Mutex::default() }
    }

    async fn alert(&self, incident: &Incident) {
        if incident.measure < self.config.least {
            return;
        }
        let unsent = self.sent.lock().take_turn(incident, &self.config, self.clock.now());
        let Some(unsent) = unsent else {
            metrics::counter!("scoreboard_incident_alerts_total", "outcome" => "held_back").increment(1);
            return;
        };
        for (carrier, address) in &self.carriers {
            let outcome = match carrier.deliver(&self.message(incident, address, unsent)).await {
                Ok(()) => "taken",
                Err(error) => {
                    tracing::warn!(incident.id = %incident.id, error = %Chain(&error), "nobody could be told of an incident");
                    "refused"
                }
            };
            metrics::counter!("scoreboard_incident_alerts_total", "outcome" => outcome).increment(1);
        }
    }

    fn message(&self, incident: &Incident, address: &Email, unsent: u64) -> Message {
        let Incident { id, at, board, user_id, rule, evidence, measure, .. } = incident;
        let done = match measure {
            Measure::Flag => "nothing was done",
            Measure::Hold => "the user's points are to be held back until somebody has decided",
            Measure::Block => "the action was not counted",
        };
        let more = match unsent {
            0 => String::new(),
            unsent => format!("\nNobody was told of {unsent} more since the last alert.\n"),
        };
        let url = &self.config.url;
        Message {
            // One for each recipient, and the same however often it is tried.
            id: uuid_for("scoreboard/alert/v1", &[id.as_bytes(), address.as_str().as_bytes()]),
            kind: MessageKind::Incident,
            user_id: *user_id,
            email: address.clone(),
            subject: format!("scoreboard: incident: {rule} on {board} ({})", measure.as_str()),
            text: format!("{evidence}\n\nUser {user_id} on the board {board}, at {at}: {done}.\n{url}{id}\n{more}"),
            expires_at: None,
        }
    }
}

impl Sent {
    /// `None` if nobody is to be told of it; else how many were not told of since the last alert.
    fn take_turn(&mut self, incident: &Incident, config: &IncidentAlertsConfig, now: Timestamp) -> Option<u64> {
        const HOUR: Duration = Duration::from_secs(3600);
        let what = (incident.user_id, incident.rule.clone());
        if self.told.get(&what).is_some_and(|at| now.since(*at) < config.quiet) {
            self.unsent += 1;
            return None;
        }
        while self.times.front().is_some_and(|at| now.since(*at) >= HOUR) {
            self.times.pop_front();
        }
        if self.times.len() >= config.per_hour {
            self.unsent += 1;
            return None;
        }
        if self.told.len() >= MAX_TOLD {
            self.told.retain(|_, at| now.since(*at) < config.quiet);
        }
        if self.told.len() < MAX_TOLD {
            self.told.insert(what, now);
        }
        self.times.push_back(now);
        Some(std::mem::take(&mut self.unsent))
    }
}

#[async_trait]
impl IncidentStore for IncidentAlerts {
    async fn record_incident(&self, incident: &Incident) -> Result<Recorded, BackendError> {
        let recorded = self.inner.record_incident(incident).await?;
        if let Recorded::New(_) = recorded {
            self.alert(incident).await;
        }
        Ok(recorded)
    }

    async fn incidents(
        &self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, BackendError> {
        self.inner.incidents(filter, before, limit).await
    }

    async fn incident(&self, id: IncidentId) -> Result<Option<IncidentFile>, BackendError> {
        self.inner.incident(id).await
    }

    async fn take_step(&self, id: IncidentId, step: &CaseStep) -> Result<StepOutcome, BackendError> {
        self.inner.take_step(id, step).await
    }

    async fn watched(&self, board: &BoardId) -> Result<Option<Position>, BackendError> {
        self.inner.watched(board).await
    }

    async fn set_watched(&self, board: &BoardId, position: Position) -> Result<(), BackendError> {
        self.inner.set_watched(board, position).await
    }
}
