//! Boards and their specs.

use scoreboard_core::{Board, BoardId, BoardSpec, ChangeBoard, CreateBoard, Version};
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::error::Failure;
use crate::rows::{Columns, Word};

pub(crate) async fn create(tx: &mut SqliteConnection, spec: &BoardSpec) -> Result<CreateBoard, Failure> {
    let no: Option<i64> = sqlx::query_scalar(
        "INSERT INTO boards (id, name, direction, operator, tie_break, kinds, season, version)
         VALUES (?, ?, ?, ?, ?, ?, 1, 0) ON CONFLICT (id) DO NOTHING RETURNING no",
    )
    .bind(spec.id.as_str())
    .bind(&spec.name)
    .bind(spec.direction.as_word())
    .bind(spec.operator.as_word())
    .bind(spec.tie_break.as_word())
    .bind(kinds(spec)?)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(no) = no else { return Ok(CreateBoard::AlreadyExists) };
    sqlx::query("INSERT INTO seasons (board, season, total) VALUES (?, 1, 0)").bind(no).execute(tx).await?;
    Ok(CreateBoard::Created)
}

pub(crate) async fn change(
    tx: &mut SqliteConnection,
    from: &BoardSpec,
    to: &BoardSpec,
) -> Result<ChangeBoard, Failure> {
    let Some(board) = one(&mut *tx, &to.id).await? else { return Ok(ChangeBoard::Unknown) };
    let changed = board.decide_change(from, to);
    if changed != ChangeBoard::Changed {
        return Ok(changed);
    }
    sqlx::query("UPDATE boards SET name = ?2, direction = ?3, operator = ?4, tie_break = ?5, kinds = ?6 WHERE id = ?1")
        .bind(to.id.as_str())
        .bind(&to.name)
        .bind(to.direction.as_word())
        .bind(to.operator.as_word())
        .bind(to.tie_break.as_word())
        .bind(kinds(to)?)
        .execute(tx)
        .await?;
    Ok(changed)
}

macro_rules! select_boards {
    ($rest:literal) => {
        concat!(
            "SELECT boards.id, boards.name, boards.direction, boards.operator, boards.tie_break, boards.kinds,
                    boards.season, meta.epoch, boards.version, seasons.total, boards.head
             FROM boards JOIN seasons ON seasons.board = boards.no AND seasons.season = boards.season CROSS JOIN meta ",
            $rest
        )
    };
}

pub(crate) async fn one(executor: impl SqliteExecutor<'_>, board: &BoardId) -> Result<Option<Board>, Failure> {
    let row = sqlx::query(select_boards!("WHERE boards.id = ?")).bind(board.as_str()).fetch_optional(executor).await?;
    row.map(|row| decode(Columns::of(&row))).transpose()
}

pub(crate) async fn all(executor: impl SqliteExecutor<'_>) -> Result<Vec<Board>, Failure> {
    let rows = sqlx::query(select_boards!("ORDER BY boards.id")).fetch_all(executor).await?;
    rows.iter().map(|row| decode(Columns::of(row))).collect()
}

fn decode(mut columns: Columns<'_>) -> Result<Board, Failure> {
    let spec = BoardSpec {
        id: BoardId::new(columns.take()?)?,
        name: columns.take()?,
        direction: columns.word()?,
        operator: columns.word()?,
        tie_break: columns.word()?,
        kinds: serde_json::from_str(columns.take()?).map_err(Failure::stored)?,
    };
    let season = columns.season()?;
    let position = columns.position()?;
    let (epoch, version, total) = (position.epoch, position.version, columns.count()?);
    let (log_after, head) = (Version::ZERO, columns.digest()?);
    Ok(Board { spec, season, epoch, version, total, log_after, head })
}

fn kinds(spec: &BoardSpec) -> Result<String, Failure> {
    serde_json::to_string(&spec.kinds).map_err(Failure::stored)
}
