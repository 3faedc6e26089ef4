//! Changes on their way into a store, and what became of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::Fingerprint;
use crate::board::Season;
use crate::clock::Timestamp;
use crate::ids::{ActionId, BoardId, KindId, UserId};
use crate::score::{Points, Score};
use crate::store::Admitted;
use crate::version::{Epoch, Version};

/// A change that is to be applied to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key under which it counts once.
    pub action_id: ActionId,
    /// Tells a repeat of the same request from another that reuses the id.
    pub fingerprint: Fingerprint,
    /// Where it counts.
    pub board: BoardId,
    /// The season it was made for.
    pub season: Season,
    /// Whose score it changes.
    pub user_id: UserId,
    /// What was done.
    pub kind: KindId,
    /// What it is worth.
    pub points: Points,
    /// Who vouches for it: no moderator.
    pub origin: Origin,
    /// When it counts.
    pub at: Timestamp,
    /// A condition that must hold inside the transaction.
    pub at_most: Option<AtMost>,
    /// Another such condition: its user's quota, as far as it is to hold on this board whatever the limiter knows.
    pub admitted: Option<Admitted>,
}

/// Who vouches for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// An action that the server signed.
    Action,
    /// A trusted game server.
    Record,
    /// A moderator: a row that no change makes, but a decision, whose id is the row's fingerprint.
    Correction,
}

/// Refuse the change if its user already has this many changes of its kind on its board since a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtMost {
    /// How many may count, this one included.
    pub count: u32,
    /// Counted from this moment on.
    pub since: Timestamp,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// It counts, durably, from now on.
    Applied(Receipt),
    /// It counted before: the first receipt, with `replayed` set.
    Replayed(Receipt),
    /// It does not count, and nothing was changed.
    Refused(Refusal),
}

impl Outcome {
    /// The receipt, if the change counts.
    #[must_use]
    pub const fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Applied(receipt) | Self::Replayed(receipt) => Some(receipt),
            Self::Refused(_) => None,
        }
    }
}

/// Why a store did not apply a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is no such board.
    UnknownBoard,
    /// The board is in another season.
    SeasonOver,
    /// The score would leave its range.
    ScoreOutOfRange,
    /// The id counted before, for another request.
    FingerprintMismatch,
    /// [`Change::at_most`] does not hold.
    AboveCount,
    /// More of its user's changes on its board were [admitted](Change::admitted) within one period than the quota allows: so long after this one
    /// was, there is room.
    OverQuota(Duration),
    /// Its user is banned.
    Banned,
    /// It says that it is a correction: those are made by decisions of moderators, and by nothing else.
    Correction,
    /// It is a signed action of a time whose log is archived: whether it counted then can no longer be told, so it does not now.
    Archived,
}

/// What the caller of an applied change gets, the same each time it asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// What counted.
    pub action_id: ActionId,
    /// Where.
    pub board: BoardId,
    /// In which season.
    pub season: Season,
    /// For whom.
    pub user_id: UserId,
    /// What it was worth.
    pub points: Points,
    /// The score before; `null` if the user was not on the board.
    pub previous_score: Option<Score>,
    /// The score after.
    pub score: Score,
    /// The rank at this version; `null` where the store does not rank.
    pub rank: Option<u64>,
    /// Compared before the version.
    pub epoch: Epoch,
    /// The version that the change took.
    pub version: Version,
    /// When it counted.
    pub applied_at: Timestamp,
    /// Whether this answer repeats an earlier one.
    pub replayed: bool,
    /// Whether others are shown what it came to: not if the user is held or shadowed. For those who follow what was applied; its user is not
    /// told.
    #[serde(skip)]
    pub is_shown: bool,
}
