//! The way back from a score key to the score.

use crate::ranking::{Direction, Order};
use crate::score::Score;

/// The score whose [`Order::score_key`] this is.
pub(super) fn score_of(order: Order, key: i64) -> Score {
    let score = match order.direction {
        Direction::Descending => -key,
        Direction::Ascending => key,
    };
    Score::new(score).expect("the key of a score is within its range")
}
