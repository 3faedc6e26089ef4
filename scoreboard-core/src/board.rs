//! A board and its catalogue of action kinds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{InvalidValue, PointsProblem};
use crate::ids::{BoardId, KindId};
use crate::ranking::{Direction, Operator, Order, TieBreak};
use crate::score::Points;
use crate::store::{ChangeBoard, RowDigest};
use crate::version::{Epoch, Position, Version};

/// A season of a board, counted from 1. It is part of a score's key, so a turn moves no rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = u32, minimum = 1))]
#[serde(transparent)]
pub struct Season(u32);

impl Season {
    /// A board's first season.
    pub const FIRST: Self = Self(1);

    /// The season with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Season {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Season {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        text.parse().map(Self).map_err(|_| InvalidValue::new("season", "must be a number"))
    }
}

/// What a kind of action is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum PointsRule {
    /// Always the same.
    #[serde(rename = "points")]
    Fixed(Points),
    /// What the caller names, from the first to the second.
    #[serde(rename = "pointsRange")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<i64>))]
    Range(Points, Points),
}

impl PointsRule {
    /// The points that an action gets, given what the caller asked for.
    ///
    /// # Errors
    ///
    /// [`PointsProblem`] if the rule does not allow what was asked.
    pub const fn resolve(self, asked: Option<Points>) -> Result<Points, PointsProblem> {
        match (self, asked) {
            (Self::Fixed(points), None) => Ok(points),
            (Self::Fixed(_), Some(_)) => Err(PointsProblem::Fixed),
            (Self::Range(min, max), asked) => {
                let (min, max) = (min.get(), max.get());
                match asked {
                    None => Err(PointsProblem::Missing { min, max }),
                    Some(points) if points.get() < min || points.get() > max => {
                        Err(PointsProblem::OutOfRange { min, max })
                    }
                    Some(points) => Ok(points),
                }
            }
        }
    }
}

/// One kind of action that counts on a board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ActionKind {
    /// Its name.
    pub kind: KindId,
    /// What it is worth: on the wire either `points` or `pointsRange`.
    #[serde(flatten)]
    pub points: PointsRule,
    /// How long it takes at least, in seconds: an action done sooner is refused.
    pub min_duration_seconds: u32,
    /// How long after its start it can be handed in, in seconds.
    pub lifetime_seconds: u32,
    /// How often it counts for a user in a day (UTC), if limited.
    pub per_day: Option<u32>,
}

impl ActionKind {
    /// [`min_duration_seconds`](Self::min_duration_seconds) as a duration.
    #[must_use]
    pub const fn min_duration(&self) -> Duration {
        Duration::from_secs(self.min_duration_seconds as u64)
    }

    /// [`lifetime_seconds`](Self::lifetime_seconds) as a duration.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        Duration::from_secs(self.lifetime_seconds as u64)
    }

    fn check(&self) -> Result<(), InvalidValue> {
        /// A day: what is longer is no action but an account.
        const MAX_SECONDS: u32 = 86_400;
        if let PointsRule::Range(min, max) = self.points
            && min > max
        {
            return Err(InvalidValue::new("points range", "must not end before it starts"));
        }
        if self.lifetime_seconds == 0 || self.lifetime_seconds > MAX_SECONDS {
            return Err(InvalidValue::new("lifetime", "must be from 1 second to a day"));
        }
        if self.min_duration_seconds >= self.lifetime_seconds {
            return Err(InvalidValue::new("minimum duration", "must be shorter than the lifetime"));
        }
        if self.per_day == Some(0) {
            return Err(InvalidValue::new("number a day", "must be at least 1 where it is limited"));
        }
        Ok(())
    }
}

/// What an operator says of a board: everything but what happened on it.
///
/// ```
/// use scoreboard_core::{ActionKind, BoardId, BoardSpec, PointsRule, Points};
/// let spec = BoardSpec {
///     kinds: vec![ActionKind {
///         kind: "lap".parse()?,
///         points: PointsRule::Range(Points::new(1)?, Points::new(600_000)?),
///         min_duration_seconds: 20,
///         lifetime_seconds: 900,
///         per_day: Some(50),
///     }],
///     ..BoardSpec::new(BoardId::new("laps")?)
/// };
/// spec.check()?;
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BoardSpec {
    /// Its name in URLs.
    pub id: BoardId,
    /// Its name for people, 1 to 100 characters.
    pub name: String,
    /// Which end leads.
    #[serde(default)]
    pub direction: Direction,
    /// What points do.
    #[serde(default)]
    pub operator: Operator,
    /// Who leads among equals.
    #[serde(default)]
    pub tie_break: TieBreak,
    /// The catalogue.
    #[serde(default)]
    pub kinds: Vec<ActionKind>,
}

