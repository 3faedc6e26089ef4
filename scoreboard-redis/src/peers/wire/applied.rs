//! What was written beside a request as it goes over a channel, one for one.

use scoreboard_core::{
    ActionId, AppliedChange, Becomes, Epoch, KindId, Origin, Points, Position, Reached, Score, Season, UserId, Version,
};
use serde::{Deserialize, Serialize};

use super::change::OriginRow;
use super::{Names, time};

#[derive(Serialize, Deserialize)]
pub(super) struct AppliedRow<'a> {
    epoch: u64,
    version: u64,
    action_id: [u8; 16],
    season: u32,
    user_id: [u8; 16],
    kind: &'a str,
    points: i64,
    #[serde(with = "OriginRow")]
    origin: Origin,
    at: i64,
    had_score: bool,
    becomes: BecomesRow,
}

// The numbers of the variants are the order in which they stand here: what is new goes to the end.
#[derive(Serialize, Deserialize)]
enum BecomesRow {
    Same,
    At { score: i64, version: u64, at: i64 },
    Gone,
}

impl<'a> AppliedRow<'a> {
    pub(super) fn of(change: &'a AppliedChange) -> Self {
        Self {
            epoch: change.position.epoch.get(),
            version: change.position.version.get(),
            action_id: *change.action_id.as_bytes(),
            season: change.season.get(),
            user_id: *change.user_id.as_bytes(),
            kind: change.kind.as_str(),
            points: change.points.get(),
            origin: change.origin,
            at: change.at.as_millis(),
            had_score: change.had_score,
            becomes: match change.becomes {
                Becomes::Same => BecomesRow::Same,
                Becomes::At(Reached { score, version, at }) => {
                    BecomesRow::At { score: score.get(), version: version.get(), at: at.as_millis() }
                }
                Becomes::Gone => BecomesRow::Gone,
            },
        }
    }

    pub(super) fn change(self, kinds: &mut Names<KindId>) -> Option<AppliedChange> {
        Some(AppliedChange {
            position: Position { epoch: Epoch::new(self.epoch), version: Version::new(self.version) },
            action_id: ActionId::from_bytes(self.action_id),
            season: Season::new(self.season),
            user_id: UserId::from_bytes(self.user_id),
            kind: kinds.get(self.kind, KindId::as_str, |text| KindId::new(text).ok())?,
            points: Points::new(self.points).ok()?,
            origin: self.origin,
            at: time(self.at)?,
            had_score: self.had_score,
            becomes: match self.becomes {
                BecomesRow::Same => Becomes::Same,
                BecomesRow::At { score, version, at } => Becomes::At(Reached {
                    score: Score::new(score).ok()?,
                    version: Version::new(version),
                    at: time(at)?,
                }),
                BecomesRow::Gone => Becomes::Gone,
            },
        })
    }
}
