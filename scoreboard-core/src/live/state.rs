//! What a window has published, and what a watcher takes of it next. Pure.

use std::sync::{Arc, OnceLock};

use crate::error::Error;
use crate::live::part::Part;
use crate::live::ring::Ring;
use crate::live::{LiveEvent, LiveFrame};
use crate::version::Position;
use crate::view::View;

/// What all watchers of a window see. Only the window's task changes it.
#[derive(Debug, Default)]
pub(super) struct State {
    newest: Option<Arc<Newest>>,
    /// The updates that led there.
    ring: Ring,
    /// Where the window's own life began, in this epoch: what was before is known to the store alone.
    began: Position,
    /// The last request that was answered: the board was read after it was made.
    pub(super) answered: u64,
    /// Why nothing more will come.
    pub(super) end: Option<End>,
}

/// Why nothing more comes of a window.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// The board cannot be watched.
    Refused(Error),
    /// The task is gone, with its runtime or by a panic: another may be begun.
    Gone,
}

/// The newest view, and what is said of it, made when it is first needed.
#[derive(Debug)]
pub(super) struct Newest {
    part: Part,
    pub(super) view: View,
    snapshot: OnceLock<LiveFrame>,
    unrecovered: OnceLock<LiveFrame>,
    unchanged: OnceLock<LiveFrame>,
}

/// What a watcher holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// Nothing.
    Nothing,
    /// The view at this position, as it says. Whether it was asked for a look at the board since.
    Said(Position, bool),
    /// The view at this position, which it was given.
    Given(Position),
}

/// What a watcher takes next.
#[derive(Debug)]
pub(super) enum Step {
    /// This, which applies to what it holds.
    Update(LiveFrame),
    /// The whole view.
    Snapshot(Arc<Newest>),
    /// That nothing has happened since.
    Unchanged(Arc<Newest>),
    /// What has happened since a view from before the window's life, if the store can tell; else the whole view.
    Missed(Position, Arc<Newest>),
    /// It says to be further than the window, which may be: look at the board first.
    Ahead,
    /// Nothing, until the state changes.
    Wait,
    /// Nothing more.
    End(End),
}

impl Newest {
    fn new(part: &Part, view: View) -> Self {
        let (snapshot, unrecovered, unchanged) = Default::default();
        Self { part: part.clone(), view, snapshot, unrecovered, unchanged }
    }

    /// The whole view.
    pub(super) fn snapshot(&self) -> LiveFrame {
        let event = || LiveEvent::snapshot(&self.part, &self.view, None);
        self.snapshot.get_or_init(|| LiveFrame::new(event())).clone()
    }

    /// The whole view: the answer to who resumes from where nothing leads on.
    pub(super) fn unrecovered(&self) -> LiveFrame {
        let event = || LiveEvent::snapshot(&self.part, &self.view, Some(false));
        self.unrecovered.get_or_init(|| LiveFrame::new(event())).clone()
    }

    /// An update from this view to itself: the answer to who resumes and has missed nothing.
    pub(super) fn unchanged(&self) -> LiveFrame {
        let event = || LiveEvent::update(&self.part, &self.view, &self.view).expect("a view is comparable with itself");
        self.unchanged.get_or_init(|| LiveFrame::new(event())).clone()
    }
}

/// A view that was read, and how it is to be published.
#[derive(Debug)]
pub(super) struct Advance {
    newest: Arc<Newest>,
    update: Option<LiveFrame>,
}

impl State {
    /// The newest view, if the board was read after this request for it.
    pub(super) fn newest_since(&self, asked: u64) -> Option<&Arc<Newest>> {
        self.newest.as_ref().filter(|_| self.answered >= asked)
    }

    /// Where the newest view is.
    pub(super) fn position(&self) -> Option<Position> {
        self.newest.as_ref().map(|newest| newest.view.position)
    }

    /// What `view` adds to this; `None` if it is no newer. A page may come from a place that is behind: watchers never go back.
    pub(super) fn compare(&self, part: &Part, view: View) -> Option<Advance> {
        if self.position().is_some_and(|position| view.position <= position) {
            return None;
        }
        let update = self.newest.as_ref().and_then(|held| LiveEvent::update(part, &held.view, &view));
        Some(Advance { newest: Arc::new(Newest::new(part, view)), update: update.map(LiveFrame::new) })
    }

    /// Publishes what was compared with this very state.
    pub(super) fn advance(&mut self, advance: Advance) {
        let position = advance.newest.view.position;
        match advance.update {
            Some(update) => self.ring.push(update, advance.newest.view.entries.len()),
            None => self.ring.clear(),
        }
        if self.position().is_none_or(|held| held.epoch != position.epoch) {
            self.began = position;
        }
        self.newest = Some(advance.newest);
    }

