//! Reads: pages, standings, ranks, history. Every answer names the version at which it is true.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use serde::Serialize;

use crate::board::{Board, Season};
use crate::cache::{CacheKey, Cached};
use crate::clock::Timestamp;
use crate::cursor::Cursor;
use crate::entry::{Entry, Page, PageQuery, Range, Ranked, RankedPage, ScoreRank, Standing, Standings};
use crate::error::{BackendError, ErrorKind, Rejection, Result};
use crate::ids::{ActionId, BoardId, KindId, UserId};
use crate::pipeline::Scoreboard;
use crate::ranking::{OrderKey, RankStyle};
use crate::score::{Points, Score};
use crate::store::{LogRow, ScoreStore};
use crate::version::{Epoch, Position, Version};

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

/// An answer as it goes over the wire, encoded once for all who ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// When it is true.
    pub position: Position,
    /// JSON. Cloning shares it.
    pub bytes: Bytes,
}

/// One action of a user's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// What counted.
    pub action_id: ActionId,
    /// In which season.
    pub season: Season,
    /// What was done.
    pub kind: KindId,
    /// What it was worth.
    pub points: Points,
    /// The score before; `null` if the user was not on the board.
    pub previous_score: Option<Score>,
    /// The score after.
    pub score: Score,
    /// Compared before the version.
    pub epoch: Epoch,
    /// The version that it took.
    pub version: Version,
    /// When it counted.
    pub applied_at: Timestamp,
}

impl From<LogRow> for HistoryEntry {
    fn from(row: LogRow) -> Self {
        Self {
            action_id: row.action_id,
            season: row.season,
            kind: row.kind,
            points: row.points,
            previous_score: row.previous.map(|previous| previous.score),
            score: row.score,
            epoch: row.position.epoch,
            version: row.position.version,
            applied_at: row.at,
        }
    }
}

