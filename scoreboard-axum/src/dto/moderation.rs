//! Decisions of moderators.

use scoreboard_core::{
    ActionId, BoardId, CarriedOut, ModerationId, Preview, Restricted, Restriction, Selection, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::dto::incidents::rule;
use crate::names::Names;
use crate::query::within;

/// Which actions are void, or are no longer: those that are named, those that have something in common, or those of another decision.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ActionsRequest {
    /// Names the decision: sent again, it is not carried out again. By default a new one.
    #[schema(nullable = false)]
    pub(crate) id: Option<ModerationId>,
    /// These actions.
    #[schema(nullable = false, max_items = 2000)]
    pub(crate) actions: Option<Vec<ActionId>>,
    /// Instead: those that these conditions hold of.
    #[schema(nullable = false)]
    pub(crate) select: Option<SelectBody>,
    /// Instead: those that this decision was about, however many. So it is taken back.
    #[schema(nullable = false)]
    pub(crate) moderation: Option<ModerationId>,
    /// Why; it is kept.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: String,
    /// Only tell what would change.
    #[serde(default)]
    #[schema(required = false)]
    pub(crate) dry_run: bool,
}

/// Conditions that all hold of an action. A user or a rule must be named.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SelectBody {
    /// On this board; by default on all.
    #[schema(nullable = false)]
    board: Option<BoardId>,
    /// Of this user.
    #[schema(nullable = false)]
    user_id: Option<UserId>,
    /// Of the users about whom this fraud rule has written an incident down that nobody has dismissed, on its board.
    #[serde(default, deserialize_with = "rule")]
    #[schema(nullable = false, max_length = 100, pattern = "^[ -~]{0,100}$")]
    rule: Option<String>,
    /// Counted from this moment on.
    #[schema(nullable = false)]
    from: Option<Timestamp>,
    /// Counted before this moment.
    #[schema(nullable = false)]
    until: Option<Timestamp>,
}

impl From<SelectBody> for Selection {
    fn from(SelectBody { board, user_id, rule, from, until }: SelectBody) -> Self {
        let mut selection = Self::default();
        (selection.board, selection.user, selection.rule) = (board, user_id, rule);
        (selection.from, selection.until) = (from, until);
        selection
    }
}

/// What a user may not from now on.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RestrictionRequest {
    /// Names the decision, as above.
    #[schema(nullable = false)]
    pub(crate) id: Option<ModerationId>,
    /// Which of the three.
    pub(crate) restriction: Restriction,
    /// Why; it is kept.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: String,
    /// Only tell what would change.
    #[serde(default)]
    #[schema(required = false)]
    pub(crate) dry_run: bool,
}

/// That a user is as any other again.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LiftRequest {
    /// Names the decision, as above.
    #[schema(nullable = false)]
    pub(crate) id: Option<ModerationId>,
    /// Why; it is kept.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: String,
    /// Only tell what would change.
    #[serde(default)]
    #[schema(required = false)]
    pub(crate) dry_run: bool,
}

/// What became of a decision, or would.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModerationAnswer {
    /// The decision as it was carried out; left out of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) moderation: Option<CarriedOut>,
    /// Whether it was carried out before, and nothing was done now.
    pub(crate) replayed: bool,
    /// What would change; only in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) preview: Option<Preview>,
}

/// What was decided.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModerationsAnswer {
    /// Newest first.
    pub(crate) moderations: Vec<CarriedOut>,
    /// What those named here are called; who has no name is left out.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub(crate) names: Names,
}

/// What a user may not.
#[derive(Serialize, ToSchema)]
pub(crate) struct RestrictionAnswer {
    /// `null` if they are as any other.
    pub(crate) restriction: Option<Restricted>,
}

/// Which decisions.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ModerationsParams {
    /// Before this decision; the newest by default.
    #[param(nullable = false)]
    pub(crate) before: Option<ModerationId>,
    /// How many.
    #[serde(default, deserialize_with = "within::<_, 1, 100>")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, default = 10, nullable = false)]
    limit: Option<i64>,
}

impl ModerationsParams {
    pub(crate) fn limit(&self) -> usize {
        self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10)
    }
}
