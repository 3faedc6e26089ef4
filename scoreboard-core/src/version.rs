//! The one number that every part of the system speaks: a board's version, behind its epoch.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::InvalidValue;

/// How many changes a board has seen: 0 for a new board, then 1, 2, 3 … without a gap, in commit order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = u64))]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// The version of a board that nothing has happened on.
    pub const ZERO: Self = Self(0);

    /// The version with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version of the change after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which life of the truth a version belongs to: raised only when a restore or a failover could have lost commits, so that a
/// reused version number is never taken for the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = u64))]
#[serde(transparent)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A point in a board's life. Positions are ordered: the epoch first, then the version.
///
/// ```
/// use scoreboard_core::{Epoch, Position, Version};
/// let before = Position { epoch: Epoch::new(1), version: Version::new(900) };
/// let restored = Position { epoch: Epoch::new(2), version: Version::new(850) };
/// assert!(before < restored);
/// assert_eq!("1.900".parse::<Position>()?, before);
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Compared first.
    pub epoch: Epoch,
    /// The number of changes seen.
    pub version: Version,
}

/// `epoch.version`, as in an `ETag` or the id of a server-sent event.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.version)
    }
}

impl FromStr for Position {
    type Err = InvalidValue;

    /// Takes what [`Display`](fmt::Display) writes, and nothing else: no sign, no zero in front, no number above 2^53 − 1.
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let parts = text.split_once('.').and_then(|(epoch, version)| {
            Some(Self { epoch: Epoch(number(epoch)?), version: Version(number(version)?) })
        });
        parts.ok_or(InvalidValue::new("position", "must be `epoch.version`"))
    }
}

/// Decimal digits, as a number that every JSON reader has exactly. `u64::from_str` would take a `+` as well.
fn number(digits: &str) -> Option<u64> {
    const MAX: u64 = (1 << 53) - 1;
    let canonical = digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits.parse().ok().filter(|number| canonical && *number <= MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_only_as_it_is_written() {
        for (epoch, version) in [(0, 0), (1, 900), (12, 10), (9_007_199_254_740_991, 9_007_199_254_740_991)] {
            let position = Position { epoch: Epoch::new(epoch), version: Version::new(version) };
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        for bad in [
            "",
            ".",
            "1",
            "1.",
            ".1",
            "1.2.3",
            "+1.0",
            "1.+0",
            "-1.0",
            "1.-0",
            "01.0",
            "1.00",
            " 1.0",
            "1.0 ",
            "1 .0",
            "1_0.0",
            "0x1.0",
            "1e3.0",
            "١.٢",
            "1,0",
            "9007199254740992.0",
            "1.9007199254740992",
            "1.18446744073709551615",
            "1.18446744073709551616",
            "1.99999999999999999999999999999999",
        ] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }
}
