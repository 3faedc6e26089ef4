//! Where incidents are kept.

use std::fmt;

use async_trait::async_trait;

use crate::error::BackendError;
use crate::fraud::incident::{CaseStep, Incident, IncidentFile, IncidentStatus, Measure};
use crate::ids::{BoardId, IncidentId, UserId};
use crate::version::Position;

/// What became of an incident that was to be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Recorded {
    /// It is there now, under the id that it came with.
    New(IncidentId),
    /// It was there already, under this id.
    Known(IncidentId),
}

impl Recorded {
    /// The id under which it is there.
    #[must_use]
    pub const fn id(self) -> IncidentId {
        match self {
            Self::New(id) | Self::Known(id) => id,
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum StepOutcome {
    /// It was taken, now or by an earlier call with the same step; this is the incident after it.
    Taken(Incident),
    /// There is no such incident.
    Unknown,
    /// Somebody took another step meanwhile; nothing was changed. This is the incident as it stands.
    ChangedMeanwhile(Incident),
}

/// Which incidents: those that have all that is named here. The default has them all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncidentFilter {
    /// That stand so.
    pub status: Option<IncidentStatus>,
    /// That this user looks into.
    pub assignee: Option<UserId>,
    /// About this user.
    pub user: Option<UserId>,
    /// On this board.
    pub board: Option<BoardId>,
    /// Of this rule.
    pub rule: Option<String>,
    /// With this measure.
    pub measure: Option<Measure>,
}

impl IncidentFilter {
    /// Whether an incident has all that is named: the one definition, which stores may put into a query.
    #[must_use]
    pub fn matches(&self, incident: &Incident) -> bool {
        fn is<T: PartialEq>(wanted: &Option<T>, has: &T) -> bool {
            wanted.as_ref().is_none_or(|wanted| wanted == has)
        }
        is(&self.status, &incident.case.status)
            && (self.assignee.is_none() || self.assignee == incident.case.assignee)
            && is(&self.user, &incident.user_id)
            && is(&self.board, &incident.board)
            && is(&self.rule, &incident.rule)
            && is(&self.measure, &incident.measure)
    }
}

/// Keeps incidents, what people do with them, and how far the log was watched for more.
#[async_trait]
pub trait IncidentStore: fmt::Debug + Send + Sync + 'static {
    /// Writes an incident down, durably on `Ok`, unless there is one of the same id, or of the same action and rule: that one stays as it is,
    /// and its id is given.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it was written or was not; a repeat finds out.
    async fn record_incident(&self, incident: &Incident) -> Result<Recorded, BackendError>;

    /// The newest incidents of the filter first, older than the one given, at most `limit`; none, if there is no such one.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn incidents(
        &self,
        filter: &IncidentFilter,
        before: Option<IncidentId>,
        limit: usize,
    ) -> Result<Vec<Incident>, BackendError>;

    /// An incident, with all that was done with it; both true at one moment.
    ///
    /// # Errors
    ///
    /// As [`incidents`](Self::incidents).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn incident(&self, id: IncidentId) -> Result<Option<IncidentFile>, BackendError>;

    /// Takes a step with an incident if it still is at the step's revision: compares, replaces the [case](crate::Case) by what
    /// [`Case::after`](crate::Case::after) says, and keeps the step, all in one. Durable on `Ok`.
    ///
    /// A repeat of the last step that was taken is [`Taken`](StepOutcome::Taken) too, and changes nothing.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the step was taken wholly or not at all; a repeat finds out.
    async fn take_step(&self, id: IncidentId, step: &CaseStep) -> Result<StepOutcome, BackendError>;

    /// Up to where a board's log was watched, if it ever was.
    ///
    /// # Errors
    ///
    /// As [`incidents`](Self::incidents).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn watched(&self, board: &BoardId) -> Result<Option<Position>, BackendError>;

    /// Says that a board's log was watched up to here, durably on `Ok`: what is found later than that is not lost, what was found before is
    /// not looked for again. Never goes back: where it is further already, nothing is changed.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it is at the old or the new position.
    async fn set_watched(&self, board: &BoardId, position: Position) -> Result<(), BackendError>;
}