    /// Whether who is at `position` gets to the newest view by updates.
    pub(super) fn leads_on_from(&self, position: Position) -> bool {
        self.position() == Some(position) || self.ring.after(position).is_some()
    }

    /// What a watcher takes next, which wants the board as it was when it made its request `asked`, or later.
    pub(super) fn step(&self, held: Held, asked: u64) -> Step {
        if let Some(end) = &self.end {
            return Step::End(end.clone());
        }
        let Some(newest) = self.newest_since(asked) else { return Step::Wait };
        let here = newest.view.position;
        let (at, looked) = match held {
            Held::Nothing => return Step::Snapshot(newest.clone()),
            Held::Given(at) if at == here => return Step::Wait,
            Held::Said(at, _) if at == here => return Step::Unchanged(newest.clone()),
            Held::Given(at) => (at, None),
            Held::Said(at, looked) => (at, Some(looked)),
        };
        match (self.ring.after(at), looked) {
            (Some(update), _) => Step::Update(update.clone()),
            (None, Some(false)) if at > here => Step::Ahead,
            (None, Some(_)) if at.epoch == here.epoch && at < self.began => Step::Missed(at, newest.clone()),
            (None, _) => Step::Snapshot(newest.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Season;
    use crate::ids::BoardId;
    use crate::live::LiveWindow;
    use crate::version::{Epoch, Version};

    fn at(epoch: u64, version: u64) -> Position {
        Position { epoch: Epoch::new(epoch), version: Version::new(version) }
    }

    fn view(epoch: u64, version: u64, season: u32) -> View {
        View { season: Season::new(season), position: at(epoch, version), total: version, entries: Vec::new() }
    }

    fn top() -> Part {
        Part { board: BoardId::main(), window: LiveWindow::top(10) }
    }

    fn published(views: impl IntoIterator<Item = View>) -> State {
        let mut state = State::default();
        for view in views {
            let advance = state.compare(&top(), view).expect("it is newer");
            state.advance(advance);
        }
        state
    }

    fn taken(state: &State, held: Held) -> String {
        match state.step(held, 0) {
            Step::Update(frame) => format!("to {}", frame.position()),
            Step::Snapshot(newest) => format!("all at {}", newest.snapshot().position()),
            Step::Unchanged(newest) => format!("still {}", newest.unchanged().position()),
            Step::Missed(since, _) => format!("missed since {since}"),
            Step::Ahead => "look".to_owned(),
            Step::Wait => "wait".to_owned(),
            Step::End(_) => "end".to_owned(),
        }
    }

    #[test]
    fn a_page_that_is_behind_is_no_news() {
        let state = published([view(1, 5, 1)]);
        for (epoch, version) in [(1, 5), (1, 4), (0, 9)] {
            assert!(state.compare(&top(), view(epoch, version, 1)).is_none());
        }
        assert!(state.compare(&top(), view(2, 1, 1)).is_some(), "another life");
    }

    #[test]
    fn a_watcher_takes_what_applies_to_what_it_holds() {
        let state = published((5..100).map(|version| view(1, version, 1)));
        let said = |version| Held::Said(at(1, version), false);
        for (held, expected) in [
            (Held::Nothing, "all at 1.99"),
            (Held::Given(at(1, 99)), "wait"),
            (Held::Given(at(1, 98)), "to 1.99"),
            (Held::Given(at(1, 90)), "to 1.91"),
            (Held::Given(at(1, 20)), "all at 1.99"),
            (said(99), "still 1.99"),
            (said(97), "to 1.98"),
            (said(5), "all at 1.99"),
            (said(4), "missed since 1.4"),
            (said(100), "look"),
            (Held::Said(at(1, 100), true), "all at 1.99"),
            (Held::Said(at(0, 4), false), "all at 1.99"),
        ] {
            assert_eq!(taken(&state, held), expected, "{held:?}");
        }
        assert!(matches!(state.step(Held::Nothing, 1), Step::Wait), "who asked waits for the answer");
    }

    #[test]
    fn a_turn_of_the_season_or_another_life_is_told_whole() {
        for (next, here) in [(view(1, 7, 2), "all at 1.7"), (view(2, 3, 1), "all at 2.3")] {
            let state = published([view(1, 5, 1), view(1, 6, 1), next]);
            for held in [Held::Given(at(1, 6)), Held::Given(at(1, 5)), Held::Said(at(1, 6), false)] {
                assert_eq!(taken(&state, held), here);
            }
        }
    }
}
