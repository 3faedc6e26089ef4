//! Boards and their catalogues.

use scoreboard_core::{
    ActionKind, Board, BoardId, Direction, Epoch, KindId, Operator, Points, PointsRule, Season, TieBreak, Version,
};
use serde::Serialize;
use utoipa::ToSchema;

/// All boards.
#[derive(Serialize, ToSchema)]
pub(crate) struct BoardsAnswer {
    pub(crate) boards: Vec<BoardAnswer>,
}

/// A board as it stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Board)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BoardAnswer {
    /// Its name in requests.
    id: BoardId,
    /// Its name for people.
    name: String,
    /// Which end leads.
    direction: Direction,
    /// What points do.
    operator: Operator,
    /// Who leads among equals.
    tie_break: TieBreak,
    /// The season that counts now.
    season: Season,
    /// Compared before the version.
    epoch: Epoch,
    /// The changes seen.
    version: Version,
    /// Entries in the current season.
    total: u64,
    /// The catalogue.
    kinds: Vec<KindAnswer>,
}

/// A kind of action: it has either `points` or `pointsRange`.
#[derive(Serialize, ToSchema)]
#[schema(as = ActionKind)]
#[serde(rename_all = "camelCase")]
struct KindAnswer {
    /// Its name in requests.
    kind: KindId,
    /// What it is always worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<Points>,
    /// From what to what it may be worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Points>>, min_items = 2, max_items = 2)]
    points_range: Option<[Points; 2]>,
    /// How long it takes at least, in seconds.
    min_duration_seconds: u32,
    /// How long after its start it can be handed in, in seconds.
    lifetime_seconds: u32,
    /// How often it counts for a user in a day (UTC); `null` for any number.
    per_day: Option<u32>,
}

impl From<Board> for BoardAnswer {
    fn from(board: Board) -> Self {
        let Board { spec, season, epoch, version, total, log_after: _, head: _ } = board;
        Self {
            id: spec.id,
            name: spec.name,
            direction: spec.direction,
            operator: spec.operator,
            tie_break: spec.tie_break,
            season,
            epoch,
            version,
            total,
            kinds: spec.kinds.into_iter().map(KindAnswer::from).collect(),
        }
    }
}

impl From<ActionKind> for KindAnswer {
    fn from(kind: ActionKind) -> Self {
        let ActionKind { kind, points, min_duration_seconds, lifetime_seconds, per_day } = kind;
        let (points, points_range) = match points {
            PointsRule::Fixed(points) => (Some(points), None),
            PointsRule::Range(min, max) => (None, Some([min, max])),
        };
        Self { kind, points, points_range, min_duration_seconds, lifetime_seconds, per_day }
    }
}
