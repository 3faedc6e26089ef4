//! What a log row says of an action, without what it changed.

use crate::board::Season;
use crate::clock::Timestamp;
use crate::ids::{ActionId, KindId, UserId};
use crate::score::Points;
use crate::store::{Change, LogRow, Origin, Receipt};
use crate::version::Position;

/// A change that counted, as who looks at what users do needs it. It is made of a log row, or of what this process has applied itself: then
/// nothing has to be read for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glance {
    pub(crate) position: Position,
    pub(crate) action_id: ActionId,
    pub(crate) season: Season,
    pub(crate) user_id: UserId,
    pub(crate) kind: KindId,
    pub(crate) points: Points,
    pub(crate) origin: Origin,
    pub(crate) at: Timestamp,
    /// Whether the user had a score in this season before.
    pub(crate) had_score: bool,
}

impl Glance {
    /// At what was applied, by what its store answered.
    pub(crate) fn at_applied(change: &Change, receipt: &Receipt) -> Self {
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
        }
    }
}

impl From<&LogRow> for Glance {
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
        }
    }
}