/// A stretch of a user's history, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HistoryPage {
    /// The board.
    pub board: BoardId,
    /// Compared before the version.
    pub epoch: Epoch,
    /// When it is true.
    pub version: Version,
    /// Newest first.
    pub entries: Vec<HistoryEntry>,
    /// Older ones.
    pub next_cursor: Option<String>,
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

    /// [`top`](Self::top), encoded, out of the cache if it is there and fresh. However many ask at once, one loads.
    ///
    /// # Errors
    ///
    /// As [`top`](Self::top).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed but the cache.
    pub async fn top_encoded(&self, query: &TopQuery) -> Result<Encoded> {
        // Only first pages of the current season are asked for again and again.
        if query.cursor.is_some() || query.season.is_some() {
            return encode(&self.top(query).await?);
        }
        let view = match query.style {
            RankStyle::Ordinal => format!("top/ordinal/{}", query.limit),
            RankStyle::Competition => format!("top/competition/{}", query.limit),
            RankStyle::Dense => format!("top/dense/{}", query.limit),
        };
        let key = CacheKey { board: query.board.clone(), view: view.into() };
        let fresh = |encoded: &Encoded| encoded.position.version >= query.min_version;
        let now = self.parts.clock.now();
        if let Some(Cached { position, bytes }) = self.parts.cache.get(&key, now).await {
            let encoded = Encoded { position, bytes };
            if fresh(&encoded) {
                metrics::counter!("scoreboard_cache_requests_total", "tier" => "l1", "result" => "hit").increment(1);
                return Ok(encoded);
            }
        }
        metrics::counter!("scoreboard_cache_requests_total", "tier" => "l1", "result" => "miss").increment(1);
        let led = AtomicBool::new(false);
        let load = || {
            led.store(true, Ordering::Relaxed);
            self.load_top(query, key.clone(), now)
        };
        let mut encoded = self.parts.encoded.run(key.clone(), load).await?;
        if !led.load(Ordering::Relaxed) {
            // Somebody else's load may have begun, and read, before this call did. What the cache holds is not below the floor;
            // if it holds nothing, the next load begins later than this call, whoever leads it.
            encoded = match self.parts.cache.get(&key, now).await {
                Some(Cached { position, bytes }) => Encoded { position, bytes },
                None => self.parts.encoded.run(key.clone(), || self.load_top(query, key.clone(), now)).await?,
            };
        }
        if fresh(&encoded) {
            return Ok(encoded);
        }
        encode(&self.top(query).await?)
    }

    /// Reads and encodes a first page, for all who wait for it, and keeps it.
    async fn load_top(&self, query: &TopQuery, key: CacheKey, now: Timestamp) -> Result<Encoded> {
        let encoded = encode(&self.top(&TopQuery { min_version: Version::ZERO, ..query.clone() }).await?)?;
        let cached = Cached { position: encoded.position, bytes: encoded.bytes.clone() };
        self.parts.cache.put(key, cached, now, self.parts.config.cache_lifetime).await;
        Ok(encoded)
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
        let Standings { board, season, epoch, version, mut standings } = self.standings(&[user], query).await?;
        Ok(Standing { board, season, epoch, version, standing: standings.pop().flatten() })
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
        let found = self.parts.store.standings(&query.board, query.season, query.style, users).await?;
        let Some(found) = found else { return Err(self.missing(&query.board).await) };
        fresh_enough(found.position, query.min_version)?;
        let names = self.names(found.entries.iter().flatten()).await?;
        Ok(Standings {
            board: query.board.clone(),
            season: found.season,
            epoch: found.position.epoch,
            version: found.position.version,
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
        let found = self.parts.store.score_rank(board, style, score).await?;
        let found = found.ok_or_else(|| Rejection::UnknownBoard(board.clone()))?;
        fresh_enough(Position { epoch: found.epoch, version: found.version }, min_version)?;
        Ok(found)
    }

    /// What a user did on a board, newest first.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`], [`Rejection::CursorInvalid`], or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<HistoryPage> {
        let before = match cursor {
            None => None,
            Some(text) => Some(self.read_history_cursor(board, user, text)?),
        };
        // The board is read first: all rows up to its version are then there, and newer ones are left out.
        let found = self.parts.store.board(board).await?.ok_or_else(|| Rejection::UnknownBoard(board.clone()))?;
        let before = before.unwrap_or(found.version.next());
        let mut rows = self.parts.store.history(board, user, Some(before), limit + 1).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor =
            rows.last().filter(|_| more).map(|row| self.history_cursor(board, user, row.position.version));
        Ok(HistoryPage {
            board: board.clone(),
            epoch: found.epoch,
            version: found.version,
            entries: rows.into_iter().map(HistoryEntry::from).collect(),
            next_cursor,
        })
    }

    /// The board's log behind a version, in version order, at most `limit` rows: what any follower applies.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`] or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn changes(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>> {
        let rows = self.parts.store.log(board, after, limit).await?;
        if rows.is_empty() {
            // Tells "nothing new" from "no such board".
            self.catalogue(board, self.parts.clock.now()).await?;
        }
        Ok(rows)
    }

    async fn page(&self, board: &BoardId, query: PageQuery, min_version: Version) -> Result<Page> {
        let Some(page) = self.parts.store.page(board, query).await? else { return Err(self.missing(board).await) };
        fresh_enough(page.position, min_version)?;
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

    /// The names of those in an answer, by one call.
    pub(super) async fn names(
        &self,
        ranked: impl IntoIterator<Item = &Ranked>,
    ) -> Result<HashMap<UserId, String>, BackendError> {
        let users: Vec<UserId> = ranked.into_iter().map(|ranked| ranked.user_id).collect();
        if users.is_empty() { Ok(HashMap::new()) } else { self.parts.names.display_names(&users).await }
    }

    async fn season(&self, board: &BoardId, asked: Option<Season>) -> Result<Season> {
        match asked {
            Some(season) => Ok(season),
            None => Ok(self.catalogue(board, self.parts.clock.now()).await?.season),
        }
    }

    /// Why a read found nothing.
    pub(super) async fn missing(&self, board: &BoardId) -> crate::Error {
        match self.parts.store.board(board).await {
            Ok(Some(Board { .. })) => Rejection::UnknownSeason.into(),
            Ok(None) => Rejection::UnknownBoard(board.clone()).into(),
            Err(error) => error.into(),
        }
    }

    /// A history cursor is one of the board's cursors: its key is the version, bound to the user by the season's place.
    fn history_cursor(&self, board: &BoardId, user: UserId, version: Version) -> String {
        let tie = i64::try_from(version.get()).expect("a board never sees 2^63 changes");
        let key = OrderKey { score: user_half(user), tie };
        self.parts.cursors.sign(board, HISTORY, Cursor::After(key))
    }

    fn read_history_cursor(&self, board: &BoardId, user: UserId, text: &str) -> Result<Version> {
        match self.parts.cursors.read(board, HISTORY, text)? {
            Cursor::After(key) if key.score == user_half(user) => {
                u64::try_from(key.tie).map(Version::new).map_err(|_| Rejection::CursorInvalid.into())
            }
            Cursor::After(_) | Cursor::Before(_) => Err(Rejection::CursorInvalid.into()),
        }
    }
}

/// The season in a history cursor: none ever has this number, so the two kinds of cursors cannot be mixed up.
const HISTORY: Season = Season::new(0);

/// Enough of a user id to refuse the cursor of another's history; the caller's right to read is checked elsewhere.
fn user_half(user: UserId) -> i64 {
    let mut half = [0; 8];
    half.copy_from_slice(&user.as_bytes()[8..]);
    i64::from_be_bytes(half)
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

fn encode(page: &Page) -> Result<Encoded> {
    let position = Position { epoch: page.epoch, version: page.version };
    let bytes = serde_json::to_vec(page)
        .map_err(|error| BackendError::new(ErrorKind::Refused, "json", "encode a page").because(error))?;
    Ok(Encoded { position, bytes: bytes.into() })
}
