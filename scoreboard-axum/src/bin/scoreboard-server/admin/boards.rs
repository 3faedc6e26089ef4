//! Boards.

use scoreboard_core::{Board, BoardError, BoardId, BoardSpec, ChangeBoard, CreateBoard, PointsRule};

use crate::cli::SpecFlags;
use crate::failure::Result;
use crate::store::Stores;

pub(super) async fn create(stores: &Stores, board: BoardId, flags: SpecFlags) -> Result<String> {
    let spec = flags.over(BoardSpec::new(board));
    spec.check()?;
    match stores.scores.create_board(&spec).await? {
        CreateBoard::Created => Ok(format!("created board {}; give it kinds with `admin set-kind`", spec.id)),
        CreateBoard::AlreadyExists => Err(BoardError::AlreadyExists(spec.id).into()),
    }
}

pub(super) async fn change(stores: &Stores, board: BoardId, flags: SpecFlags) -> Result<String> {
    edit(stores, board, |spec| Ok(flags.clone().over(spec))).await
}

pub(super) async fn list(stores: &Stores) -> Result<String> {
    let boards = stores.scores.boards().await?;
    if boards.is_empty() {
        return Ok("no boards".to_owned());
    }
    Ok(boards.iter().map(show).collect())
}

async fn find(stores: &Stores, board: BoardId) -> Result<Board> {
    Ok(stores.scores.board(&board).await?.ok_or(BoardError::Unknown(board))?)
}

/// Changes a board's spec: again, if somebody else changed it meanwhile, so that neither change is lost.
pub(super) async fn edit(
    stores: &Stores,
    board: BoardId,
    change: impl Fn(BoardSpec) -> Result<BoardSpec>,
) -> Result<String> {
    const TRIES: usize = 100;
    for _ in 0..TRIES {
        let from = find(stores, board.clone()).await?.spec;
        let to = change(from.clone())?;
        to.check()?;
        match stores.scores.change_board(&from, &to).await? {
            ChangeBoard::Changed => return Ok(show(&find(stores, board).await?)),
            ChangeBoard::Unknown => return Err(BoardError::Unknown(board).into()),
            ChangeBoard::OrderIsFixed => return Err(BoardError::OrderIsFixed(board).into()),
            ChangeBoard::ChangedMeanwhile => {}
        }
    }
    Err(BoardError::ChangedMeanwhile(board).into())
}

fn show(board: &Board) -> String {
    let Board { spec, season, version, total, .. } = board;
    let (direction, operator, tie_break) = (word(&spec.direction), word(&spec.operator), word(&spec.tie_break));
    let mut text = format!(
        "{} \"{}\": {direction}, {operator}, {tie_break} first among equals; season {season}, version {version}, {total} entries\n",
        spec.id, spec.name
    );
    for kind in &spec.kinds {
        let points = match kind.points {
            PointsRule::Fixed(points) => points.to_string(),
            PointsRule::Range(min, max) => format!("{min}..{max}"),
        };
        let per_day = kind.per_day.map_or(String::new(), |count| format!(", at most {count} a day"));
        text += &format!(
            "  {}: {points} points, takes {} s at least, can be handed in for {} s{per_day}\n",
            kind.kind, kind.min_duration_seconds, kind.lifetime_seconds
        );
    }
    text
}

/// As it is written on the command line.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => unreachable!("a unit variant is a word"),
    }
}

impl SpecFlags {
    fn over(self, spec: BoardSpec) -> BoardSpec {
        BoardSpec {
            name: self.name.unwrap_or(spec.name),
            direction: self.direction.unwrap_or(spec.direction),
            operator: self.operator.unwrap_or(spec.operator),
            tie_break: self.tie_break.unwrap_or(spec.tie_break),
            ..spec
        }
    }
}
