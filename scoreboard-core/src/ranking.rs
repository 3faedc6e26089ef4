//! The one definition of order: how points change a score, who stands before whom, and which rank that gives. Pure.

use serde::{Deserialize, Serialize};

use crate::score::{Points, Score};
use crate::version::Version;

/// Which end of the board is its top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The highest score leads.
    #[default]
    Descending,
    /// The lowest score leads (times, strokes).
    Ascending,
}

/// What an action's points do to a user's score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Operator {
    /// Adds them; a user not on the board starts at zero.
    #[default]
    Increment,
    /// Keeps the better of the two, by the board's direction.
    Best,
    /// Replaces the score.
    Set,
    /// Subtracts them; a user not on the board starts at zero.
    Decrement,
}

impl Operator {
    /// The score after `points`, or `None` if it would leave the range.
    ///
    /// ```
    /// use scoreboard_core::{Direction, Operator, Points, Score};
    /// let best = Operator::Best.apply(Direction::Ascending, Some(Score::new(61)?), Points::new(58)?);
    /// assert_eq!(best, Some(Score::new(58)?));
    /// # Ok::<(), scoreboard_core::InvalidValue>(())
    /// ```
    #[must_use]
    pub fn apply(self, direction: Direction, previous: Option<Score>, points: Points) -> Option<Score> {
        match (self, previous) {
            (Self::Increment, previous) => previous.unwrap_or(Score::ZERO).checked_add(points),
            (Self::Decrement, previous) => previous.unwrap_or(Score::ZERO).checked_sub(points),
            (Self::Set, _) | (Self::Best, None) => Some(points.into()),
            (Self::Best, Some(previous)) => Some(match direction {
                Direction::Descending => previous.max(points.into()),
                Direction::Ascending => previous.min(points.into()),
            }),
        }
    }
}

/// Who stands first among equal scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TieBreak {
    /// Who reached the score first.
    #[default]
    Earliest,
    /// Who reached the score last.
    Latest,
}

/// How a board orders its entries. Fixed once a board has a first change, since the log is folded with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Order {
    /// Which end leads.
    pub direction: Direction,
    /// Who leads among equals.
    pub tie_break: TieBreak,
}

impl Order {
    /// The key by which an entry sorts: smaller keys stand nearer the top.
    ///
    /// `reached` is the version at which the user's current score was reached. No two entries of a board share one, so keys
    /// are unique and the order is total.
    #[must_use]
    pub fn key(self, score: Score, reached: Version) -> OrderKey {
        let reached = i64::try_from(reached.get()).expect("a board never sees 2^63 changes");
        OrderKey {
            score: self.score_key(score),
            tie: match self.tie_break {
                TieBreak::Earliest => reached,
                TieBreak::Latest => -reached,
            },
        }
    }

    /// The first part of the [`key`](Self::key) of every entry with this score.
    #[must_use]
    pub const fn score_key(self, score: Score) -> i64 {
        match self.direction {
            Direction::Descending => -score.get(),
            Direction::Ascending => score.get(),
        }
    }
}

/// Where an entry sorts on its board; see [`Order::key`]. A store may keep it as two integer columns and order by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// The score, negated where the highest leads.
    pub score: i64,
    /// The version at which the score was reached, negated where the latest leads.
    pub tie: i64,
}

impl OrderKey {
    /// Before every entry.
    pub const MIN: Self = Self { score: i64::MIN, tie: i64::MIN };
    /// Behind every entry.
    pub const MAX: Self = Self { score: i64::MAX, tie: i64::MAX };
}

/// How equal scores are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum RankStyle {
    /// 1, 2, 3, 4: the tie-break decides.
    #[default]
    Ordinal,
    /// 1, 2, 2, 4: equals share the better rank.
    Competition,
    /// 1, 2, 2, 3: equals share a rank, and none is left out.
    Dense,
}

/// What stands before an entry: all that its rank in any style depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ahead {
    /// Entries before it, ties included.
    pub entries: u64,
    /// Entries with a better score.
    pub better: u64,
    /// Distinct better scores.
    pub better_scores: u64,
}

impl Ahead {
    /// The rank, counted from 1.
    #[must_use]
    pub const fn rank(self, style: RankStyle) -> u64 {
        1 + match style {
            RankStyle::Ordinal => self.entries,
            RankStyle::Competition => self.better,
            RankStyle::Dense => self.better_scores,
        }
    }

    /// What stands before the next entry down, given whether its score is the same.
    #[must_use]
    pub const fn step(self, same_score: bool) -> Self {
        let entries = self.entries + 1;
        if same_score {
            Self { entries, ..self }
        } else {
            Self { entries, better: entries, better_scores: self.better_scores + 1 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_styles_number_ties_as_documented() {
        let scores = [50, 50, 30, 30, 10];
        let ranks = |style| {
            let mut ahead = Ahead::default();
            let mut ranks = Vec::new();
            for (i, score) in scores.iter().enumerate() {
                if i > 0 {
                    ahead = ahead.step(scores[i - 1] == *score);
                }
                ranks.push(ahead.rank(style));
            }
            ranks
        };
        assert_eq!(ranks(RankStyle::Ordinal), [1, 2, 3, 4, 5]);
        assert_eq!(ranks(RankStyle::Competition), [1, 1, 3, 3, 5]);
        assert_eq!(ranks(RankStyle::Dense), [1, 1, 2, 2, 3]);
    }

    #[test]
    fn keys_follow_direction_and_tie_break() {
        let score = |n| Score::new(n).expect("small");
        let down = Order::default();
        assert!(down.key(score(2), Version::new(9)) < down.key(score(1), Version::new(1)));
        assert!(down.key(score(2), Version::new(1)) < down.key(score(2), Version::new(2)));
        let up = Order { direction: Direction::Ascending, tie_break: TieBreak::Latest };
        assert!(up.key(score(1), Version::new(1)) < up.key(score(2), Version::new(9)));
        assert!(up.key(score(2), Version::new(2)) < up.key(score(2), Version::new(1)));
    }

    #[test]
    fn operators_start_from_nothing_as_documented() {
        let points = Points::new(5).expect("small");
        let apply = |operator: Operator| operator.apply(Direction::Descending, None, points).map(Score::get);
        assert_eq!(apply(Operator::Increment), Some(5));
        assert_eq!(apply(Operator::Decrement), Some(-5));
        assert_eq!(apply(Operator::Set), Some(5));
        assert_eq!(apply(Operator::Best), Some(5));
    }
}
