//! What happened: a user's history, and a board's log.

use std::collections::HashSet;

use serde::Serialize;

use crate::board::Season;
use crate::clock::Timestamp;
use crate::cursor::Cursor;
use crate::error::{Rejection, Result};
use crate::ids::{ActionId, BoardId, KindId, ModerationId, UserId};
use crate::pipeline::Scoreboard;
use crate::pipeline::read::fresh_enough;
use crate::ranking::OrderKey;
use crate::score::{Points, Score};
use crate::store::{LogRow, ScoreStore};
use crate::version::{Epoch, Version};

/// How many corrections are told with a page of a history.
const MAX_CORRECTIONS: usize = 100;

/// Which stretch of a user's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The board.
    pub board: BoardId,
    /// Whose.
    pub user: UserId,
    /// How many entries, at least 1. Default: 10.
    pub limit: usize,
    /// From a page before; the newest if `None`.
    pub cursor: Option<String>,
    /// Answer nothing older.
    pub min_version: Version,
}

impl HistoryQuery {
    /// The newest 10.
    #[must_use]
    pub const fn new(board: BoardId, user: UserId) -> Self {
        Self { board, user, limit: 10, cursor: None, min_version: Version::ZERO }
    }
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
    /// Whether a moderator has made it void: it no longer counts, and the scores of what was done after it may still be those with it.
    pub voided: bool,
}

impl HistoryEntry {
    fn new(row: LogRow, voided: &HashSet<ActionId>) -> Self {
        Self {
            voided: voided.contains(&row.action_id),
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

/// What was put right of what a user did, by a moderator who made actions void, or let them count again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HistoryCorrection {
    /// The decision.
    pub moderation_id: ModerationId,
    /// In which season.
    pub season: Season,
    /// `void`, `unvoid`, or `conclude` where a case of fraud was decided.
    pub kind: KindId,
    /// The score before; `null` if the user was not on the board.
    pub previous_score: Option<Score>,
    /// The score after; `null` if nothing is left that counts.
    pub score: Option<Score>,
    /// Compared before the version.
    pub epoch: Epoch,
    /// The version that it took.
    pub version: Version,
    /// When it was decided.
    pub applied_at: Timestamp,
}

impl From<LogRow> for HistoryCorrection {
    fn from(row: LogRow) -> Self {
        Self {
            moderation_id: ModerationId::from_bytes(*row.fingerprint.as_bytes()),
            season: row.season,
            previous_score: row.previous.map(|previous| previous.score),
            score: row.after().map(|after| after.score),
            kind: row.kind,
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
    /// What was put right meanwhile: behind the oldest of the entries, on the last page from the beginning on, and before the oldest of the page before;
    /// newest first, a hundred at the most.
    pub corrections: Vec<HistoryCorrection>,
    /// Older ones.
    pub next_cursor: Option<String>,
    /// The history goes back to this version; what was before is archived. 0 where it goes back to the beginning.
    pub log_after: Version,
}

/// A stretch of a board's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Behind which version it begins: the one that was asked for, or a later one where the log in between is archived. Who has followed
    /// to the former has then missed what lies between, and begins anew from the scores.
    pub after: Version,
    /// In version order, without a gap.
    pub rows: Vec<LogRow>,
}

impl Scoreboard {
    /// What a user did on a board, newest first.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`], [`Rejection::CursorInvalid`], [`Rejection::VersionAhead`], or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn history(&self, query: &HistoryQuery) -> Result<HistoryPage> {
        let HistoryQuery { board, user, limit, cursor, min_version } = query;
        let (user, limit) = (*user, *limit);
        let before = match cursor {
            None => None,
            Some(text) => Some(self.read_history_cursor(board, user, text)?),
        };
        // The board is read first: all rows up to its version are then there, and newer ones are left out.
        let found = self.parts.store.board(board).await?.ok_or_else(|| Rejection::UnknownBoard(board.clone()))?;
        fresh_enough(found.position(), *min_version)?;
        let before = before.unwrap_or(found.version.next());
        let (entries, next) = self.stretch(board, user, before, limit).await?;
        let corrections = match &self.parts.moderation {
            Some(moderation) => {
                let after = next.unwrap_or(Version::ZERO);
                moderation.corrections(board, user, after, before, MAX_CORRECTIONS).await?
            }
            None => Vec::new(),
        };
        Ok(HistoryPage {
            board: board.clone(),
            epoch: found.epoch,
            version: found.version,
            entries,
            corrections: corrections.into_iter().map(HistoryCorrection::from).collect(),
            next_cursor: next.map(|version| self.history_cursor(board, user, version)),
            log_after: found.log_after,
        })
    }

    /// The `limit` newest of what a user did before a version, and, if there is more, the version of the last of them.
    pub(super) async fn stretch(
        &self,
        board: &BoardId,
        user: UserId,
        before: Version,
        limit: usize,
    ) -> Result<(Vec<HistoryEntry>, Option<Version>)> {
        let mut rows = self.parts.store.history(board, user, Some(before), limit + 1).await?;
        let is_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| is_more).map(|row| row.position.version);
        let actions: Vec<ActionId> = rows.iter().map(|row| row.action_id).collect();
        let voided = match &self.parts.moderation {
            Some(moderation) if !actions.is_empty() => moderation.voided(&actions).await?,
            _ => HashSet::new(),
        };
        Ok((rows.into_iter().map(|row| HistoryEntry::new(row, &voided)).collect(), next))
    }

    /// The board's log behind a version, in version order, at most `limit` rows: what any follower applies. Where it is archived as far as
    /// that, the answer says where the log begins.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`] or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn changes(&self, board: &BoardId, after: Version, limit: usize) -> Result<Changes> {
        let rows = self.parts.store.log(board, after, limit).await?;
        let Some(first) = rows.first() else {
            // Tells "nothing new" from "archived" and from "no such board".
            let found = self.parts.store.board(board).await?.ok_or_else(|| Rejection::UnknownBoard(board.clone()))?;
            return Ok(Changes { after: after.max(found.log_after), rows });
        };
        Ok(Changes { after: Version::new(first.position.version.get() - 1), rows })
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
