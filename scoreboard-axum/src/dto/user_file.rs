//! A user, as moderators are shown them.

use scoreboard_core::accounts::Role;
use scoreboard_core::{BoardId, CarriedOut, MAX_SCORE, Restricted, Standing, Timestamp, UserId, Version};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::names::Names;
use crate::query::within;

/// On which board.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UserFileParams {
    /// Where they stand.
    #[serde(default = "BoardId::main")]
    #[param(required = false)]
    pub(crate) board: BoardId,
}

/// Who a user is, what they may not, and what they have.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserFileAnswer {
    pub(crate) user_id: UserId,
    /// `null` of somebody who has no account here.
    pub(crate) account: Option<AccountAnswer>,
    /// What they may not; `null` if they are as any other.
    pub(crate) restriction: Option<Restricted>,
    /// The decision by which they may not.
    pub(crate) moderation: Option<CarriedOut>,
    /// Where they stand as they are told themselves, also where others are not shown it.
    pub(crate) standing: Standing,
    /// What those named here are called; who has no name is left out.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    pub(crate) names: Names,
}

/// An account, without what is its owner's alone.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountAnswer {
    /// What they want to be called.
    pub(crate) display_name: String,
    /// What they may do.
    pub(crate) roles: Vec<Role>,
    /// Since when there is an account.
    pub(crate) created_at: Timestamp,
}

/// Which actions of a user.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UserActionsParams {
    /// Which board.
    #[serde(default = "BoardId::main")]
    #[param(required = false)]
    pub(crate) board: BoardId,
    /// With versions below this one: `next` of a page before. By default the newest.
    #[serde(default, deserialize_with = "within::<_, 1, MAX_SCORE>")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 9007199254740991i64, nullable = false)]
    before: Option<i64>,
    /// How many.
    #[serde(default, deserialize_with = "within::<_, 1, 100>")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, default = 20, nullable = false)]
    limit: Option<i64>,
}

impl UserActionsParams {
    pub(crate) fn before(&self) -> Option<Version> {
        self.before.and_then(|version| u64::try_from(version).ok()).map(Version::new)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(20)
    }
}
