//! Scores and points: integers that every JSON reader holds exactly. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::InvalidValue;

/// The largest magnitude of a score or of points: 2^53 − 1, the largest integer that every JSON reader has exactly
/// (RFC 8259 §6).
pub const MAX_SCORE: i64 = (1 << 53) - 1;

macro_rules! bounded_integer {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "openapi", schema(value_type = i64, minimum = -9_007_199_254_740_991i64, maximum = 9_007_199_254_740_991i64))]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $name(i64);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// Checks that the value lies within ±[`MAX_SCORE`].
            ///
            /// # Errors
            ///
            /// [`InvalidValue`] if it does not.
            pub const fn new(value: i64) -> Result<Self, InvalidValue> {
                if value >= -MAX_SCORE && value <= MAX_SCORE {
                    Ok(Self(value))
                } else {
                    Err(InvalidValue::new($word, "must lie within ±(2^53 − 1)"))
                }
            }

            /// The integer itself.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl TryFrom<i64> for $name {
            type Error = InvalidValue;

            fn try_from(value: i64) -> Result<Self, InvalidValue> {
                Self::new(value)
            }
        }

        impl From<$name> for i64 {
            fn from(value: $name) -> i64 {
                value.0
            }
        }
    };
}

bounded_integer!(
    /// What a user has on a board, within ±[`MAX_SCORE`].
    ///
    /// ```
    /// use scoreboard_core::{MAX_SCORE, Points, Score};
    /// let score = Score::new(40)?;
    /// assert_eq!(score.checked_add(Points::new(2)?), Some(Score::new(42)?));
    /// assert_eq!(Score::new(MAX_SCORE)?.checked_add(Points::new(1)?), None);
    /// # Ok::<(), scoreboard_core::InvalidValue>(())
    /// ```
    Score,
    "score"
);
bounded_integer!(
    /// What one action is worth, within ±[`MAX_SCORE`].
    Points,
    "points"
);

impl Score {
    /// The sum, or `None` if it would leave the range: never wrapped, never clamped.
    #[must_use]
    pub fn checked_add(self, points: Points) -> Option<Self> {
        // Neither operand exceeds 2^53, so the i64 cannot overflow.
        Self::new(self.0 + points.0).ok()
    }

    /// The difference, or `None` if it would leave the range.
    #[must_use]
    pub fn checked_sub(self, points: Points) -> Option<Self> {
        Self::new(self.0 - points.0).ok()
    }
}

impl From<Points> for Score {
    fn from(points: Points) -> Self {
        Self(points.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_closed_at_both_ends() {
        assert!(Score::new(MAX_SCORE).is_ok() && Score::new(-MAX_SCORE).is_ok());
        assert!(Score::new(MAX_SCORE + 1).is_err() && Score::new(-MAX_SCORE - 1).is_err());
        let max = Score(MAX_SCORE);
        assert_eq!(max.checked_add(Points(0)), Some(max));
        assert_eq!(max.checked_add(Points(1)), None);
        assert_eq!(Score(-MAX_SCORE).checked_sub(Points(1)), None);
        assert_eq!(max.checked_add(Points(-MAX_SCORE)), Some(Score(0)));
    }

    #[test]
    fn json_that_is_no_integer_in_range_is_refused() {
        for bad in
            ["9007199254740992", "-9007199254740992", "1.5", "1e3", "\"1\"", "null", "NaN", "9223372036854775808"]
        {
            assert!(serde_json::from_str::<Points>(bad).is_err(), "{bad}");
        }
        assert_eq!(serde_json::from_str::<Points>("9007199254740991").expect("in range").get(), MAX_SCORE);
    }
}
