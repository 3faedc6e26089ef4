//! Incidents, and what people do with them.

use scoreboard_core::{BoardId, CaseStep, Incident, IncidentFilter, IncidentId, IncidentStatus, Measure, UserId};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::names::Names;
use crate::query::within;

/// The longest note, in characters.
const MAX_NOTE: usize = 1_000;

/// Which incidents.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IncidentsParams {
    /// That stand so.
    #[param(nullable = false, inline)]
    status: Option<IncidentStatus>,
    /// That this user looks into.
    #[param(nullable = false)]
    assignee: Option<UserId>,
    /// About this user.
    #[param(nullable = false)]
    user: Option<UserId>,
    /// On this board.
    #[param(nullable = false)]
    board: Option<BoardId>,
    /// Of this rule.
    #[param(nullable = false, max_length = 100, pattern = "^[ -~]{0,100}$")]
    #[serde(default, deserialize_with = "rule")]
    rule: Option<String>,
    /// With this measure.
    #[param(nullable = false, inline)]
    measure: Option<Measure>,
    /// How many.
    #[serde(default, deserialize_with = "within::<_, 1, 100>")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, default = 20, nullable = false)]
    limit: Option<i64>,
    /// Older than this one: `next` of a page before.
    #[param(nullable = false)]
    pub(crate) before: Option<IncidentId>,
}

pub(super) fn rule<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() <= 100 && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Ok(Some(text));
    }
    Err(serde::de::Error::custom("must be at most 100 visible ASCII characters"))
}

impl IncidentsParams {
    pub(crate) fn limit(&self) -> usize {
        self.limit.map_or(20, |limit| limit.try_into().expect("the bounds fit"))
    }
}

impl From<IncidentsParams> for IncidentFilter {
    fn from(params: IncidentsParams) -> Self {
        let IncidentsParams { status, assignee, user, board, rule, measure, .. } = params;
        Self { status, assignee, user, board, rule, measure }
    }
}

/// A page of incidents.
#[derive(Serialize, ToSchema)]
pub(crate) struct IncidentsAnswer {
    /// The newest first.
    pub(crate) incidents: Vec<Incident>,
    /// What a next page begins behind; `null` if there is none.
    pub(crate) next: Option<IncidentId>,
    /// What those named here are called; who has no name is left out.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub(crate) names: Names,
}

/// An incident, with all that was done with it.
#[derive(Serialize, ToSchema)]
pub(crate) struct IncidentAnswer {
    pub(crate) incident: Incident,
    /// In the order in which they were taken; of an incident that was just changed, `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) steps: Option<Vec<CaseStep>>,
    /// What those named here are called, who has no name left out; of an incident that was just changed, `null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, String>>, nullable = false)]
    pub(crate) names: Option<Names>,
}

/// Who is to look into it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AssignRequest {
    /// `revision` of the incident as it was seen.
    pub(crate) revision: u32,
    /// A moderator or an admin; `null` for nobody.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    pub(crate) assignee: Option<UserId>,
    /// Why.
    #[serde(default, deserialize_with = "note")]
    #[schema(max_length = 1000)]
    pub(crate) note: String,
}

/// What it was.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DecideRequest {
    /// `revision` of the incident as it was seen.
    pub(crate) revision: u32,
    /// `open` takes a decision back, and leaves what was void as it is.
    pub(crate) status: IncidentStatus,
    /// Why.
    #[serde(default, deserialize_with = "note")]
    #[schema(max_length = 1000)]
    pub(crate) note: String,
    /// Of a confirmed incident: whether what was found no longer counts. By default so if its measure is `hold`.
    #[schema(nullable = false)]
    pub(crate) void: Option<bool>,
    /// Whether the user is let go whom a rule holds. By default so if it is dismissed and no other incident is open that is to hold them; whom people
    /// hold, shadow or ban stays so.
    #[schema(nullable = false)]
    pub(crate) release: Option<bool>,
}

fn note<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_plain = text.chars().all(|c| c == '\n' || !c.is_control());
    if text.chars().count() <= MAX_NOTE && is_plain {
        return Ok(text);
    }
    Err(serde::de::Error::custom("must have at most 1000 characters, none of them a control but line breaks"))
}
