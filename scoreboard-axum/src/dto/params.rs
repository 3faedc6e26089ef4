//! Parameters of reads.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use scoreboard_core::{
    AroundQuery, BoardId, HistoryQuery, MAX_SCORE, RankStyle, Score, Season, StandingQuery, TopQuery, UserId, Version,
};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use crate::problem::{Problem, invalid_value};
use crate::query::within;

/// The greatest integer that every JSON reader has exactly.
const MAX_VERSION: i64 = MAX_SCORE;

/// The greatest number of a season.
const MAX_SEASON: i64 = u32::MAX as i64;

/// Which page of a board.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TopParams {
    /// Which board.
    #[serde(default = "BoardId::main")]
    #[param(required = false)]
    board: BoardId,
    /// How many entries.
    #[serde(default, deserialize_with = "within::<_, 1, 100>")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, default = 10, nullable = false)]
    limit: Option<i64>,
    /// From a page before.
    #[param(nullable = false)]
    cursor: Option<String>,
    /// Which season; by default the current one.
    #[serde(default, deserialize_with = "within::<_, 1, MAX_SEASON>")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 4294967295u32, nullable = false)]
    season: Option<i64>,
    /// How equals are numbered.
    #[serde(default)]
    #[param(required = false, inline)]
    style: RankStyle,
    /// The answer is at least this fresh.
    #[serde(default, deserialize_with = "within::<_, 0, MAX_VERSION>")]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 9007199254740991i64, nullable = false)]
    min_version: Option<i64>,
}

/// Where a user stands.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StandingParams {
    /// Which board.
    #[serde(default = "BoardId::main")]
    #[param(required = false)]
    board: BoardId,
    /// Which season; by default the current one.
    #[serde(default, deserialize_with = "within::<_, 1, MAX_SEASON>")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 4294967295u32, nullable = false)]
    season: Option<i64>,
    /// How equals are numbered.
    #[serde(default)]
    #[param(required = false, inline)]
    style: RankStyle,
    /// The answer is at least this fresh.
    #[serde(default, deserialize_with = "within::<_, 0, MAX_VERSION>")]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 9007199254740991i64, nullable = false)]
    min_version: Option<i64>,
}

/// A user's neighbourhood.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AroundParams {
    /// Which board.
    #[serde(default = "BoardId::main")]
    #[param(required = false)]
    board: BoardId,
    /// How many on each side.
    #[serde(default, deserialize_with = "within::<_, 1, 50>")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 50, default = 5, nullable = false)]
    radius: Option<i64>,
    /// How equals are numbered.
    #[serde(default)]
    #[param(required = false, inline)]
    style: RankStyle,
    /// The answer is at least this fresh.
    #[serde(default, deserialize_with = "within::<_, 0, MAX_VERSION>")]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 9007199254740991i64, nullable = false)]
    min_version: Option<i64>,
}

/// What a user did.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HistoryParams {
    /// Which board.
    #[serde(default = "BoardId::main")]
    #[param(required = false)]
    board: BoardId,
    /// How many entries.
    #[serde(default, deserialize_with = "within::<_, 1, 100>")]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, default = 10, nullable = false)]
    limit: Option<i64>,
    /// From a page before.
    #[param(nullable = false)]
    cursor: Option<String>,
    /// The answer is at least this fresh.
    #[serde(default, deserialize_with = "within::<_, 0, MAX_VERSION>")]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 9007199254740991i64, nullable = false)]
    min_version: Option<i64>,
}

/// Where a score would stand.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RankParams {
    /// Which board.
    #[serde(default = "BoardId::main")]
    #[param(required = false)]
    pub(crate) board: BoardId,
    /// Which score.
    #[serde(deserialize_with = "score")]
    #[param(value_type = i64, minimum = -9007199254740991i64, maximum = 9007199254740991i64)]
    pub(crate) score: Score,
    /// How equals are numbered.
    #[serde(default)]
    #[param(required = false, inline)]
    pub(crate) style: RankStyle,
    /// The answer is at least this fresh.
    #[serde(default, deserialize_with = "within::<_, 0, MAX_VERSION>")]
    #[param(value_type = Option<i64>, minimum = 0, maximum = 9007199254740991i64, nullable = false)]
    min_version: Option<i64>,
}

impl From<TopParams> for TopQuery {
    fn from(params: TopParams) -> Self {
        let TopParams { board, limit, cursor, season, style, min_version } = params;
        Self {
            season: season.map(number).map(Season::new),
            limit: limit.map_or(10, number),
            cursor,
            style,
            min_version: version(min_version),
            ..Self::new(board)
        }
    }
}

impl From<StandingParams> for StandingQuery {
    fn from(params: StandingParams) -> Self {
        let StandingParams { board, season, style, min_version } = params;
        Self {
            season: season.map(number).map(Season::new),
            style,
            min_version: version(min_version),
            ..Self::new(board)
        }
    }
}

impl AroundParams {
    pub(crate) fn around(self, user: UserId) -> AroundQuery {
        let Self { board, radius, style, min_version } = self;
        AroundQuery { board, user, radius: radius.map_or(5, number), style, min_version: version(min_version) }
    }
}

impl HistoryParams {
    pub(crate) fn of(self, user: UserId) -> HistoryQuery {
        let Self { board, limit, cursor, min_version } = self;
        HistoryQuery { board, user, limit: limit.map_or(10, number), cursor, min_version: version(min_version) }
    }
}

impl RankParams {
    pub(crate) fn min_version(&self) -> Version {
        version(self.min_version)
    }
}

fn version(number: Option<i64>) -> Version {
    Version::new(number.map_or(0, self::number))
}

fn score<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Score, D::Error> {
    const MIN: i64 = -MAX_SCORE;
    let score = within::<_, MIN, MAX_SCORE>(deserializer)?;
    Score::new(score.unwrap_or_default()).map_err(D::Error::custom)
}

/// What [`within`] has let through.
fn number<T: TryFrom<i64, Error = std::num::TryFromIntError>>(number: i64) -> T {
    number.try_into().expect("the bounds of each parameter fit its type")
}

/// The user named in the path.
pub(crate) async fn user_id(parts: &mut Parts) -> Result<UserId, Problem> {
    const POINTER: &str = "/path/userId";
    let Path(text) = Path::<String>::from_request_parts(parts, &())
        .await
        .map_err(|_| Problem::invalid(POINTER, "must be a UUID"))?;
    text.parse().map_err(|error| invalid_value(POINTER, &error))
}
