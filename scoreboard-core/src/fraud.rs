//! Rules that decide whether an action is believed.

use std::fmt;

use async_trait::async_trait;
use serde::Serialize;

use crate::action::{Claims, VerifiedAction};
use crate::board::Board;
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::{ActionId, BoardId, IncidentId, UserId};
use crate::limiter::Usage;
use crate::store::AtMost;

mod deterministic;
mod outstanding;

pub use deterministic::DeterministicRules;

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
    /// Too many are under way. Those of `waited_for` that turn out to have counted, by way of another node, are
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

/// A finding, written down. The same action and rule give one incident, however often it is tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Incident {
    /// Its name: all that the user is told.
    pub id: IncidentId,
    /// When it was found first.
    pub at: Timestamp,
    /// Where.
    pub board: BoardId,
    /// Whose action.
    pub user_id: UserId,
    /// Which action.
    pub action_id: ActionId,
    /// The rule's name.
    pub rule: String,
    /// What was measured.
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

    /// Learns that an action was applied, or refused for good: it is no longer under way.
    fn on_settled(&self, user: UserId, action: ActionId);
}

/// Keeps incidents.
#[async_trait]
pub trait IncidentStore: fmt::Debug + Send + Sync + 'static {
    /// Writes an incident down, durably on `Ok`, and gives its id: that of the first incident of the same action and rule, if
    /// there is one.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it was written or was not; a repeat finds out.
    async fn record_incident(&self, incident: &Incident) -> Result<IncidentId, BackendError>;

    /// The newest incidents first, older than the one given, at most `limit`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn incidents(&self, before: Option<IncidentId>, limit: usize) -> Result<Vec<Incident>, BackendError>;
}
