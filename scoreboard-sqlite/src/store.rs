//! The scores' own store: which of its calls read one version, and which write.

use async_trait::async_trait;
use scoreboard_core::{
    ActionId, BackendError, Board, BoardId, BoardSpec, Change, ChangeBoard, CreateBoard, Epoch, LogRow, Outcome,
    PageQuery, RankStyle, RankedPage, RankedUsers, Scan, Score, ScoreRank, ScoreStore, Season, UserId, Version,
};

use crate::connection::{SqliteStore, commit};
use crate::error::Failure;
use crate::{apply, boards, log, read};

impl SqliteStore {
    async fn create(&self, spec: &BoardSpec) -> Result<CreateBoard, Failure> {
        let mut tx = self.write().await?;
        let created = boards::create(&mut tx, spec).await?;
        commit(tx).await?;
        Ok(created)
    }

    async fn change(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard, Failure> {
        let mut tx = self.write().await?;
        let changed = boards::change(&mut tx, from, to).await?;
        commit(tx).await?;
        Ok(changed)
    }

    async fn raise(&self, above: Epoch) -> Result<Epoch, Failure> {
        let next = i64::try_from(above.next().get()).map_err(Failure::stored)?;
        let mut tx = self.write().await?;
        let epoch: i64 = sqlx::query_scalar("UPDATE meta SET epoch = max(epoch, ?) RETURNING epoch")
            .bind(next)
            .fetch_one(&mut *tx)
            .await?;
        commit(tx).await?;
        Ok(Epoch::new(epoch.cast_unsigned()))
    }

    /// A read, and a small write that is committed: only then does it show whether there is room.
    async fn ask(&self) -> Result<(), Failure> {
        sqlx::query("SELECT epoch FROM meta").fetch_one(&mut *self.reader().await?).await?;
        let mut tx = self.write().await?;
        sqlx::query("UPDATE meta SET probe = 1 - probe").execute(&mut *tx).await?;
        commit(tx).await
    }
}

#[async_trait]
impl ScoreStore for SqliteStore {
    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard, BackendError> {
        self.create(spec).await.map_err(|failure| failure.during("create_board"))
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard, BackendError> {
        self.change(from, to).await.map_err(|failure| failure.during("change_board"))
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>, BackendError> {
        async { boards::one(&mut *self.reader().await?, board).await }.await.map_err(|failure| failure.during("board"))
    }

    async fn boards(&self) -> Result<Vec<Board>, BackendError> {
        async { boards::all(&mut *self.reader().await?).await }.await.map_err(|failure| failure.during("boards"))
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError> {
        let applied = async { apply::apply(self.write().await?, changes).await };
        applied.await.map_err(|failure| failure.during("apply"))
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>, BackendError> {
        async { log::action(&mut *self.reader().await?, action).await }
            .await
            .map_err(|failure| failure.during("action"))
    }

    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>, BackendError> {
        let page = async { read::page(&mut *self.snapshot().await?, board, query).await };
        page.await.map_err(|failure| failure.during("page"))
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>, BackendError> {
        let standings = async { read::standings(&mut *self.snapshot().await?, board, season, style, users).await };
        standings.await.map_err(|failure| failure.during("standings"))
    }

    async fn score_rank(
        &self,
        board: &BoardId,
        style: RankStyle,
        score: Score,
    ) -> Result<Option<ScoreRank>, BackendError> {
        let rank = async { read::score_rank(&mut *self.snapshot().await?, board, style, score).await };
        rank.await.map_err(|failure| failure.during("score_rank"))
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        let history =
            async { log::history(&mut *self.reader().await?, board, user, log::Of::Actions, before, limit).await };
        history.await.map_err(|failure| failure.during("history"))
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>, BackendError> {
        async { log::log(&mut *self.reader().await?, board, after, limit).await }
            .await
            .map_err(|failure| failure.during("log"))
    }

    async fn scan(
        &self,
        board: &BoardId,
        season: Season,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Scan>, BackendError> {
        let scan = async { log::scan(&mut *self.snapshot().await?, board, season, after, limit).await };
        scan.await.map_err(|failure| failure.during("scan"))
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch, BackendError> {
        self.raise(above).await.map_err(|failure| failure.during("raise_epoch"))
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.ask().await.map_err(|failure| failure.during("check"))
    }
}
