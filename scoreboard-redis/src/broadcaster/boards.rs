//! The boards that are watched in this process, each with its newest position.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use scoreboard_core::{BoardId, Position};
use tokio::sync::watch;

/// One place for each board, whatever the number of watchers; a board that nobody watches has none.
#[derive(Debug, Default)]
pub(super) struct Boards(Mutex<HashMap<BoardId, watch::Sender<Position>>>);

impl Boards {
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }

    pub(super) fn watched(&self) -> Vec<BoardId> {
        self.0.lock().keys().cloned().collect()
    }

    /// Tells the board's watchers of a position. True if it is news.
    pub(super) fn announce(&self, board: &BoardId, position: Position) -> bool {
        self.0.lock().get(board).is_some_and(|channel| {
            channel.send_if_modified(|newest| {
                let rises = position > *newest;
                if rises {
                    *newest = position;
                }
                rises
            })
        })
    }

    /// A watcher of what comes from now on. It does not keep the boards: it ends with them.
    pub(super) fn watch(boards: &Arc<Self>, board: &BoardId) -> Watcher {
        let receiver = boards.0.lock().entry(board.clone()).or_default().subscribe();
        Watcher { receiver, _seat: Seat { board: board.clone(), boards: Arc::downgrade(boards) } }
    }
}

/// The receiver stands first, so that it is gone when the seat counts those that are left.
#[derive(Debug)]
pub(super) struct Watcher {
    receiver: watch::Receiver<Position>,
    _seat: Seat,
}

impl Watcher {
    /// The newest position, once it is newer than this one. `None` when the boards are gone.
    pub(super) async fn newer_than(&mut self, told: Position) -> Option<Position> {
        loop {
            self.receiver.changed().await.ok()?;
            let newest = *self.receiver.borrow_and_update();
            if newest > told {
                return Some(newest);
            }
        }
    }
}

/// Gives the board's place up with its last watcher.
#[derive(Debug)]
struct Seat {
    board: BoardId,
    boards: Weak<Boards>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(boards) = self.boards.upgrade() else { return };
        let mut places = boards.0.lock();
        if places.get(&self.board).is_some_and(|channel| channel.receiver_count() == 0) {
            places.remove(&self.board);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_that_nobody_watches_take_no_room() {
        let (boards, board) = (Arc::new(Boards::default()), BoardId::main());
        assert!(!boards.announce(&board, "1.1".parse().unwrap()), "nobody is there");
        let (first, second) = (Boards::watch(&boards, &board), Boards::watch(&boards, &board));
        assert!(boards.announce(&board, "1.1".parse().unwrap()));
        assert!(!boards.announce(&board, "1.1".parse().unwrap()), "no news");
        drop(first);
        assert_eq!(boards.len(), 1);
        drop(second);
        assert_eq!(boards.len(), 0);
    }
}
