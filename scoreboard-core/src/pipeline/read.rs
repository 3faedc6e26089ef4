//! Reads: pages, standings, ranks, history. Every answer names the version at which it is true.

use std::collections::HashMap;

use crate::board::Season;
use crate::cursor::Cursor;
use crate::entry::{Entry, Page, PageQuery, Range, Ranked, RankedPage, ScoreRank, Standing, Standings, percentile};
use crate::error::{BackendError, Rejection, Result};
use crate::ids::{BoardId, UserId};
use crate::names::NAMES_BACKEND;
use crate::pipeline::Scoreboard;
use crate::ranking::{OrderKey, RankStyle};
use crate::score::Score;
use crate::store::ScoreStore;
use crate::version::{Position, Version};

mod auditor;
mod encoded;
mod history;
mod measures;
mod own;
mod reviewed;

pub use encoded::{Encoded, Stale, StaleCause};
pub(super) use encoded::{Fetched, Loads};
pub use history::{Changes, HistoryCorrection, HistoryEntry, HistoryPage, HistoryQuery};
pub(super) use measures::Counts;
pub use reviewed::ReviewedActions;

/// Which page of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopQuery {
    /// The board.
    pub board: BoardId,
    /// The current season if `None`.
    pub season: Option<Season>,
    /// How many entries, at least 1. Default: 10.
    pub limit: usize,
    /// From a page before; the top if `None`.
    pub cursor: Option<String>,
    /// How equals are numbered.
    pub style: RankStyle,
    /// Answer nothing older.
    pub min_version: Version,
}

impl TopQuery {
    /// The top 10 of the current season.
    #[must_use]
    pub const fn new(board: BoardId) -> Self {
        Self { board, season: None, limit: 10, cursor: None, style: RankStyle::Ordinal, min_version: Version::ZERO }
    }
}

/// Where a user stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingQuery {
    /// The board.
    pub board: BoardId,
    /// The current season if `None`.
    pub season: Option<Season>,
    /// How equals are numbered.
    pub style: RankStyle,
    /// Answer nothing older.
    pub min_version: Version,
}

impl StandingQuery {
    /// In the current season.
    #[must_use]
    pub const fn new(board: BoardId) -> Self {
        Self { board, season: None, style: RankStyle::Ordinal, min_version: Version::ZERO }
    }
}

/// A user's neighbourhood in the current season.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AroundQuery {
    /// The board.
    pub board: BoardId,
    /// In the middle.
    pub user: UserId,
    /// How many on each side.
    pub radius: usize,
    /// How equals are numbered.
    pub style: RankStyle,
    /// Answer nothing older.
    pub min_version: Version,
}

