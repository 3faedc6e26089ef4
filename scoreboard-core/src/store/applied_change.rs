//! What a log row says to those who follow its board.

use crate::board::Season;
use crate::clock::Timestamp;
use crate::ids::{ActionId, KindId, UserId};
use crate::score::Points;
use crate::store::{Change, LogRow, Origin, Reached, Receipt, Visibility};
use crate::version::Position;

/// A change that counted, as those need it who follow its board: ranks in memory, and who looks at what users do.
///
/// It is made of a log row, or of what was applied: then nothing has to be read for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedChange {
    /// The version it took, in the epoch in which it did.
    pub position: Position,
    /// What counted.
    pub action_id: ActionId,
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
    /// When it counted.
    pub at: Timestamp,
    /// Whether the user had a score in this season before.
    pub had_score: bool,
    /// What others are shown of the user from then on.
    pub becomes: Becomes,
}

/// What becomes of a user on a board, for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Becomes {
    /// They stay as they are.
    Same,
    /// They stand here.
    At(Reached),
    /// They stand nowhere.
    Gone,
}

impl AppliedChange {
    /// What was applied, by what its store has answered.
    #[must_use]
    pub fn of(change: &Change, receipt: &Receipt) -> Self {
        Self {
            position: Position { epoch: receipt.epoch, version: receipt.version },
            action_id: receipt.action_id,
            season: receipt.season,
            user_id: receipt.user_id,
            kind: change.kind.clone(),
            points: receipt.points,
            origin: change.origin,
            at: receipt.applied_at,
            had_score: receipt.previous_score.is_some(),
            becomes: receipt.into(),
        }
    }
}

impl From<&LogRow> for AppliedChange {
    fn from(row: &LogRow) -> Self {
        Self {
            position: row.position,
            action_id: row.action_id,
            season: row.season,
            user_id: row.user_id,
            kind: row.kind.clone(),
            points: row.points,
            origin: row.origin,
            at: row.at,
            had_score: row.previous.is_some(),
            becomes: row.into(),
        }
    }
}

impl From<&LogRow> for Becomes {
    fn from(row: &LogRow) -> Self {
        match row.visibility {
            Visibility::Shown => row.after().map_or(Self::Gone, Self::At),
            Visibility::AsBefore => Self::Same,
            Visibility::Nothing => Self::Gone,
        }
    }
}

impl From<&Receipt> for Becomes {
    fn from(receipt: &Receipt) -> Self {
        // A receipt does not say when a score was reached that did not change, and need not: it stays where it is.
        // What others are not shown changes nothing for them: who is shadowed is off the board already.
        if receipt.is_shown && receipt.previous_score != Some(receipt.score) {
            Self::At(Reached { score: receipt.score, version: receipt.version, at: receipt.applied_at })
        } else {
            Self::Same
        }
    }
}
