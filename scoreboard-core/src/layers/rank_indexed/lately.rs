//! What has counted lately, kept for who follows the log in this process too: what was written here, or read for the ranks, is not read again.

use std::sync::atomic::Ordering;

use crate::ids::BoardId;
use crate::layers::lately;
use crate::layers::rank_indexed::RankIndexed;
use crate::layers::rank_indexed::indexed_board::IndexedBoard;
use crate::store::AppliedChange;
use crate::version::Position;

/// So many are kept of a board, with some 150 bytes each: seconds of a board that takes thousands a second. Who comes later reads the log.
const MOST: usize = 32_768;

/// A board's newest changes.
pub(super) type Lately = lately::Lately<MOST>;

impl RankIndexed {
    /// From now on it is remembered what has counted lately.
    pub(crate) fn remember_for_watch(&self) {
        self.shared.is_watched.store(true, Ordering::Relaxed);
    }

    /// These have counted.
    pub(super) fn remember(&self, indexed: &IndexedBoard, changes: impl IntoIterator<Item = AppliedChange>) {
        if !self.shared.is_watched.load(Ordering::Relaxed) {
            return;
        }
        let mut lately = indexed.lately.lock();
        lately.keep(changes);
        if lately.len() > MOST / 2 {
            self.shared.is_crowded.notify_one();
        }
    }

    /// Returns once so much has counted on a board that not all of it will be remembered for long.
    pub(crate) async fn crowded(&self) {
        self.shared.is_crowded.notified().await;
    }

    /// Gives up the changes of a board that follow a position, as far as they are known without a gap; no more than `limit`. For one who follows
    /// them: what is not behind that position is forgotten.
    pub(crate) fn take_lately(&self, board: &BoardId, position: Position, limit: usize) -> Vec<AppliedChange> {
        let indexed = self.indexed(board);
        indexed.map(|indexed| behind(&mut indexed.lately.lock(), position, limit)).unwrap_or_default()
    }

    /// Takes changes back that were given up.
    pub(crate) fn take_back(&self, board: &BoardId, changes: impl IntoIterator<Item = AppliedChange>) {
        if let Some(indexed) = self.indexed(board) {
            self.remember(&indexed, changes);
        }
    }
}

/// Those that follow a position without a gap, in its epoch.
fn behind(lately: &mut Lately, position: Position, limit: usize) -> Vec<AppliedChange> {
    lately.take(position.version, limit, |change| change.position.epoch == position.epoch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Season;
    use crate::clock::Timestamp;
    use crate::ids::{ActionId, UserId};
    use crate::score::Points;
    use crate::store::{Becomes, Origin};
    use crate::version::{Epoch, Version};

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

    fn versions(lately: &mut Lately, epoch: u64, version: u64, limit: usize) -> Vec<u64> {
        let found = behind(lately, position(epoch, version), limit);
        found.iter().map(|change| change.position.version.get()).collect()
    }

    #[test]
    fn what_was_given_out_before_an_epoch_is_not_taken_for_what_came_in_it() {
        let mut lately = Lately::default();
        lately.keep([change(1, 2), change(1, 3)]);
        assert_eq!(versions(&mut lately, 2, 1, 10), NONE);
        lately.keep([change(2, 2)]);
        assert_eq!(versions(&mut lately, 2, 1, 10), [2]);
        lately.keep([change(2, 3), change(2, 4)]);
        assert_eq!(versions(&mut lately, 2, 2, 1), [3], "no more than is asked for");
        assert_eq!(versions(&mut lately, 2, 3, 10), [4]);
    }
}
