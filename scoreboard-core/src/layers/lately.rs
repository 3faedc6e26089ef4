//! What counted on a board lately, kept for who has to know of it and need not read it then: by this node, or told by another.

use std::collections::VecDeque;

use crate::store::AppliedChange;
use crate::version::Version;

/// The newest changes of a board by their versions, perhaps with gaps; `MOST` at the most, some 150 bytes each. Who comes later reads the log.
#[derive(Debug, Default)]
pub(super) struct Lately<const MOST: usize>(VecDeque<AppliedChange>);

impl<const MOST: usize> Lately<MOST> {
    /// Takes them in where their versions belong. What is there already is as it was told last, but in no earlier epoch.
    pub(super) fn keep(&mut self, changes: impl IntoIterator<Item = AppliedChange>) {
        let mut changes: Vec<_> = changes.into_iter().collect();
        changes.sort_by_key(|change| change.position.version);
        let Some(first) = changes.first().map(|change| change.position.version) else { return };
        // Whoever gives versions out again, in a later epoch, has gone back behind what was there.
        let epoch = changes.iter().map(|change| change.position.epoch).max();
        let is_gone = |there: &AppliedChange| there.position.version >= first && Some(there.position.epoch) < epoch;
        while self.0.back().is_some_and(is_gone) {
            self.0.pop_back();
        }
        // All at once: they may belong before hundreds that are there.
        let at = self.0.partition_point(|there| there.position.version < first);
        let mut behind = self.0.split_off(at).into_iter().peekable();
        for change in changes {
            let version = change.position.version;
            while let Some(there) = behind.next_if(|there| there.position.version <= version) {
                self.0.push_back(there);
            }
            match self.0.back_mut().filter(|there| there.position.version == version) {
                Some(there) if there.position.epoch > change.position.epoch => {}
                Some(there) => *there = change,
                None => self.0.push_back(change),
            }
        }
        self.0.extend(behind);
        self.0.drain(..self.0.len().saturating_sub(MOST));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Those behind a version, with gaps.
    pub(super) fn behind(&self, after: Version) -> impl Iterator<Item = &AppliedChange> {
        self.0.range(self.starts_behind(after)..)
    }

    /// Gives up those that follow a version without a gap, as long as they are wanted. What is not behind it is not needed any more.
    pub(super) fn take(
        &mut self,
        after: Version,
        limit: usize,
        is_wanted: impl Fn(&AppliedChange) -> bool,
    ) -> Vec<AppliedChange> {
        self.0.drain(..self.starts_behind(after));
        let mut next = after;
        let follow = self.0.iter().take(limit).take_while(|change| {
            next = next.next();
            change.position.version == next && is_wanted(change)
        });
        let count = follow.count();
        self.0.drain(..count).collect()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn starts_behind(&self, after: Version) -> usize {
        self.0.partition_point(|change| change.position.version <= after)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::board::Season;
    use crate::clock::Timestamp;
    use crate::ids::{ActionId, UserId};
    use crate::score::Points;
    use crate::store::{Becomes, Origin};
    use crate::version::{Epoch, Position};

    const NONE: [u64; 0] = [];

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

    fn take<const MOST: usize>(lately: &mut Lately<MOST>, after: u64, limit: usize) -> Vec<u64> {
        versions(&lately.take(Version::new(after), limit, |_| true))
    }

    #[test]
    fn each_is_given_up_once_and_none_behind_a_gap() {
        let mut lately = Lately::<10>::default();
        lately.keep([5, 6, 2, 3, 9].map(change));
        assert_eq!(versions(lately.behind(Version::new(2))), [3, 5, 6, 9]);
        assert_eq!(take(&mut lately, 0, 10), NONE, "the first is missing");
        assert_eq!(take(&mut lately, 1, 1), [2]);
        assert_eq!(take(&mut lately, 2, 10), [3]);
        assert_eq!(take(&mut lately, 4, 10), [5, 6]);
        assert_eq!(take(&mut lately, 4, 10), NONE, "it was given up");
        assert_eq!(take(&mut lately, 10, 10), NONE);
        assert_eq!(versions(lately.behind(Version::ZERO)), NONE, "what was passed is gone");
    }

    #[test]
    fn what_is_not_wanted_yet_stays() {
        let mut lately = Lately::<10>::default();
        lately.keep([2, 3, 4, 5].map(change));
        let below = |limit: u64| move |change: &AppliedChange| change.position.version.get() < limit;
        assert_eq!(versions(&lately.take(Version::new(1), 10, below(2))), NONE);
        assert_eq!(versions(&lately.take(Version::new(1), 10, below(4))), [2, 3]);
        assert_eq!(take(&mut lately, 3, 10), [4, 5]);
    }

    #[test]
    fn what_an_epoch_has_undone_is_gone() {
        let mut lately = Lately::<10>::default();
        let later = |version| {
            let mut change = change(version);
            change.position.epoch = Epoch::new(2);
            change
        };
        lately.keep([2, 3, 4, 5].map(change));
        lately.keep([later(4)]);
        assert_eq!(versions(lately.behind(Version::ZERO)), [2, 3, 4]);
        lately.keep([change(5)]);
        lately.keep([later(5)]);
        let kept: Vec<u64> = lately.behind(Version::ZERO).map(|change| change.position.epoch.get()).collect();
        assert_eq!(kept, [1, 1, 2, 2]);
        lately.keep([change(4), change(5)]);
        let kept: Vec<u64> = lately.behind(Version::ZERO).map(|change| change.position.epoch.get()).collect();
        assert_eq!(kept, [1, 1, 2, 2], "what is told late of the epoch before");
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut lately = Lately::<100>::default();
        lately.keep((1..=102).map(change));
        assert_eq!(lately.behind(Version::ZERO).count(), 100);
        assert_eq!(take(&mut lately, 2, 1), [3], "the oldest went");
        lately.clear();
        assert_eq!(take(&mut lately, 3, 1), NONE);
    }

    /// Against a map, of which the same is asked.
    #[test]
    fn whatever_comes_in_whatever_order_is_there_once_and_as_it_was_told_last() {
        let mut lately = Lately::<64>::default();
        let mut expected = BTreeMap::new();
        let mut random = 1_u64;
        let mut below = |limit: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % limit
        };
        for round in 0..2_000 {
            let changes: Vec<_> = (0..below(20))
                .map(|_| AppliedChange { at: Timestamp::from_millis(round), ..change(below(200)) })
                .collect();
            lately.keep(changes.clone());
            expected.extend(changes.into_iter().map(|change| (change.position.version, change)));
            while expected.len() > 64 {
                expected.pop_first();
            }
            assert!(lately.behind(Version::ZERO).eq(expected.range(Version::new(1)..).map(|(_, change)| change)));
            assert!(lately.0.iter().eq(expected.values()));
            let after = Version::new(below(200));
            let taken = lately.take(after, 5, |_| true);
            expected.retain(|version, _| *version > after);
            for change in taken {
                assert_eq!(expected.pop_first().map(|(_, change)| change), Some(change));
            }
            if round % 50 == 0 {
                lately.clear();
                expected.clear();
            }
        }
    }
}
