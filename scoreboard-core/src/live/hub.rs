//! The broadcast manager: which windows there are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::ids::BoardId;
use crate::live::LiveWindow;
use crate::live::corrected::Corrected;
use crate::live::names::Names;
use crate::live::part::Part;
use crate::live::processor::Processor;
use crate::live::resting::{Rest, Resting};
use crate::live::state::State;
use crate::live::whereabouts::Whereabouts;
use crate::live::window::{Tellers, Window};
use crate::pipeline::Scoreboard;
use crate::version::Position;

/// The windows that are watched, or were a moment ago.
///
/// Their number is bounded: of a top there are a hundred for each board. Any other is held by a subscription, of which a transport
/// allows its connections a few, or is one of those that rest.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    boards: Mutex<HashMap<BoardId, Windows>>,
    resting: Resting,
    tellers: Tellers,
    /// What all windows know of names.
    pub(crate) names: Names,
}

/// The windows of a board.
#[derive(Debug, Default)]
struct Windows {
    by_part: HashMap<LiveWindow, Arc<Window>>,
    whereabouts: Arc<Whereabouts>,
    corrected: Arc<Corrected>,
}

/// What a window has that is remembered though nobody watches it.
#[derive(Debug)]
pub(super) enum Remembered {
    /// It is of a top: they are few, and thousands may come back to one of them.
    Always,
    /// A place among those of which there are so many.
    Resting(#[expect(dead_code, reason = "held as long as the window rests")] Rest),
}

/// A watcher's place at a window.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(super) window: Arc<Window>,
    pub(super) state: watch::Receiver<State>,
    /// The look at the board that the watcher waits for; 0 where the window is watched already, and so follows the board.
    pub(super) asked: u64,
}

impl Hub {
    /// A place at a window, which is begun if there is none. It then listens to `announced`.
    pub(crate) fn seat(
        &self,
        scoreboard: &Scoreboard,
        part: &Part,
        announced: Option<BoxStream<'static, Position>>,
    ) -> Seat {
        let mut boards = self.boards.lock();
        let Windows { by_part, whereabouts, corrected } = boards.entry(part.board.clone()).or_default();
        let window = match by_part.entry(part.window.clone()) {
            Entry::Occupied(window) => window.get().clone(),
            Entry::Vacant(place) => {
                let shared = (whereabouts.clone(), corrected.clone());
                let window = Arc::new(Window::new(part.clone(), shared, self.tellers.clone()));
                metrics::gauge!("scoreboard_live_windows").increment(1.0);
                tokio::spawn(Processor::new(window.clone(), scoreboard.downgrade(), announced).run());
                place.insert(window).clone()
            }
        };
        let unwatched = window.is_unwatched();
        // Seated first: the task that is woken must find a watcher.
        let state = window.state.subscribe();
        // Where nobody watched, the board was not read, so the window may be behind.
        let asked = if unwatched { window.ask() } else { 0 };
        Seat { window, state, asked }
    }

    /// A place among the windows that nobody watches; `None` if there are enough.
    pub(super) fn rest(&self, window: &Window) -> Option<Remembered> {
        if window.part.window.kind().is_top() {
            return Some(Remembered::Always);
        }
        self.resting.place(window.guest()).map(Remembered::Resting)
    }

    /// Gives a window up, unless somebody has come.
    pub(super) fn leave(&self, window: &Arc<Window>) -> bool {
        let mut boards = self.boards.lock();
        let unwatched = window.is_unwatched();
        if unwatched {
            Self::remove(&mut boards, window);
        }
        unwatched
    }

    /// Forgets a window that has ended: who comes next begins another.
    pub(super) fn forget(&self, window: &Arc<Window>) {
        Self::remove(&mut self.boards.lock(), window);
    }

    fn remove(boards: &mut HashMap<BoardId, Windows>, window: &Arc<Window>) {
        let Part { board, window: extent } = &window.part;
        let Some(windows) = boards.get_mut(board) else { return };
        if windows.by_part.get(extent).is_some_and(|there| Arc::ptr_eq(there, window)) {
            windows.by_part.remove(extent);
        }
        if windows.by_part.is_empty() {
            boards.remove(board);
        }
    }
}
