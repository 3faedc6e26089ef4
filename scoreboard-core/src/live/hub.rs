//! The broadcast manager: which windows there are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::ids::BoardId;
use crate::live::processor::Processor;
use crate::live::state::State;
use crate::live::window::Window;
use crate::pipeline::Scoreboard;
use crate::version::Position;

/// The windows that are watched, or were a moment ago. Bounded: one for each board and number of entries, of which there are a hundred.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    windows: Mutex<HashMap<(BoardId, usize), Arc<Window>>>,
}

/// A watcher's place at a window.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) window: Arc<Window>,
    pub(super) state: watch::Receiver<State>,
    /// The look at the board that the watcher waits for; 0 where the window is watched already, and so follows the board.
    pub(super) asked: u64,
}

impl Hub {
    /// A place at a window, which is begun if there is none. It then listens to `announced`.
    pub(super) fn seat(
        &self,
        scoreboard: &Scoreboard,
        board: &BoardId,
        limit: usize,
        announced: Option<BoxStream<'static, Position>>,
    ) -> Seat {
        let mut windows = self.windows.lock();
        let window = match windows.entry((board.clone(), limit)) {
            Entry::Occupied(window) => window.get().clone(),
            Entry::Vacant(place) => {
                let window = Arc::new(Window::new(board.clone(), limit));
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

    /// Gives a window up, unless somebody has come.
    pub(super) fn leave(&self, window: &Arc<Window>) -> bool {
        let mut windows = self.windows.lock();
        let unwatched = window.is_unwatched();
        if unwatched {
            Self::remove(&mut windows, window);
        }
        unwatched
    }

    /// Forgets a window that has ended: who comes next begins another.
    pub(super) fn forget(&self, window: &Arc<Window>) {
        Self::remove(&mut self.windows.lock(), window);
    }

    fn remove(windows: &mut HashMap<(BoardId, usize), Arc<Window>>, window: &Arc<Window>) {
        let key = (window.board.clone(), window.limit);
        if windows.get(&key).is_some_and(|there| Arc::ptr_eq(there, window)) {
            windows.remove(&key);
        }
    }
}