impl Scoreboard {
    /// A page of a board.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`], [`Rejection::UnknownSeason`], [`Rejection::CursorInvalid`],
    /// [`Rejection::VersionAhead`], or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn top(&self, query: &TopQuery) -> Result<Page> {
        let (season, range) = match &query.cursor {
            None => (query.season, Range::Top { limit: query.limit }),
            Some(text) => {
                // The season that the cursor was checked against is the one that is read, even if it turns meanwhile.
                let season = self.season(&query.board, query.season).await?;
                let range = match self.parts.cursors.read(&query.board, season, text)? {
                    Cursor::After(key) => Range::After { key, limit: query.limit },
                    Cursor::Before(key) => Range::Before { key, limit: query.limit },
                };
                (Some(season), range)
            }
        };
        let page_query = PageQuery { season, range, style: query.style };
        self.page(&query.board, page_query, query.min_version).await
    }

    /// A user's neighbourhood: see [`Range::Around`]. Empty if the user is not on the board.
    ///
    /// # Errors
    ///
    /// As [`top`](Self::top).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn around(&self, query: &AroundQuery) -> Result<Page> {
        let range = Range::Around { user: query.user, radius: query.radius };
        let page_query = PageQuery { season: None, range, style: query.style };
        self.page(&query.board, page_query, query.min_version).await
    }

    /// Where a user stands.
    ///
    /// # Errors
    ///
    /// As [`top`](Self::top).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn standing(&self, user: UserId, query: &StandingQuery) -> Result<Standing> {
        let Standings { board, season, epoch, version, total, mut standings } = self.standings(&[user], query).await?;
        let standing = standings.pop().flatten();
        let percentile = standing.as_ref().and_then(|standing| percentile(query.style, standing.rank, total));
        Ok(Standing { board, season, epoch, version, total, percentile, standing, provisional: false })
    }

    /// Where several users stand, all at one version.
    ///
    /// # Errors
    ///
    /// As [`top`](Self::top).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn standings(&self, users: &[UserId], query: &StandingQuery) -> Result<Standings> {
        let read = || self.parts.store.standings(&query.board, query.season, query.style, users);
        let found = self.at_least(&query.board, query.min_version, read, |found| found.position).await?;
        let Some(found) = found else { return Err(self.missing(&query.board).await) };
        let names = self.names(found.entries.iter().flatten()).await?;
        Ok(Standings {
            board: query.board.clone(),
            season: found.season,
            epoch: found.position.epoch,
            version: found.position.version,
            total: found.total,
            standings: found.entries.into_iter().map(|ranked| ranked.map(|ranked| entry(ranked, &names))).collect(),
        })
    }

    /// Where this score would stand in the current season.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`], [`Rejection::VersionAhead`], or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn score_rank(
        &self,
        board: &BoardId,
        style: RankStyle,
        score: Score,
        min_version: Version,
    ) -> Result<ScoreRank> {
        let read = || self.parts.store.score_rank(board, style, score);
        let position = |found: &ScoreRank| Position { epoch: found.epoch, version: found.version };
        let found = self.at_least(board, min_version, read, position).await?;
        Ok(found.ok_or_else(|| Rejection::UnknownBoard(board.clone()))?)
    }

    async fn page(&self, board: &BoardId, query: PageQuery, min_version: Version) -> Result<Page> {
        self.not_missing(board, self.parts.clock.now())?;
        let read = || self.parts.store.page(board, query);
        let found = self.at_least(board, min_version, read, |page| page.position).await?;
        let Some(page) = found else { return Err(self.missing(board).await) };
        let names = self.names(&page.entries).await?;
        let order = self.catalogue(board, self.parts.clock.now()).await?.spec.order();
        let key = |ranked: &Ranked| order.key(ranked.score, ranked.reached);
        let cursor = |cursor| self.parts.cursors.sign(board, page.season, cursor);
        let edge = |there: bool, ranked: Option<&Ranked>, way: fn(OrderKey) -> Cursor| {
            ranked.filter(|_| there).map(|ranked| cursor(way(key(ranked))))
        };
        let previous_cursor = edge(page.has_previous, page.entries.first(), Cursor::Before);
        let next_cursor = edge(page.has_next, page.entries.last(), Cursor::After);
        let RankedPage { season, position, total, entries, .. } = page;
        Ok(Page {
            board: board.clone(),
            season,
            epoch: position.epoch,
            version: position.version,
            total,
            entries: entries.into_iter().map(|ranked| entry(ranked, &names)).collect(),
            previous_cursor,
            next_cursor,
        })
    }

    /// What is read, at this version or a later one.
    ///
    /// A store may answer from memory, and not have heard yet what another node applied. Asked where the board is, it learns of it, and says
    /// nothing older from then on.
    async fn at_least<T, F: Future<Output = Result<Option<T>, BackendError>>>(
        &self,
        board: &BoardId,
        min_version: Version,
        read: impl Fn() -> F,
        position: impl Fn(&T) -> Position,
    ) -> Result<Option<T>> {
        let Some(found) = read().await? else { return Ok(None) };
        if position(&found).version >= min_version {
            return Ok(Some(found));
        }
        let Some(now) = self.parts.store.board(board).await? else { return Ok(None) };
        fresh_enough(now.position(), min_version)?;
        let Some(found) = read().await? else { return Ok(None) };
        fresh_enough(position(&found), min_version)?;
        Ok(Some(found))
    }

    /// The names of those in an answer, by one call. That they cannot be read is told apart from a store that cannot: see [`NAMES_BACKEND`].
    pub(super) async fn names(
        &self,
        ranked: impl IntoIterator<Item = &Ranked>,
    ) -> Result<HashMap<UserId, String>, BackendError> {
        let users: Vec<UserId> = ranked.into_iter().map(|ranked| ranked.user_id).collect();
        if users.is_empty() { Ok(HashMap::new()) } else { self.names_of(&users).await }
    }

    /// The names of these users, of whom there is one at least.
    pub(super) async fn names_of(&self, users: &[UserId]) -> Result<HashMap<UserId, String>, BackendError> {
        let names = self.parts.names.display_names(users).await;
        names.map_err(|error| BackendError::new(error.kind(), NAMES_BACKEND, "display_names").because(error))
    }

    async fn season(&self, board: &BoardId, asked: Option<Season>) -> Result<Season> {
        match asked {
            Some(season) => Ok(season),
            None => Ok(self.catalogue(board, self.parts.clock.now()).await?.season),
        }
    }
}

fn fresh_enough(position: Position, min_version: Version) -> Result<(), Rejection> {
    if position.version >= min_version { Ok(()) } else { Err(Rejection::VersionAhead(position.version)) }
}

pub(super) fn entry(ranked: Ranked, names: &HashMap<UserId, String>) -> Entry {
    Entry {
        rank: ranked.rank,
        user_id: ranked.user_id,
        display_name: names.get(&ranked.user_id).cloned(),
        score: ranked.score,
        updated_at: ranked.updated_at,
    }
}
