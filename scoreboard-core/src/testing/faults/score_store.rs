//! A store that fails.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Dice, FaultRates};
use crate::board::{Board, BoardSpec, Season};
use crate::entry::{PageQuery, RankedPage, RankedUsers, ScoreRank};
use crate::error::BackendError;
use crate::ids::{ActionId, BoardId, UserId};
use crate::ranking::RankStyle;
use crate::score::Score;
use crate::store::{Change, ChangeBoard, CreateBoard, LogRow, Outcome, Scan, ScoreStore};
use crate::version::{Epoch, Version};

/// A [`ScoreStore`] that fails at times, as its trait allows: writes in all ways, reads only before they did anything.
///
/// ```
/// use std::sync::Arc;
/// use scoreboard_core::memory::MemoryScoreStore;
/// use scoreboard_core::testing::{FaultRates, FaultyScoreStore};
/// use scoreboard_core::{BoardSpec, BoardId, CreateBoard, ErrorKind, ScoreStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), scoreboard_core::BackendError> {
/// let rates = FaultRates { after: 1.0, ..FaultRates::default() };
/// let store = FaultyScoreStore::new(Arc::new(MemoryScoreStore::new()), 7, rates);
/// let spec = BoardSpec::new(BoardId::main());
/// let error = store.create_board(&spec).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
/// store.set_rates(FaultRates::default());
/// assert_eq!(store.create_board(&spec).await?, CreateBoard::AlreadyExists);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FaultyScoreStore {
    inner: Arc<dyn ScoreStore>,
    dice: Dice,
}

impl FaultyScoreStore {
    /// Makes `inner` fail. The same seed gives the same faults to the same calls.
    #[must_use]
    pub fn new(inner: Arc<dyn ScoreStore>, seed: u64, rates: FaultRates) -> Self {
        Self { inner, dice: Dice::new(seed, rates) }
    }

    /// From now on these rates: the default ones heal it.
    pub fn set_rates(&self, rates: FaultRates) {
        *self.dice.rates.lock() = rates;
    }
}

#[async_trait]
impl ScoreStore for FaultyScoreStore {
    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard, BackendError> {
        self.dice.write("create_board", self.inner.create_board(spec)).await
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard, BackendError> {
        self.dice.write("change_board", self.inner.change_board(from, to)).await
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>, BackendError> {
        self.dice.read("board", self.inner.board(board)).await
    }

    async fn boards(&self) -> Result<Vec<Board>, BackendError> {
        self.dice.read("boards", self.inner.boards()).await
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError> {
        self.dice.write("apply", self.inner.apply(changes)).await
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>, BackendError> {
        self.dice.read("action", self.inner.action(action)).await
    }

    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>, BackendError> {
        self.dice.read("page", self.inner.page(board, query)).await
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>, BackendError> {
        self.dice.read("standings", self.inner.standings(board, season, style, users)).await
    }

    async fn score_rank(
        &self,
        board: &BoardId,
        style: RankStyle,
        score: Score,
    ) -> Result<Option<ScoreRank>, BackendError> {
        self.dice.read("score_rank", self.inner.score_rank(board, style, score)).await
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        self.dice.read("history", self.inner.history(board, user, before, limit)).await
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>, BackendError> {
        self.dice.read("log", self.inner.log(board, after, limit)).await
    }

    async fn scan(
        &self,
        board: &BoardId,
        season: Season,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Scan>, BackendError> {
        self.dice.read("scan", self.inner.scan(board, season, after, limit)).await
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch, BackendError> {
        self.dice.write("raise_epoch", self.inner.raise_epoch(above)).await
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.dice.read("check", self.inner.check()).await
    }
}
