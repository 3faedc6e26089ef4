//! The rows of one part, in the order of boards and versions.

use std::collections::{HashMap, VecDeque};

use scoreboard_core::{BoardId, BoardSpec, LogRow};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::boards;
use crate::error::Failure;
use crate::parts::table;
use crate::rows::{Columns, limit, log_columns};

/// How many rows are read at once.
const CHUNK: usize = 2_000;

/// Walks a part. Nothing is written into it meanwhile, so that it is the same however often it is walked.
pub(super) struct Rows {
    statement: String,
    after: (i64, i64),
    chunk: VecDeque<(BoardId, LogRow)>,
    boards: HashMap<BoardId, BoardSpec>,
}

impl Rows {
    pub(super) async fn of(connection: &mut PgConnection, no: i64) -> Result<Self, Failure> {
        let statement = format!(
            "SELECT boards.no, boards.id, {} FROM {} AS log JOIN boards ON boards.no = log.board
             WHERE (log.board, log.version) > ($1, $2) ORDER BY log.board, log.version LIMIT $3",
            log_columns!(),
            table(no)
        );
        let boards = boards::all(connection).await?.into_iter().map(|board| (board.spec.id.clone(), board.spec));
        Ok(Self { statement, after: (0, 0), chunk: VecDeque::new(), boards: boards.collect() })
    }

    /// The next row, which is what it says that its user had, with its points.
    pub(super) async fn next(&mut self, connection: &mut PgConnection) -> Result<Option<(BoardId, LogRow)>, Failure> {
        if self.chunk.is_empty() {
            self.read(connection).await?;
        }
        let Some((board, row)) = self.chunk.pop_front() else { return Ok(None) };
        let spec = self.boards.get(&board).ok_or_else(|| Failure::stored("a row of no board"))?;
        let before = row.previous.map(|previous| previous.score);
        if spec.operator.apply(spec.direction, before, row.points) != Some(row.score) {
            let (version, score) = (row.position.version, row.score);
            let what =
                format!("the row of version {version} of `{board}` does not come to its score {score}: run `verify`");
            return Err(Failure::stored(what));
        }
        Ok(Some((board, row)))
    }

    async fn read(&mut self, connection: &mut PgConnection) -> Result<(), Failure> {
        let rows = sqlx::query(AssertSqlSafe(self.statement.clone()))
            .bind(self.after.0)
            .bind(self.after.1)
            .bind(limit(CHUNK))
            .fetch_all(connection)
            .await?;
        for row in &rows {
            let mut columns = Columns::of(row);
            let (no, board) = (columns.take()?, BoardId::new(columns.take()?)?);
            let row = columns.log_row()?;
            let version = i64::try_from(row.position.version.get()).map_err(Failure::stored)?;
            self.after = (no, version);
            self.chunk.push_back((board, row));
        }
        Ok(())
    }
}
