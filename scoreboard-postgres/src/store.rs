//! The scores' own store: which of its calls read one version, and which write.

use async_trait::async_trait;
use scoreboard_core::{
    ActionId, BackendError, Board, BoardId, BoardSpec, Change, ChangeBoard, CreateBoard, Epoch, LogRow, Outcome,
    PageQuery, RankStyle, RankedPage, RankedUsers, Scan, Score, ScoreRank, ScoreStore, Season, UserId, Version,
};

use crate::connection::{PostgresStore, commit};
use crate::error::Failure;
use crate::{apply, boards, log, read};

impl PostgresStore {
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

    /// Waits for the batches under way, and keeps new ones out, so that none ends in the epoch before.
    async fn raise(&self, above: Epoch) -> Result<Epoch, Failure> {
        let next = i64::try_from(above.next().get()).map_err(Failure::stored)?;
        let mut tx = self.write().await?;
        sqlx::query("LOCK TABLE boards IN EXCLUSIVE MODE").execute(&mut *tx).await?;
        let epoch: i64 = sqlx::query_scalar("UPDATE meta SET epoch = greatest(epoch, $1) RETURNING epoch")
            .bind(next)
            .fetch_one(&mut *tx)
            .await?;
        commit(tx).await?;
        Ok(Epoch::new(epoch.cast_unsigned()))
    }

    /// A read, and whether a write would be taken: a standby reads as well as any.
    async fn ask(&self) -> Result<(), Failure> {
        let read_only: bool = sqlx::query_scalar("SELECT current_setting('transaction_read_only') = 'on' FROM meta")
            .fetch_one(&mut *self.pool.acquire().await?)
            .await?;
        if read_only { Err(Failure::ReadOnly) } else { Ok(()) }
    }
}

#[async_trait]
impl ScoreStore for PostgresStore {
    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard, BackendError> {
        self.writes("create_board", self.create(spec)).await
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard, BackendError> {
        self.writes("change_board", self.change(from, to)).await
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>, BackendError> {
        let found = async { boards::one(&mut *self.pool.acquire().await?, board).await };
        self.reads("board", found).await
    }

    async fn boards(&self) -> Result<Vec<Board>, BackendError> {
        let all = async { boards::all(&mut *self.pool.acquire().await?).await };
        self.reads("boards", all).await
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError> {
        self.writes("apply", apply::apply(self, changes)).await
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>, BackendError> {
        let found = async { log::action(&mut *self.pool.acquire().await?, action).await };
        self.reads("action", found).await
    }

    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>, BackendError> {
        let page = async { read::page(&mut *self.snapshot().await?, board, query).await };
        self.reads("page", page).await
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>, BackendError> {
        let standings = async { read::standings(&mut *self.snapshot().await?, board, season, style, users).await };
        self.reads("standings", standings).await
    }

    async fn score_rank(
        &self,
        board: &BoardId,
        style: RankStyle,
        score: Score,
    ) -> Result<Option<ScoreRank>, BackendError> {
        let rank = async { read::score_rank(&mut *self.snapshot().await?, board, style, score).await };
        self.reads("score_rank", rank).await
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        let history = async { log::history(&mut *self.pool.acquire().await?, board, user, before, limit).await };
        self.reads("history", history).await
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>, BackendError> {
        let rows = async { log::log(&mut *self.pool.acquire().await?, board, after, limit).await };
        self.reads("log", rows).await
    }

    async fn scan(
        &self,
        board: &BoardId,
        season: Season,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Scan>, BackendError> {
        let scan = async { log::scan(&mut *self.snapshot().await?, board, season, after, limit).await };
        self.reads("scan", scan).await
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch, BackendError> {
        self.writes("raise_epoch", self.raise(above)).await
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.reads("check", self.ask()).await
    }
}
