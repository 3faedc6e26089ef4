//! What a window has published, and what a watcher takes of it next. Pure.

use std::sync::{Arc, OnceLock};

use crate::error::Error;
use crate::ids::BoardId;
use crate::live::ring::Ring;
use crate::live::{LiveEvent, LiveFrame, Update};
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
    pub(super) board: BoardId,
    pub(super) view: View,
    snapshot: OnceLock<LiveFrame>,
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
    fn new(board: &BoardId, view: View) -> Self {
        Self { board: board.clone(), view, snapshot: OnceLock::new(), unchanged: OnceLock::new() }
    }

    /// The whole view.
    pub(super) fn snapshot(&self) -> LiveFrame {
        self.snapshot.get_or_init(|| LiveFrame::new(LiveEvent::snapshot(&self.board, &self.view))).clone()
    }

    /// An update from this view to itself: the answer to who resumes and has missed nothing.
    pub(super) fn unchanged(&self) -> LiveFrame {
        let View { season, position, total, .. } = self.view;
        let update = || Update {
            board: self.board.clone(),
            season,
            epoch: position.epoch,
            from: position.version,
            version: position.version,
            total,
            changes: Vec::new(),
        };
        self.unchanged.get_or_init(|| LiveFrame::new(LiveEvent::Update(update()))).clone()
    }
}

/// A view that was read, and how it is to be published.
#[derive(Debug)]
pub(super) struct Advance {
    newest: Arc<Newest>,
    update: Option<LiveFrame>,
}

impl State {
    /// Where the newest view is.
    pub(super) fn position(&self) -> Option<Position> {
        self.newest.as_ref().map(|newest| newest.view.position)
    }

    /// What `view` adds to this; `None` if it is no newer. A page may come from a place that is behind: watchers never go back.
    pub(super) fn compare(&self, board: &BoardId, view: View) -> Option<Advance> {
        if self.position().is_some_and(|position| view.position <= position) {
            return None;
        }
        let update = self.newest.as_ref().and_then(|held| LiveEvent::update(board, &held.view, &view));
        Some(Advance { newest: Arc::new(Newest::new(board, view)), update: update.map(LiveFrame::new) })
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
        let Some(newest) = self.newest.as_ref().filter(|_| self.answered >= asked) else { return Step::Wait };
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
