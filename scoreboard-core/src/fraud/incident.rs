//! What was found, written down, and what people make of it.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::fraud::statistical::Evidence;
use crate::ids::{ActionId, BoardId, IncidentId, UserId};

/// What was done, or is proposed to be done, about a finding. Statistical rules never go past [`Hold`](Self::Hold).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Nothing but that a person is told.
    Flag,
    /// The user's points are held back until a person has decided, or are to be, where holds are left to people.
    Hold,
    /// The action was not applied.
    Block,
}

impl Measure {
    /// As on the wire: `flag`, `hold`, `block`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Hold => "hold",
            Self::Block => "block",
        }
    }
}

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum IncidentStatus {
    /// Nobody has decided.
    #[default]
    Open,
    /// It was fraud.
    Confirmed,
    /// It was not.
    Dismissed,
}

impl IncidentStatus {
    /// As on the wire: `open`, `confirmed`, `dismissed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Confirmed => "confirmed",
            Self::Dismissed => "dismissed",
        }
    }
}

/// A finding, written down. The same id, or the same action and rule, is one incident, however often it is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// Which action: of several, the one with which it was found.
    pub action_id: ActionId,
    /// The rule's name.
    pub rule: String,
    /// What was measured, in words.
    pub evidence: String,
    /// What was done, or is proposed.
    pub measure: Measure,
    /// What a statistical rule has found, in numbers; `null` of the other rules.
    pub finding: Option<Evidence>,
    /// What people have made of it.
    #[serde(flatten)]
    pub case: Case,
}

impl Incident {
    /// The id of what a statistical rule finds of a user on a board: one a measure and day (UTC), so that a rule that goes on finding the same is one
    /// incident, on whatever node, and after a restart. A UUIDv8 (RFC 9562 §5.8), made of a hash.
    #[must_use]
    pub fn id_of_day(board: &BoardId, user: UserId, rule: &str, measure: Measure, at: Timestamp) -> IncidentId {
        let day = at.start_of_day().as_millis().to_be_bytes();
        let measure = measure.as_str().as_bytes();
        let pieces: [&[u8]; 5] = [board.as_str().as_bytes(), user.as_bytes(), rule.as_bytes(), measure, &day];
        IncidentId::from_uuid(crate::encoding::uuid_for("scoreboard/incident/v1", &pieces))
    }
}

/// What people have made of an incident: the fold of its [steps](CaseStep).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Case {
    /// Where it stands.
    pub status: IncidentStatus,
    /// Who looks into it.
    pub assignee: Option<UserId>,
    /// Who decided, if somebody has.
    pub decided_by: Option<UserId>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// Why.
    pub note: String,
    /// How many steps were taken: what the next one names.
    pub revision: u32,
}

/// What somebody does with an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Deed {
    /// Gives it to somebody, or to nobody.
    Assign(Option<UserId>),
    /// Confirms it, dismisses it, or opens it again.
    Decide(IncidentStatus),
}

/// A step that somebody took with an incident. It is kept for ever: who did what, when, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CaseStep {
    /// The [`Case::revision`] that who took it had before their eyes.
    pub revision: u32,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: UserId,
    /// What.
    pub deed: Deed,
    /// Why.
    pub note: String,
}

impl Case {
    /// What the case is after this step: the one definition, used by every store. `None` if it was taken from another revision.
    #[must_use]
    pub fn after(&self, step: &CaseStep) -> Option<Self> {
        if step.revision != self.revision {
            return None;
        }
        let mut next = Self { revision: self.revision.checked_add(1)?, ..self.clone() };
        match step.deed {
            Deed::Assign(to) => next.assignee = to,
            Deed::Decide(status) => {
                let is_decided = status != IncidentStatus::Open;
                next.status = status;
                next.decided_by = is_decided.then_some(step.by);
                next.decided_at = is_decided.then_some(step.at);
                next.note.clone_from(&step.note);
            }
        }
        Some(next)
    }
}

/// An incident with all that was done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentFile {
    /// The incident as it stands.
    pub incident: Incident,
    /// The steps, in the order in which they were taken.
    pub steps: Vec<CaseStep>,
}
