//! Reads that walk: the log, a user's history, all scores.

use scoreboard_core::{ActionId, BoardId, LogRow, Scan, Season, UserId, Version};
use sqlx::{PgConnection, PgExecutor};

use crate::error::Failure;
use crate::rows::{Columns, limit, log_columns, number, season as season_number};

pub(crate) async fn action(
    executor: impl PgExecutor<'_>,
    action: ActionId,
) -> Result<Option<(BoardId, LogRow)>, Failure> {
    let row = sqlx::query(concat!(
        "SELECT boards.id, ",
        log_columns!(),
        " FROM log JOIN boards ON boards.no = log.board WHERE log.action_id = $1"
    ))
    .bind(action.as_uuid())
    .fetch_optional(executor)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mut columns = Columns::of(&row);
    Ok(Some((BoardId::new(columns.take()?)?, columns.log_row()?)))
}

pub(crate) async fn history(
    executor: impl PgExecutor<'_>,
    board: &BoardId,
    user: UserId,
    before: Option<Version>,
    count: usize,
) -> Result<Vec<LogRow>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        log_columns!(),
        " FROM log WHERE log.board = (SELECT no FROM boards WHERE id = $1) AND log.user_id = $2 AND log.version < $3
          AND log.version > (SELECT log_after FROM boards WHERE id = $1) AND log.origin <> 'correction'
          ORDER BY log.version DESC LIMIT $4"
    ))
    .bind(board.as_str())
    .bind(user.as_uuid())
    .bind(before.map_or(i64::MAX, |before| number(before.get())))
    .bind(limit(count))
    .fetch_all(executor)
    .await?;
    rows.iter().map(|row| Columns::of(row).log_row()).collect()
}

/// What was put right of what a user did, newest first.
pub(crate) async fn corrections(
    executor: impl PgExecutor<'_>,
    board: &BoardId,
    user: UserId,
    (after, before): (Version, Version),
    count: usize,
) -> Result<Vec<LogRow>, Failure> {
    let rows = sqlx::query(concat!(
        "SELECT ",
        log_columns!(),
        " FROM log WHERE log.board = (SELECT no FROM boards WHERE id = $1) AND log.user_id = $2 AND log.version < $3
          AND log.version > (SELECT greatest($4, log_after) FROM boards WHERE id = $1)
          AND log.origin = 'correction' AND log.kind IN ('void', 'unvoid', 'conclude')
          ORDER BY log.version DESC LIMIT $5"
    ))
    .bind(board.as_str())
    .bind(user.as_uuid())
    .bind(number(before.get()))
    .bind(number(after.get()))
    .bind(limit(count))
    .fetch_all(executor)
    .await?;
    rows.iter().map(|row| Columns::of(row).log_row()).collect()
}

macro_rules! select_log {
    ($up_to:literal) => {
        concat!(
            "SELECT ",
            log_columns!(),
            " FROM log WHERE log.board = (SELECT no FROM boards WHERE id = $1)
              AND log.version > (SELECT greatest($2, log_after) FROM boards WHERE id = $1) ",
            $up_to,
            " ORDER BY log.version LIMIT $3"
        )
    };
}

/// A board's rows behind a version.
///
/// Versions have no gaps, so those that are asked for lie between two of them. With the limit alone, while the planner takes the table to be small,
/// it has all rows read that lie behind, and sorted, for each page. Where none lies there, the log ends, or it has lost some: whoever verifies it
/// is to see what stands behind.
pub(crate) async fn log(
    connection: &mut PgConnection,
    board: &BoardId,
    after: Version,
    count: usize,
) -> Result<Vec<LogRow>, Failure> {
    let near = select_log!(
        "AND log.version <= (SELECT least(greatest($2, log_after), 9223372036854775807 - $3) + $3 FROM boards WHERE id = $1)"
    );
    for statement in [near, select_log!("")] {
        let rows = sqlx::query(statement)
            .bind(board.as_str())
            .bind(number(after.get()))
            .bind(limit(count))
            .fetch_all(&mut *connection)
            .await?;
        if !rows.is_empty() {
            return rows.iter().map(|row| Columns::of(row).log_row()).collect();
        }
    }
    Ok(Vec::new())
}

/// No id sorts before every other, so the first page has a statement of its own.
macro_rules! select_scan {
    ($after:literal) => {
        concat!(
            "SELECT user_id, score, reached, updated_at FROM scores WHERE board = $1 AND season = $2 ",
            $after,
            " ORDER BY user_id LIMIT $3"
        )
    };
}

pub(crate) async fn scan(
    tx: &mut PgConnection,
    board: &BoardId,
    season: Season,
    after: Option<UserId>,
    count: usize,
) -> Result<Option<Scan>, Failure> {
    let found = sqlx::query(
        "SELECT boards.no, meta.epoch, boards.version, seasons.total
         FROM boards JOIN seasons ON seasons.board = boards.no AND seasons.season = $2
         CROSS JOIN meta WHERE boards.id = $1",
    )
    .bind(board.as_str())
    .bind(season_number(season))
    .fetch_optional(&mut *tx)
    .await?;
    let Some(found) = found else { return Ok(None) };
    let mut found = Columns::of(&found);
    let no: i64 = found.take()?;
    let (position, total) = (found.position()?, found.count()?);
    let walk = match after {
        Some(after) => sqlx::query(select_scan!("AND user_id > $4"))
            .bind(no)
            .bind(season_number(season))
            .bind(limit(count))
            .bind(after.as_uuid()),
        None => sqlx::query(select_scan!("")).bind(no).bind(season_number(season)).bind(limit(count)),
    };
    let rows = walk.fetch_all(tx).await?;
    let mut scores = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        scores.push((columns.user()?, columns.reached()?));
    }
    Ok(Some(Scan { position, total, scores }))
}
