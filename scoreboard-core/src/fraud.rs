//! Rules that decide whether an action is believed.

use std::fmt;

use async_trait::async_trait;
use serde::Serialize;

use crate::action::{Claims, VerifiedAction};
use crate::board::Board;
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::{ActionId, UserId};
use crate::limiter::Usage;
use crate::store::AtMost;

mod deterministic;
mod device_id;
mod incident;
mod incident_store;
mod outstanding;
mod sightings;
pub mod statistical;
mod watch;

pub use deterministic::DeterministicRules;
pub use device_id::DeviceId;
pub use incident::{Case, CaseStep, Deed, Incident, IncidentFile, IncidentStatus, Measure};
pub use incident_store::{IncidentFilter, IncidentStore, Recorded, StepOutcome};
pub use outstanding::{OutstandingAction, OutstandingActions, Started};
pub use sightings::Sightings;
pub use watch::{FraudWatch, FraudWatchConfig, WatchProgress};

/// What the rules say of an action that is handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Apply it, if the condition holds inside the transaction.
    Allow(Option<AtMost>),
    /// Do not apply it, and write down why.
    Block(Finding),
}

/// What the rules say of an action that is about to start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum IssueVerdict {
    /// Sign it.
    Allow,
    /// Too many are under way. Those of `waited_for` that turn out to have counted, and nobody has said so, are
    /// [settled](FraudDetector::on_settled), and it is asked again.
    Wait {
        /// How many, and when there is room again.
        usage: Usage,
        /// Which.
        waited_for: Vec<ActionId>,
    },
}

/// Why a rule stopped an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// What was measured, in words with units.
    pub evidence: String,
}

/// Decides whether actions are believed. Custom rules implement this and may pass on to [`DeterministicRules`].
#[async_trait]
pub trait FraudDetector: fmt::Debug + Send + Sync + 'static {
    /// Looks at an action before it is signed.
    ///
    /// # Errors
    ///
    /// If a backend of the rules fails; the action is then not signed.
    ///
    /// # Cancel safety
    ///
    /// The action may be counted as started though it was never handed out, until it expires.
    async fn on_issue(&self, claims: &Claims, now: Timestamp) -> Result<IssueVerdict, BackendError>;

    /// Looks at a verified action before it is applied. A repeat must get the same verdict while nothing else has happened.
    ///
    /// # Errors
    ///
    /// If a backend of the rules fails; the action is then not applied.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn on_submit(&self, action: &VerifiedAction, board: &Board, now: Timestamp) -> Result<Verdict, BackendError>;

    /// Learns that an action was applied, or refused for good: it is no longer under way. Waits for nobody. Where who handed it in has gone
    /// away, nobody may say so: name what somebody [waits for](IssueVerdict::Wait), and it is looked up.
    fn on_settled(&self, user: UserId, action: ActionId);
}
