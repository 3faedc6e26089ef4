//! Actions, receipts and standings.

use scoreboard_core::{
    BoardId, DeviceId, KindId, MAX_SCORE, Points, RankStyle, Receipt, SignedAction, UserId, Version,
};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// What a user is about to do.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GenerateActionRequest {
    /// Where it shall count. Default: `main`.
    #[serde(default = "BoardId::main")]
    pub(crate) board: BoardId,
    /// What it is.
    pub(crate) kind: KindId,
    /// What it shall be worth: only for a kind with a range.
    #[serde(default)]
    pub(crate) points: Option<Points>,
}

/// A signed action.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionAnswer {
    pub(crate) action: SignedAction,
}

/// What a user has done.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UpdateRequest {
    /// As it was given.
    pub(crate) action: SignedAction,
    /// What the client calls the device that it runs on: a random UUID that it makes up itself, the same for all who play there, and another
    /// one now and then. For a day it is remembered, as a number, which accounts play on one device; nothing depends on it otherwise.
    #[schema(nullable = false)]
    pub(crate) device_id: Option<DeviceId>,
}

/// A receipt.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReceiptAnswer {
    pub(crate) receipt: Receipt,
}

/// A result that a trusted game server vouches for.
#[derive(Deserialize, ToSchema)]
#[schema(as = RecordRequest)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RecordBody {
    /// Where it counts. Default: `main`.
    #[serde(default = "BoardId::main")]
    pub(crate) board: BoardId,
    /// Whose it is.
    pub(crate) user_id: UserId,
    /// What was done.
    pub(crate) kind: KindId,
    /// What it is worth: only for a kind with a range.
    #[serde(default)]
    pub(crate) points: Option<Points>,
}

/// Whose standings are asked for.
#[derive(Deserialize, ToSchema)]
#[schema(as = StandingsRequest)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StandingsBody {
    /// Where. Default: `main`.
    #[serde(default = "BoardId::main")]
    pub(crate) board: BoardId,
    /// At most 100.
    #[schema(max_items = 100)]
    pub(crate) user_ids: Vec<UserId>,
    /// How equals are numbered. Default: `ordinal`.
    #[serde(default)]
    #[schema(inline)]
    pub(crate) style: RankStyle,
    /// The answer is at least this fresh.
    #[serde(default, deserialize_with = "version")]
    #[schema(value_type = i64, minimum = 0, maximum = 9007199254740991i64)]
    pub(crate) min_version: Version,
}

/// A version that every JSON reader has exactly, as in the parameters of other reads.
fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > MAX_SCORE.unsigned_abs() {
        return Err(D::Error::custom(format_args!("must be a whole number from 0 to {MAX_SCORE}")));
    }
    Ok(Version::new(number))
}
