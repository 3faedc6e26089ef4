//! The store as it is seen through the layer: batches may be applied by another node, and what that one has told is not read.

use async_trait::async_trait;
use tokio::time::timeout;

use crate::board::{Board, BoardSpec, Season};
use crate::entry::{PageQuery, RankedPage, RankedUsers, ScoreRank};
use crate::error::{BackendError, ErrorKind};
use crate::ids::{ActionId, BoardId, UserId};
use crate::layers::one_writer::{MOMENT, Next, OneWriter, Shareholders};
use crate::ranking::RankStyle;
use crate::score::Score;
use crate::store::{AppliedChange, Change, ChangeBoard, CreateBoard, LogRow, Outcome, Scan, ScoreStore};
use crate::version::{Epoch, Version};

#[async_trait]
impl ScoreStore for OneWriter {
    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError> {
        let next = self.take_next(changes);
        let may_count = matches!(next, Some(Next::Ask(..)));
        let _turn = match next {
            Some(Next::Ask(node, after)) => match self.ask(&node, changes, after).await {
                Some(outcomes) => return Ok(outcomes),
                None => None,
            },
            Some(Next::Turn(board)) => Some(self.own_turn(&board).await),
            None => None,
        };
        let applied = self.shared.inner.apply(changes).await;
        let outcomes = applied.map_err(|error| if may_count { unknown(error) } else { error })?;
        if let Some(epoch) = outcomes.iter().filter_map(Outcome::receipt).map(|receipt| receipt.epoch).max() {
            self.saw(epoch);
        }
        self.wrote(changes, &outcomes);
        Ok(outcomes)
    }

    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard, BackendError> {
        self.shared.inner.create_board(spec).await
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard, BackendError> {
        self.shared.inner.change_board(from, to).await
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>, BackendError> {
        let found = self.shared.inner.board(board).await?;
        if let Some(found) = &found {
            self.saw(found.epoch);
        }
        Ok(found)
    }

    async fn boards(&self) -> Result<Vec<Board>, BackendError> {
        let boards = self.shared.inner.boards().await?;
        boards.iter().for_each(|board| self.saw(board.epoch));
        Ok(boards)
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>, BackendError> {
        self.shared.inner.action(action).await
    }

    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>, BackendError> {
        self.shared.inner.page(board, query).await
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>, BackendError> {
        self.shared.inner.standings(board, season, style, users).await
    }

    async fn score_rank(
        &self,
        board: &BoardId,
        style: RankStyle,
        score: Score,
    ) -> Result<Option<ScoreRank>, BackendError> {
        self.shared.inner.score_rank(board, style, score).await
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        self.shared.inner.history(board, user, before, limit).await
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>, BackendError> {
        self.shared.inner.log(board, after, limit).await
    }

    async fn applied(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<AppliedChange>, BackendError> {
        let take = || {
            let mut boards = self.shared.boards.lock();
            let shareholders = boards.get_mut(board);
            // What is asked for brings what lies behind what was known then, and nothing before.
            let asking = |known: &Shareholders| known.asking.clone().filter(|_| after >= known.known);
            shareholders.map(|known| (known.told.take(after, limit, |_| true), asking(known))).unwrap_or_default()
        };
        let (mut told, asking) = take();
        if told.is_empty()
            && let Some(mut asking) = asking
            && timeout(MOMENT, asking.changed()).await.is_ok()
        {
            told = take().0;
        }
        if !told.is_empty() {
            return Ok(told);
        }
        self.shared.inner.applied(board, after, limit).await
    }

    async fn scan(
        &self,
        board: &BoardId,
        season: Season,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Scan>, BackendError> {
        self.shared.inner.scan(board, season, after, limit).await
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch, BackendError> {
        let epoch = self.shared.inner.raise_epoch(above).await?;
        self.saw(epoch);
        Ok(epoch)
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.shared.inner.check().await
    }
}

/// What the store says of a batch that another node may have applied: that this one could not do so settles nothing. What the store refuses, or cannot read,
/// it says of the batch, and would have said to the other.
fn unknown(error: BackendError) -> BackendError {
    match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Overloaded | ErrorKind::Contended | ErrorKind::Full => {
            BackendError::new(ErrorKind::OutcomeUnknown, error.backend(), error.operation()).because(error)
        }
        ErrorKind::OutcomeUnknown | ErrorKind::Corrupt | ErrorKind::Refused => error,
    }
}
