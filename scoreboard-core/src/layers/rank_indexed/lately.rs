//! What has counted lately, kept for who follows the log in this process too: what was written here, or read for the ranks, is not read again.

use std::collections::BTreeMap;

use crate::ids::BoardId;
use crate::layers::rank_indexed::RankIndexed;
use crate::store::AppliedChange;
use crate::version::{Position, Version};

/// So many are kept of a board, with some 150 bytes each: seconds of a board that takes thousands a second. Who comes later reads the log.
const MOST: usize = 32_768;

/// A board's newest changes by their versions, perhaps with gaps.
#[derive(Default)]
pub(super) struct Lately(BTreeMap<Version, AppliedChange>);

impl Lately {
    pub(super) fn keep(&mut self, changes: impl Iterator<Item = AppliedChange>) {
        self.0.extend(changes.map(|change| (change.position.version, change)));
        while self.0.len() > MOST {
            self.0.pop_first();
        }
    }

    /// Those that follow a position without a gap, in its epoch; what is not behind it is forgotten.
    fn behind(&mut self, position: Position, limit: usize) -> Vec<AppliedChange> {
        while let Some(first) = self.0.first_entry()
            && *first.key() <= position.version
        {
            first.remove();
        }
        let mut next = position.version;
        let follow = self.0.iter().take(limit).map_while(|(version, change)| {
            next = next.next();
            (*version == next && change.position.epoch == position.epoch).then(|| change.clone())
        });
        follow.collect()
    }
}

impl RankIndexed {
    /// From now on it is remembered what has counted lately.
    pub(crate) fn remember_for_watch(&self) {
        self.shared.is_watched.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    pub(super) fn is_watched(&self) -> bool {
        self.shared.is_watched.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// The changes of a board that follow a position, as far as they are known without a gap; no more than `limit`. For one who follows them: what
    /// is not behind that position is forgotten.
    pub(crate) fn lately(&self, board: &BoardId, position: Position, limit: usize) -> Vec<AppliedChange> {
        let indexed = self.indexed(board);
        indexed.map(|indexed| indexed.lately.lock().behind(position, limit)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Season;
    use crate::clock::Timestamp;
    use crate::ids::{ActionId, UserId};
    use crate::score::Points;
    use crate::store::{Becomes, Origin};
    use crate::version::Epoch;

    const NONE: [u64; 0] = [];

    fn position(epoch: u64, version: u64) -> Position {
        Position { epoch: Epoch::new(epoch), version: Version::new(version) }
    }

    fn change(epoch: u64, version: u64) -> AppliedChange {
        AppliedChange {
            position: position(epoch, version),
            action_id: ActionId::from_bytes([1; 16]),
            season: Season::FIRST,
            user_id: UserId::MIN,
            kind: "tap".parse().expect("a slug"),
            points: Points::new(1).expect("small"),
            origin: Origin::Action,
            at: Timestamp::from_millis(0),
            had_score: true,
            becomes: Becomes::Same,
        }
    }

    fn behind(lately: &mut Lately, epoch: u64, version: u64, limit: usize) -> Vec<u64> {
        let found = lately.behind(position(epoch, version), limit);
        found.iter().map(|change| change.position.version.get()).collect()
    }

    #[test]
    fn what_follows_is_given_as_far_as_there_is_no_gap() {
        let mut lately = Lately::default();
        lately.keep([5, 6, 2, 3].map(|version| change(1, version)).into_iter());
        assert_eq!(behind(&mut lately, 1, 0, 10), NONE, "the first is missing");
        assert_eq!(behind(&mut lately, 1, 1, 10), [2, 3]);
        assert_eq!(behind(&mut lately, 1, 1, 1), [2]);
        lately.keep([change(1, 4)].into_iter());
        assert_eq!(behind(&mut lately, 1, 2, 10), [3, 4, 5, 6]);
        assert_eq!(behind(&mut lately, 1, 1, 10), NONE, "what was passed is gone");
    }

    #[test]
    fn what_was_given_out_before_an_epoch_is_not_taken_for_what_came_in_it() {
        let mut lately = Lately::default();
        lately.keep([change(1, 2), change(1, 3)].into_iter());
        assert_eq!(behind(&mut lately, 2, 1, 10), NONE);
        lately.keep([change(2, 2)].into_iter());
        assert_eq!(behind(&mut lately, 2, 1, 10), [2]);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut lately = Lately::default();
        lately.keep((1..=MOST as u64 + 2).map(|version| change(1, version)));
        assert_eq!(lately.0.len(), MOST);
        assert_eq!(behind(&mut lately, 1, 2, 1), [3], "the oldest went");
    }
}
