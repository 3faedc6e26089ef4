//! Reads that walk: the log, a user's history, all scores.

use scoreboard_core::{ActionId, BoardId, LogRow, Scan, Season, UserId, Version};
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::error::Failure;
use crate::rows::{Columns, limit, log_columns, number};

pub(crate) async fn action(
    executor: impl SqliteExecutor<'_>,
    action: ActionId,
) -> Result<Option<(BoardId, LogRow)>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT boards.id, ",
        log_columns!(),
        " FROM log JOIN boards ON boards.no = log.board WHERE log.action_id = ?"
    ))
    .bind(action.as_bytes().as_slice())
    .fetch_optional(executor)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    Ok(Some((BoardId::new(columns.take()?)?, columns.log_row()?)))
}

/// Which rows of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// What they did.
    Actions,
    /// What was put right of it behind this version.
    Corrections { after: Version },
}

/// Walks the user's chains, newest first. Where `before` is one of their rows, as the last one of a page is, the walk begins
/// there; otherwise it passes over what is newer.
pub(crate) async fn history(
    executor: impl SqliteExecutor<'_>,
    board: &BoardId,
    user: UserId,
    of: Of,
    before: Option<Version>,
    count: usize,
) -> Result<Vec<LogRow>, Failure> {
    let after = match of {
        Of::Actions => Version::ZERO,
        Of::Corrections { after } => after,
    };
    let rows = sqlx::query(concat!(
        "WITH RECURSIVE
            named (no) AS (SELECT no FROM boards WHERE id = ?1),
            last_seen (season, chained_to) AS (
                SELECT season, chained_to FROM log WHERE board = (SELECT no FROM named) AND version = ?3 AND user_id = ?2),
            chain (version) AS (
                SELECT chained_to FROM last_seen WHERE chained_to IS NOT NULL
                UNION ALL
                SELECT coalesce(withheld.chain_end, scores.chain_end)
                FROM seasons
                LEFT JOIN scores
                  ON scores.board = seasons.board AND scores.season = seasons.season AND scores.user_id = ?2
                LEFT JOIN withheld
                  ON withheld.board = seasons.board AND withheld.season = seasons.season AND withheld.user_id = ?2
                WHERE seasons.board = (SELECT no FROM named)
                  AND seasons.season < coalesce((SELECT season FROM last_seen), 4294967296)
                  AND coalesce(withheld.chain_end, scores.chain_end) IS NOT NULL
                UNION ALL
                SELECT log.chained_to
                FROM chain CROSS JOIN log ON log.board = (SELECT no FROM named) AND log.version = chain.version
                WHERE log.chained_to > ?5
                ORDER BY 1 DESC)
         SELECT ",
        log_columns!(),
        " FROM chain CROSS JOIN log ON log.board = (SELECT no FROM named) AND log.version = chain.version
          WHERE chain.version < ?3 AND chain.version > ?5
            AND CASE log.origin WHEN 'correction' THEN ?6 AND log.kind IN ('void', 'unvoid', 'conclude') ELSE NOT ?6 END LIMIT ?4"
    ))
    .bind(board.as_str())
    .bind(user.as_bytes().as_slice())
    .bind(before.map_or(i64::MAX, number))
    .bind(limit(count))
    .bind(number(after))
    .bind(of != Of::Actions)
    .fetch_all(executor)
    .await?;
    rows.iter().map(|row| Columns::of(row).log_row()).collect()
}

pub(crate) async fn log(
    executor: impl SqliteExecutor<'_>,
    board: &BoardId,
    after: Version,
    count: usize,
) -> Result<Vec<LogRow>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        log_columns!(),
        " FROM log WHERE log.board = (SELECT no FROM boards WHERE id = ?) AND log.version > ?
          ORDER BY log.version LIMIT ?"
    ))
    .bind(board.as_str())
    .bind(number(after))
    .bind(limit(count))
    .fetch_all(executor)
    .await?;
    rows.iter().map(|row| Columns::of(row).log_row()).collect()
}

pub(crate) async fn scan(
    tx: &mut SqliteConnection,
    board: &BoardId,
    season: Season,
    after: Option<UserId>,
    count: usize,
) -> Result<Option<Scan>, Failure> {
    let found = sqlx::query(
        "SELECT boards.no, meta.epoch, boards.version, seasons.total
         FROM boards JOIN seasons ON seasons.board = boards.no AND seasons.season = ?2
         CROSS JOIN meta WHERE boards.id = ?1",
    )
    .bind(board.as_str())
    .bind(season.get())
    .fetch_optional(&mut *tx)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let mut found = Columns::of(&found);
    let no: i64 = found.take()?;
    let (position, total) = (found.position()?, found.count()?);
    let rows = sqlx::query(
        "SELECT user_id, score, reached, updated_at FROM scores
         WHERE board = ? AND season = ? AND user_id > ? ORDER BY user_id LIMIT ?",
    )
    .bind(no)
    .bind(season.get())
    // Nothing sorts before the empty string of bytes.
    .bind(after.as_ref().map_or(&[][..], |user| user.as_bytes().as_slice()))
    .bind(limit(count))
    .fetch_all(tx)
    .await?;
    let mut scores = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        scores.push((columns.user()?, columns.reached()?));
    }
    Ok(Some(Scan { position, total, scores }))
}
