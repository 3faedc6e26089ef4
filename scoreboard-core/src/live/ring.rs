//! The last updates of a window, without a gap between them.

use std::collections::VecDeque;

use crate::live::LiveFrame;
use crate::version::Position;

/// So long a chain of updates is kept however short the view is, in entries: a small board is watched change by change too.
const LEAST: usize = 16;

/// The last updates, each of which begins where the one before it ends.
///
/// It holds about as many changes as the view has entries: to whom more has happened, the whole view is the shorter message.
#[derive(Debug, Default)]
pub(super) struct Ring {
    frames: VecDeque<LiveFrame>,
    length: usize,
}

impl Ring {
    /// Adds the update that leads to a view of so many entries. What no longer fits goes, the oldest first; the newest always stays.
    pub(super) fn push(&mut self, frame: LiveFrame, entries: usize) {
        self.length += frame.length();
        self.frames.push_back(frame);
        while self.length > entries.max(LEAST) && self.frames.len() > 1 {
            self.length -= self.frames.pop_front().map_or(0, |frame| frame.length());
        }
    }

    /// What was kept leads nowhere any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The update that applies to the view at `held`.
    pub(super) fn after(&self, held: Position) -> Option<&LiveFrame> {
        let applies = |frame: &&LiveFrame| frame.position().epoch == held.epoch && frame.from() == Some(held.version);
        self.frames.iter().rev().find(applies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Season;
    use crate::ids::BoardId;
    use crate::live::{LiveEvent, Update, WindowKind};
    use crate::version::{Epoch, Version};

    fn at(epoch: u64, version: u64) -> Position {
        Position { epoch: Epoch::new(epoch), version: Version::new(version) }
    }

    fn update(from: u64) -> LiveFrame {
        LiveFrame::new(LiveEvent::Update(Update {
            board: BoardId::main(),
            window: WindowKind::Top,
            user_id: None,
            season: Season::FIRST,
            epoch: Epoch::new(1),
            from: Version::new(from),
            version: Version::new(from + 1),
            total: 0,
            changes: Vec::new(),
        }))
    }

    #[test]
    fn it_keeps_what_is_shorter_than_the_view_and_always_the_newest() {
        let mut ring = Ring::default();
        for from in 0..1_000 {
            ring.push(update(from), 20);
        }
        let kept: Vec<_> = (0..1_000).filter(|&from| ring.after(at(1, from)).is_some()).collect();
        assert_eq!(kept, (980..1_000).collect::<Vec<_>>());
        assert!(ring.after(at(2, 999)).is_none(), "another life");
        assert!(ring.after(at(1, 1_000)).is_none(), "nothing has happened since");
        for from in 1_000..1_100 {
            ring.push(update(from), 0);
        }
        assert!(ring.after(at(1, 1_084)).is_some() && ring.after(at(1, 1_083)).is_none(), "a short chain fits always");
        assert!(ring.after(at(1, 1_099)).is_some());
        ring.clear();
        assert!(ring.after(at(1, 1_099)).is_none());
    }
}
