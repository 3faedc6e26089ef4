//! A change as it goes over a channel, one for one.

use std::num::NonZeroU32;
use std::time::Duration;

use scoreboard_core::{
    ActionId, Admitted, AtMost, BoardId, Change, Fingerprint, KindId, Origin, Points, Quota, Season, UserId,
};
use serde::{Deserialize, Serialize};

use super::{Names, time};

#[derive(Serialize, Deserialize)]
pub(super) struct ChangeRow<'a> {
    pub(super) action_id: [u8; 16],
    pub(super) fingerprint: [u8; 16],
    pub(super) board: &'a str,
    pub(super) season: u32,
    pub(super) user_id: [u8; 16],
    pub(super) kind: &'a str,
    pub(super) points: i64,
    #[serde(with = "OriginRow")]
    pub(super) origin: Origin,
    pub(super) at: i64,
    pub(super) at_most: Option<(u32, i64)>,
    /// The limit, the period in nanoseconds, and when.
    pub(super) admitted: Option<(NonZeroU32, u64, i64)>,
}

impl<'a> ChangeRow<'a> {
    pub(super) fn of(change: &'a Change) -> Self {
        Self {
            action_id: *change.action_id.as_bytes(),
            fingerprint: *change.fingerprint.as_bytes(),
            board: change.board.as_str(),
            season: change.season.get(),
            user_id: *change.user_id.as_bytes(),
            kind: change.kind.as_str(),
            points: change.points.get(),
            origin: change.origin,
            at: change.at.as_millis(),
            at_most: change.at_most.map(|at_most| (at_most.count, at_most.since.as_millis())),
            admitted: change.admitted.map(|admitted| {
                let Quota { limit, period, .. } = admitted.quota();
                // Of four weeks at most.
                (limit, u64::try_from(period.as_nanos()).unwrap_or(u64::MAX), admitted.at().as_millis())
            }),
        }
    }

    pub(super) fn change(self, boards: &mut Names<BoardId>, kinds: &mut Names<KindId>) -> Option<Change> {
        let at_most = match self.at_most {
            Some((count, since)) => Some(AtMost { count, since: time(since)? }),
            None => None,
        };
        let admitted = match self.admitted {
            Some((limit, period, at)) => {
                Some(Admitted::under(Quota::exact(limit, Duration::from_nanos(period)), time(at)?)?)
            }
            None => None,
        };
        Some(Change {
            action_id: ActionId::from_bytes(self.action_id),
            fingerprint: Fingerprint::from_bytes(self.fingerprint),
            board: boards.get(self.board, BoardId::as_str, |text| BoardId::new(text).ok())?,
            season: Season::new(self.season),
            user_id: UserId::from_bytes(self.user_id),
            kind: kinds.get(self.kind, KindId::as_str, |text| KindId::new(text).ok())?,
            points: Points::new(self.points).ok()?,
            origin: self.origin,
            at: time(self.at)?,
            at_most,
            admitted,
        })
    }
}

// The numbers of the variants are the order in which they stand here: what is new goes to the end.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Origin")]
pub(super) enum OriginRow {
    Action,
    Record,
    Correction,
}
