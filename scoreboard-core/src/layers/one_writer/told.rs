//! What was written to a board lately, kept for who has to know of it: by this node, for those that it writes for; or by another, that writes for this one.

use std::collections::BTreeMap;

use crate::store::AppliedChange;
use crate::version::Version;

/// So many changes are kept of a board, with some 150 bytes each. Who needs older ones reads the log.
const MOST: usize = 8_192;

/// Changes by their versions, perhaps with gaps.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeMap<Version, AppliedChange>);

impl Told {
    pub(super) fn keep(&mut self, changes: impl IntoIterator<Item = AppliedChange>) {
        self.0.extend(changes.into_iter().map(|change| (change.position.version, change)));
        while self.0.len() > MOST {
            self.0.pop_first();
        }
    }

    /// Those behind a version, with gaps.
    pub(super) fn behind(&self, after: Version) -> impl Iterator<Item = &AppliedChange> {
        self.0.range(after.next()..).map(|(_, change)| change)
    }

    /// Gives up those that follow a version without a gap. What is not behind it is not needed any more.
    pub(super) fn take(&mut self, after: Version, limit: usize) -> Vec<AppliedChange> {
        let mut changes = Vec::new();
        let mut next = after.next();
        while changes.len() < limit
            && let Some(first) = self.0.first_entry()
            && *first.key() <= next
        {
            let is_next = *first.key() == next;
            let change = first.remove();
            if is_next {
                next = next.next();
                changes.push(change);
            }
        }
        changes
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
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
    use crate::version::{Epoch, Position};

    fn change(version: u64) -> AppliedChange {
        AppliedChange {
            position: Position { epoch: Epoch::new(1), version: Version::new(version) },
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

    fn versions<'c>(changes: impl IntoIterator<Item = &'c AppliedChange>) -> Vec<u64> {
        changes.into_iter().map(|change| change.position.version.get()).collect()
    }

    fn take(told: &mut Told, after: u64, limit: usize) -> Vec<u64> {
        versions(&told.take(Version::new(after), limit))
    }

    #[test]
    fn each_is_given_up_once_and_none_behind_a_gap() {
        let mut told = Told::default();
        told.keep([5, 6, 2, 3, 9].map(change));
        assert_eq!(versions(told.behind(Version::new(2))), [3, 5, 6, 9]);
        assert_eq!(take(&mut told, 0, 10), [0; 0], "the first is missing");
        assert_eq!(take(&mut told, 1, 1), [2]);
        assert_eq!(take(&mut told, 2, 10), [3]);
        assert_eq!(take(&mut told, 4, 10), [5, 6]);
        assert_eq!(take(&mut told, 4, 10), [0; 0], "it was given up");
        assert_eq!(take(&mut told, 10, 10), [0; 0]);
        assert_eq!(versions(told.behind(Version::ZERO)), [0; 0], "what was passed is gone");
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut told = Told::default();
        told.keep((1..=MOST as u64 + 2).map(change));
        assert_eq!(told.behind(Version::ZERO).count(), MOST);
        assert_eq!(take(&mut told, 2, 1), [3], "the oldest went");
        told.clear();
        assert_eq!(take(&mut told, 3, 1), [0; 0]);
    }
}
