//! Step 5, **refresh**: no cache answers anything older from here on.

use std::collections::BTreeMap;

use crate::cache::BoardCache;
use crate::ids::BoardId;
use crate::store::Outcome;
use crate::version::Position;

/// Raises the floor of a board that moved.
///
/// The answers are encoded again when they are next asked for: once, by one flight, however many ask.
pub(super) async fn refresh(cache: &dyn BoardCache, board: &BoardId, position: Position) {
    cache.raise_floor(board, position).await;
}

/// The boards that moved, and the newest position of each.
pub(super) fn moved(outcomes: &[Outcome]) -> BTreeMap<BoardId, Position> {
    let mut moved = BTreeMap::<BoardId, Position>::new();
    for receipt in outcomes.iter().filter_map(Outcome::receipt) {
        let position = Position { epoch: receipt.epoch, version: receipt.version };
        match moved.get_mut(&receipt.board) {
            Some(newest) => *newest = position.max(*newest),
            None => drop(moved.insert(receipt.board.clone(), position)),
        }
    }
    moved
}