impl BoardSpec {
    /// A descending, incrementing board with an empty catalogue, named as its id.
    #[must_use]
    pub fn new(id: BoardId) -> Self {
        Self {
            name: id.to_string(),
            id,
            direction: Direction::default(),
            operator: Operator::default(),
            tie_break: TieBreak::default(),
            kinds: Vec::new(),
        }
    }

    /// Whether nothing in the catalogue makes anybody's score worse.
    pub(crate) fn scores_only_improve(&self) -> bool {
        let improves = |points: Points| match (self.operator, self.direction) {
            (Operator::Best, _) => true,
            (Operator::Set, _) => false,
            (Operator::Increment, Direction::Descending) | (Operator::Decrement, Direction::Ascending) => {
                points.get() >= 0
            }
            (Operator::Increment, Direction::Ascending) | (Operator::Decrement, Direction::Descending) => {
                points.get() <= 0
            }
        };
        self.kinds.iter().all(|kind| match kind.points {
            PointsRule::Fixed(points) => improves(points),
            PointsRule::Range(min, max) => improves(min) && improves(max),
        })
    }

    /// The order of its entries.
    #[must_use]
    pub const fn order(&self) -> Order {
        Order { direction: self.direction, tie_break: self.tie_break }
    }

    /// The kind of this name.
    #[must_use]
    pub fn kind(&self, kind: &KindId) -> Option<&ActionKind> {
        self.kinds.iter().find(|k| k.kind == *kind)
    }

    /// Whether the log of a board with this spec can go on under `other`: the operator and the order are the same.
    #[must_use]
    pub fn folds_as(&self, other: &Self) -> bool {
        self.operator == other.operator && self.order() == other.order()
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] naming the first rule that is broken.
    pub fn check(&self) -> Result<(), InvalidValue> {
        /// Enough for any game, and few enough to send whole.
        const MAX_KINDS: usize = 200;
        if self.name.trim().is_empty() || self.name.chars().count() > 100 || self.name.chars().any(char::is_control) {
            return Err(InvalidValue::new("board name", "must have 1 to 100 printable characters"));
        }
        if self.kinds.len() > MAX_KINDS {
            return Err(InvalidValue::new("catalogue", "must have at most 200 kinds"));
        }
        for (i, kind) in self.kinds.iter().enumerate() {
            kind.check()?;
            if self.kinds[..i].iter().any(|k| k.kind == kind.kind) {
                return Err(InvalidValue::new("catalogue", "must not name a kind twice"));
            }
        }
        Ok(())
    }
}

/// A board as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Board {
    /// What the operator said of it.
    #[serde(flatten)]
    pub spec: BoardSpec,
    /// The season that counts now.
    pub season: Season,
    /// Compared before the version.
    pub epoch: Epoch,
    /// The changes seen.
    pub version: Version,
    /// Entries in the current season.
    pub total: u64,
    /// Its log is whole behind this version; what was before may be archived. 0 where the log begins with the board.
    pub log_after: Version,
    /// The digest of its newest row that has one: it stands for the whole log.
    pub head: Option<RowDigest>,
}

impl Board {
    /// What becomes of [`change_board`](crate::ScoreStore::change_board), for every store alike: only with
    /// [`Changed`](ChangeBoard::Changed) is the spec replaced.
    pub fn decide_change(&self, from: &BoardSpec, to: &BoardSpec) -> ChangeBoard {
        if self.spec == *to {
            ChangeBoard::Changed
        } else if self.spec != *from {
            ChangeBoard::ChangedMeanwhile
        } else if self.version.get() > 0 && !self.spec.folds_as(to) {
            ChangeBoard::OrderIsFixed
        } else {
            ChangeBoard::Changed
        }
    }

    /// Epoch and version.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position { epoch: self.epoch, version: self.version }
    }
}
