//! The floors that this process knows.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use scoreboard_core::{BoardId, Position};

/// Grows with the boards, which the operator makes; never with what is asked of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Floors(Arc<Mutex<HashMap<BoardId, Known>>>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// The newest that was heard of.
    floor: Position,
    /// The newest that Redis is known to have.
    written: Position,
    /// The newest that this process was told to raise it to.
    told: Position,
}

impl Floors {
    pub(super) fn known(&self, board: &BoardId) -> Position {
        self.0.lock().get(board).map_or(Position::default(), |known| known.floor)
    }

    /// This process was told of a floor, and Redis is not yet.
    pub(super) fn raise(&self, board: &BoardId, floor: Position) {
        self.change(board, |known| {
            known.floor = known.floor.max(floor);
            known.told = known.told.max(floor);
        });
    }

    /// Redis has this floor, or a higher one.
    pub(super) fn written(&self, board: &BoardId, floor: Position) {
        self.change(board, |known| known.written = known.written.max(floor));
    }

    /// Redis shows this floor: the higher of both holds. If it shows less than it had, it lost it, and is owed it again.
    pub(super) fn seen(&self, board: &BoardId, floor: Position) -> Position {
        // Of most names that are asked for and have no floor there is no board.
        if floor == Position::default() && !self.0.lock().contains_key(board) {
            return floor;
        }
        self.change(board, |known| {
            known.floor = known.floor.max(floor);
            known.written = floor;
        })
    }

    /// What Redis has to be told of before anything else.
    pub(super) fn owed(&self, board: &BoardId) -> Option<Position> {
        let floors = self.0.lock();
        floors.get(board).filter(|known| known.told > known.written).map(|known| known.floor)
    }

    fn change(&self, board: &BoardId, change: impl FnOnce(&mut Known)) -> Position {
        let mut floors = self.0.lock();
        // Most boards are known: their names are not copied each time.
        if !floors.contains_key(board) {
            floors.insert(board.clone(), Known::default());
        }
        let Some(known) = floors.get_mut(board) else { return Position::default() };
        change(known);
        known.floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: &str) -> Position {
        version.parse().unwrap()
    }

    #[test]
    fn what_could_not_be_written_is_owed() {
        let (floors, board) = (Floors::default(), BoardId::main());
        assert_eq!(floors.owed(&board), None);
        floors.raise(&board, at("1.5"));
        assert_eq!(floors.owed(&board), Some(at("1.5")));
        floors.written(&board, at("1.5"));
        assert_eq!(floors.owed(&board), None);
    }

    #[test]
    fn what_is_asked_for_and_is_not_there_is_not_kept() {
        let (floors, board) = (Floors::default(), BoardId::main());
        for n in 0..100 {
            assert_eq!(floors.seen(&format!("made-up-{n}").parse().unwrap(), Position::default()), Position::default());
        }
        assert_eq!(floors.0.lock().len(), 0);
        floors.seen(&board, at("1.1"));
        floors.seen(&board, Position::default());
        assert_eq!(floors.known(&board), at("1.1"));
        assert_eq!(floors.0.lock().len(), 1);
    }

    #[test]
    fn what_redis_lost_is_owed_again_and_nothing_below_is_good() {
        let (floors, board) = (Floors::default(), BoardId::main());
        floors.raise(&board, at("1.9"));
        floors.written(&board, at("1.9"));
        assert_eq!(floors.seen(&board, at("1.4")), at("1.9"), "the higher of both holds");
        assert_eq!(floors.owed(&board), Some(at("1.9")));
        assert_eq!(floors.seen(&board, at("2.1")), at("2.1"), "others raised it");
        assert_eq!((floors.owed(&board), floors.known(&board)), (None, at("2.1")));
    }
}
