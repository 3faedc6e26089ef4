//! The boards and their catalogues, remembered for a moment so that an update does not read them again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;

use crate::board::{Board, BoardSpec};
use crate::clock::Timestamp;
use crate::error::{InvalidValue, Rejection, Result};
use crate::ids::BoardId;
use crate::pipeline::Scoreboard;
use crate::store::{ChangeBoard, CreateBoard, ScoreStore};

/// How long a catalogue may be used after it was read: a change made by another process counts this much later. What must be
/// exact, the season above all, is checked again inside the transaction.
const LIFETIME: Duration = Duration::from_secs(2);

/// Boards as they were read. Bounded by the number of boards, for only those that exist are kept.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    boards: RwLock<HashMap<BoardId, (Arc<Board>, Timestamp)>>,
}

impl Catalogue {
    fn get(&self, board: &BoardId, now: Timestamp) -> Option<Arc<Board>> {
        let boards = self.boards.read();
        let (board, read_at) = boards.get(board)?;
        (now >= *read_at && now.since(*read_at) < LIFETIME).then(|| board.clone())
    }
}

/// Why a board could not be created or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoardError {
    /// The spec breaks a rule.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// There is a board of this name.
    #[error("there is already a board `{0}`")]
    AlreadyExists(BoardId),
    /// There is no board of this name.
    #[error("there is no board `{0}`")]
    Unknown(BoardId),
    /// The board's log was made with its operator, direction and tie-break.
    #[error("the board `{0}` has a log already: its operator, direction and tie-break are fixed")]
    OrderIsFixed(BoardId),
    /// The store failed.
    #[error(transparent)]
    Backend(#[from] crate::BackendError),
}

impl Scoreboard {
    /// Creates a board, at version 0 in its first season.
    ///
    /// # Errors
    ///
    /// [`BoardError`] if the spec breaks a rule, the name is taken, or the store fails.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the board was created or was not.
    pub async fn create_board(&self, spec: BoardSpec) -> Result<(), BoardError> {
        spec.check()?;
        match self.parts.store.create_board(&spec).await? {
            CreateBoard::Created => Ok(()),
            CreateBoard::AlreadyExists => Err(BoardError::AlreadyExists(spec.id)),
        }
    }

    /// Replaces a board's spec. Its operator, direction and tie-break are fixed once it has a log. Other processes follow
    /// within two seconds.
    ///
    /// # Errors
    ///
    /// [`BoardError`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the spec is the old or the new one.
    pub async fn change_board(&self, spec: BoardSpec) -> Result<(), BoardError> {
        spec.check()?;
        let changed = self.parts.store.change_board(&spec).await?;
        self.parts.boards.boards.write().remove(&spec.id);
        match changed {
            ChangeBoard::Changed => Ok(()),
            ChangeBoard::Unknown => Err(BoardError::Unknown(spec.id)),
            ChangeBoard::OrderIsFixed => Err(BoardError::OrderIsFixed(spec.id)),
        }
    }

    /// All boards as they stand, sorted by id.
    ///
    /// # Errors
    ///
    /// If the store fails.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn boards(&self) -> Result<Vec<Board>> {
        Ok(self.parts.store.boards().await?)
    }

    /// The board with its catalogue; season, version and total may be those of a moment ago.
    pub(super) async fn catalogue(&self, board: &BoardId, now: Timestamp) -> Result<Arc<Board>> {
        if let Some(board) = self.parts.boards.get(board, now) {
            return Ok(board);
        }
        let found = self.parts.store.board(board).await?.ok_or_else(|| Rejection::UnknownBoard(board.clone()))?;
        let found = Arc::new(found);
        self.parts.boards.boards.write().insert(board.clone(), (found.clone(), now));
        Ok(found)
    }
}
