//! Rows of the log, and the scores that they fold to.

use serde::{Deserialize, Serialize};

use crate::action::Fingerprint;
use crate::board::Season;
use crate::clock::Timestamp;
use crate::ids::{ActionId, BoardId, KindId, UserId};
use crate::score::{Points, Score};
#[cfg(doc)]
use crate::store::Change;
use crate::store::{Origin, Receipt, RowDigest};
use crate::version::{Position, Version};

/// A row of the log: one change that was applied, or one correction, with all that is needed to fold it, and to take it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// The version it took, in the epoch in which it did.
    pub position: Position,
    /// What counted.
    pub action_id: ActionId,
    /// See [`Change::fingerprint`].
    pub fingerprint: Fingerprint,
    /// In which season.
    pub season: Season,
    /// For whom.
    pub user_id: UserId,
    /// What was done.
    pub kind: KindId,
    /// What it was worth.
    pub points: Points,
    /// Who vouched for it.
    pub origin: Origin,
    /// What the user had before; `None` if nothing.
    pub previous: Option<Reached>,
    /// The user's score after; zero where a correction leaves none.
    pub score: Score,
    /// When it counted.
    pub at: Timestamp,
    /// What the user has after a [correction](Origin::Correction), if anything; `None` in all other rows.
    pub corrected: Option<Reached>,
    /// What others are shown of the user from this row on.
    pub visibility: Visibility,
    /// What makes the log a hash chain; `None` for a row of a release that knew of none.
    pub digest: Option<RowDigest>,
}

/// What others are shown of what a user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Visibility {
    /// All of it.
    #[default]
    Shown,
    /// What they were shown before: the user is held.
    AsBefore,
    /// Nothing: the user is shadowed or banned.
    Nothing,
}

impl LogRow {
    /// The receipt that this row stands for.
    #[must_use]
    pub fn receipt(&self, board: &BoardId, replayed: bool) -> Receipt {
        Receipt {
            action_id: self.action_id,
            board: board.clone(),
            season: self.season,
            user_id: self.user_id,
            points: self.points,
            previous_score: self.previous.map(|previous| previous.score),
            score: self.score,
            rank: None,
            epoch: self.position.epoch,
            version: self.position.version,
            applied_at: self.at,
            replayed,
            is_shown: self.visibility == Visibility::Shown,
        }
    }

    /// What the user has after this row, whoever is shown it.
    #[must_use]
    pub fn after(&self) -> Option<Reached> {
        match self.origin {
            Origin::Correction => self.corrected,
            Origin::Action | Origin::Record => {
                Some(Reached::after(self.previous, self.score, self.position.version, self.at))
            }
        }
    }

    /// What others are shown of the user after this row, who were shown this before it.
    #[must_use]
    pub fn shown_after(&self, before: Option<Reached>) -> Option<Reached> {
        match self.visibility {
            Visibility::Shown => self.after(),
            Visibility::AsBefore => before,
            Visibility::Nothing => None,
        }
    }
}

/// A score, and when it was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The score.
    pub score: Score,
    /// The version at which it was reached: the tie-break.
    pub version: Version,
    /// The time at which it was reached.
    pub at: Timestamp,
}

impl Reached {
    /// What a user has who had `previous` and comes to `score`. A score that does not change was reached before.
    #[must_use]
    pub fn after(previous: Option<Self>, score: Score, version: Version, at: Timestamp) -> Self {
        match previous {
            Some(previous) if previous.score == score => previous,
            _ => Self { score, version, at },
        }
    }
}
