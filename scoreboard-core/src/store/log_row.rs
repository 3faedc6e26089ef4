//! Rows of the log, and the scores that they fold to.

use crate::action::Fingerprint;
use crate::board::Season;
use crate::clock::Timestamp;
use crate::ids::{ActionId, BoardId, KindId, UserId};
use crate::score::{Points, Score};
#[cfg(doc)]
use crate::store::Change;
use crate::store::{Origin, Receipt, RowDigest};
use crate::version::{Position, Version};

/// A row of the log: one change that was applied, with all that is needed to fold it, and to take it back.
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
    /// The user's score before; `None` if the user was not on the board.
    pub previous: Option<Reached>,
    /// The user's score after.
    pub score: Score,
    /// When it counted.
    pub at: Timestamp,
    /// What makes the log a hash chain; `None` for a row of a release that knew of none.
    pub digest: Option<RowDigest>,
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
        }
    }

    /// What the user has after this row. A score that does not change was reached before.
    #[must_use]
    pub fn reached(&self) -> Reached {
        match self.previous {
            Some(previous) if previous.score == self.score => previous,
            _ => Reached { score: self.score, version: self.position.version, at: self.at },
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
