//! What reads answer with: entries, pages, standings.

use serde::{Deserialize, Serialize};

use crate::board::Season;
use crate::clock::Timestamp;
use crate::ids::UserId;
use crate::ranking::{Ahead, OrderKey, RankStyle};
use crate::score::Score;
use crate::store::Reached;
use crate::version::{Epoch, Position, Version};

/// One user's place on a board, as a store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranked {
    /// Counted from 1, in the style that was asked for.
    pub rank: u64,
    /// Whose it is.
    pub user_id: UserId,
    /// The score.
    pub score: Score,
    /// The version at which this score was reached.
    pub reached: Version,
    /// When it was reached.
    pub updated_at: Timestamp,
}

/// Which entries a page is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// The first `limit`.
    Top {
        /// How many.
        limit: usize,
    },
    /// The first `limit` behind a key.
    After {
        /// The key of the last entry before the page.
        key: OrderKey,
        /// How many.
        limit: usize,
    },
    /// The last `limit` in front of a key.
    Before {
        /// The key of the first entry behind the page.
        key: OrderKey,
        /// How many.
        limit: usize,
    },
    /// A user with `radius` entries on each side. Near an end the page stays full: it always holds
    /// min(2 · radius + 1, total) entries, the user among them, and none if the user is not on the board.
    Around {
        /// In the middle.
        user: UserId,
        /// How many on each side.
        radius: usize,
    },
}

/// Which page of which board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageQuery {
    /// The current one if `None`.
    pub season: Option<Season>,
    /// Which entries.
    pub range: Range,
    /// How equals are numbered.
    pub style: RankStyle,
}

/// Entries next to each other, in the board's order, all true at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedPage {
    /// The season they belong to.
    pub season: Season,
    /// When they are true.
    pub position: Position,
    /// All entries of the season.
    pub total: u64,
    /// The entries, best first.
    pub entries: Vec<Ranked>,
    /// Whether there are entries before the first.
    pub has_previous: bool,
    /// Whether there are entries behind the last.
    pub has_next: bool,
}

/// Where some users stand, all true at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedUsers {
    /// The season.
    pub season: Season,
    /// When it is true.
    pub position: Position,
    /// All entries of the season, not only those asked for.
    pub total: u64,
    /// One for each user asked for, in that order; `None` for who is not on the board.
    pub entries: Vec<Option<Ranked>>,
}

/// Where a score would stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ScoreRank {
    /// The rank that the score would get if a user reached it now.
    pub rank: u64,
    /// All entries of the season.
    pub total: u64,
    /// Compared before the version.
    pub epoch: Epoch,
    /// When it is true.
    pub version: Version,
}

/// A user's place with the name to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Counted from 1.
    pub rank: u64,
    /// Whose it is.
    pub user_id: UserId,
    /// The name to show; `null` where no account is known.
    pub display_name: Option<String>,
    /// The score.
    pub score: Score,
    /// When this score was reached.
    pub updated_at: Timestamp,
}

/// A page with names and cursors, as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// The board.
    pub board: crate::BoardId,
    /// The season.
    pub season: Season,
    /// Compared before the version.
    pub epoch: Epoch,
    /// When it is true.
    pub version: Version,
    /// All entries of the season.
    pub total: u64,
    /// Best first.
    pub entries: Vec<Entry>,
    /// The page before this one.
    pub previous_cursor: Option<String>,
    /// The page behind this one.
    pub next_cursor: Option<String>,
}

/// Where one user stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The board.
    pub board: crate::BoardId,
    /// The season.
    pub season: Season,
    /// Compared before the version.
    pub epoch: Epoch,
    /// When it is true.
    pub version: Version,
    /// All entries of the season.
    pub total: u64,
    /// How many of all entries stand here or behind, in percent: 100 for who leads. Of equals all count as standing here where they share a
    /// rank (`competition`). `null` for a user not on the board, and for `dense` ranks, which count scores and not users.
    pub percentile: Option<f64>,
    /// `null` for a user not on the board.
    pub standing: Option<Entry>,
    /// Whether a part of the score is held until a moderator has looked at it. Told to the user alone, and left out if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub provisional: bool,
}

/// Where several users stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Standings {
    /// The board.
    pub board: crate::BoardId,
    /// The season.
    pub season: Season,
    /// Compared before the version.
    pub epoch: Epoch,
    /// When it is true.
    pub version: Version,
    /// All entries of the season, not only those asked for.
    pub total: u64,
    /// One for each user asked for, in that order; `null` for who is not on the board.
    pub standings: Vec<Option<Entry>>,
}

/// How many of `total` entries stand at a rank of this style or behind it, in percent.
pub(crate) fn percentile(style: RankStyle, rank: u64, total: u64) -> Option<f64> {
    match style {
        RankStyle::Ordinal | RankStyle::Competition => Some(100.0 * (total + 1 - rank) as f64 / total as f64),
        RankStyle::Dense => None,
    }
}

/// Turns entries in the board's order into ranks: what every store that counts needs.
///
/// `ahead` is what stands before the first entry.
pub fn rank_entries(
    style: RankStyle,
    mut ahead: Ahead,
    entries: impl IntoIterator<Item = (UserId, Reached)>,
) -> Vec<Ranked> {
    let entries = entries.into_iter();
    let mut last: Option<Score> = None;
    // A page tells how many it has at the most; whoever does not, or asks for all there are, lets it grow.
    let mut ranked = Vec::with_capacity(entries.size_hint().1.unwrap_or(0).min(1_000));
    for (user_id, reached) in entries {
        if let Some(last) = last {
            ahead = ahead.step(last == reached.score);
        }
        last = Some(reached.score);
        ranked.push(Ranked {
            rank: ahead.rank(style),
            user_id,
            score: reached.score,
            reached: reached.version,
            updated_at: reached.at,
        });
    }
    ranked
}
