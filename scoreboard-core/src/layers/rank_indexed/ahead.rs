//! This node's own changes that lie behind others which it has not heard of yet: kept until those are read, so that nothing is read twice.

use std::collections::VecDeque;

use crate::layers::rank_indexed::indexed_board::Step;
use crate::version::Version;

/// So many are kept, some batches of this node. What is beyond is read from the log like what others did.
const MOST: usize = 4_096;

/// Changes in the order of their versions, all behind where the index is.
#[derive(Default)]
pub(super) struct Ahead(VecDeque<Step>);

impl Ahead {
    /// Most come in their order.
    pub(super) fn keep(&mut self, steps: &[Step]) {
        let room = MOST.saturating_sub(self.0.len());
        for step in steps.iter().take(room) {
            let at = self.0.partition_point(|kept| kept.position.version < step.position.version);
            match self.0.get_mut(at).filter(|kept| kept.position.version == step.position.version) {
                Some(kept) => *kept = *step,
                None => self.0.insert(at, *step),
            }
        }
    }

    /// Gives up those that go on from a version, one after the other, and says where the next one is that does not. What is not behind
    /// that version is not needed any more.
    pub(super) fn go_on_from(&mut self, mut version: Version) -> (Vec<Step>, Option<Version>) {
        let mut steps = Vec::new();
        while let Some(first) = self.0.pop_front() {
            if first.position.version > version.next() {
                let next = first.position.version;
                self.0.push_front(first);
                return (steps, Some(next));
            }
            if first.position.version > version {
                version = first.position.version;
                steps.push(first);
            }
        }
        (steps, None)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Season;
    use crate::ids::UserId;
    use crate::store::Becomes;
    use crate::version::{Epoch, Position};

    fn step(version: u64) -> Step {
        let position = Position { epoch: Epoch::new(1), version: Version::new(version) };
        Step { position, season: Season::FIRST, user: UserId::MIN, becomes: Becomes::Same }
    }

    fn go_on_from(ahead: &mut Ahead, version: u64) -> (Vec<u64>, Option<u64>) {
        let (steps, next) = ahead.go_on_from(Version::new(version));
        (steps.iter().map(|step| step.position.version.get()).collect(), next.map(Version::get))
    }

    #[test]
    fn each_is_given_up_once_when_what_is_before_it_is_there() {
        let mut ahead = Ahead::default();
        ahead.keep(&[step(8), step(4), step(5)]);
        assert_eq!(go_on_from(&mut ahead, 2), (vec![], Some(4)));
        assert_eq!(go_on_from(&mut ahead, 3), (vec![4, 5], Some(8)));
        assert_eq!(go_on_from(&mut ahead, 3), (vec![], Some(8)));
        assert_eq!(go_on_from(&mut ahead, 9), (vec![], None), "what was passed is gone");
        assert_eq!(go_on_from(&mut ahead, 7), (vec![], None));
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut ahead = Ahead::default();
        let steps: Vec<Step> = (1..=MOST as u64 + 10).map(step).collect();
        ahead.keep(&steps);
        ahead.keep(&steps[MOST..]);
        assert_eq!(ahead.0.len(), MOST);
        assert_eq!(go_on_from(&mut ahead, MOST as u64), (vec![], None));
        ahead.keep(&steps[MOST..]);
        assert_eq!(ahead.0.len(), 10);
        ahead.clear();
        assert_eq!(go_on_from(&mut ahead, MOST as u64), (vec![], None));
    }
}
