//! The truth and the shared cache, as a node sees them: on another machine.

use std::time::Duration;

use async_trait::async_trait;
use scoreboard_core::memory::{MemoryBoardCache, MemoryScoreStore};
use scoreboard_core::{
    ActionId, BackendError, Board, BoardCache, BoardId, BoardSpec, CacheKey, Cached, Change, ChangeBoard, CreateBoard,
    Epoch, ErrorKind, Hit, Lease, LogRow, Outcome, PageQuery, Position, RankStyle, RankedPage, RankedUsers, Scan,
    Score, ScoreRank, ScoreStore, Season, Timestamp, UserId, Version,
};

use crate::remote::Remote;

type Result<T> = std::result::Result<T, BackendError>;

/// Of what changes nothing, nothing is unknown.
fn read<T>(answer: Result<Result<T>>) -> Result<T> {
    answer.map_err(|lost| BackendError::new(ErrorKind::Unavailable, lost.backend(), lost.operation())).flatten()
}

#[async_trait]
impl ScoreStore for Remote<MemoryScoreStore> {
    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard> {
        let spec = spec.clone();
        self.call("create_board", |store| Box::pin(async move { store.create_board(&spec).await })).await.flatten()
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard> {
        let (from, to) = (from.clone(), to.clone());
        self.call("change_board", |store| Box::pin(async move { store.change_board(&from, &to).await })).await.flatten()
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>> {
        let changes = changes.to_vec();
        self.call("apply", |store| Box::pin(async move { store.apply(&changes).await })).await.flatten()
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch> {
        self.call("raise_epoch", move |store| Box::pin(async move { store.raise_epoch(above).await })).await.flatten()
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>> {
        let board = board.clone();
        read(self.call("board", |store| Box::pin(async move { store.board(&board).await })).await)
    }

    async fn boards(&self) -> Result<Vec<Board>> {
        read(self.call("boards", |store| Box::pin(async move { store.boards().await })).await)
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>> {
        read(self.call("action", move |store| Box::pin(async move { store.action(action).await })).await)
    }

    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
        let board = board.clone();
        read(self.call("page", move |store| Box::pin(async move { store.page(&board, query).await })).await)
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>> {
        let (board, users) = (board.clone(), users.to_vec());
        let work = move |store: std::sync::Arc<MemoryScoreStore>| -> futures_util::future::BoxFuture<'static, _> {
            Box::pin(async move { store.standings(&board, season, style, &users).await })
        };
        read(self.call("standings", work).await)
    }

    async fn score_rank(&self, board: &BoardId, style: RankStyle, score: Score) -> Result<Option<ScoreRank>> {
        let board = board.clone();
        read(
            self.call("score_rank", move |store| Box::pin(async move { store.score_rank(&board, style, score).await }))
                .await,
        )
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>> {
        let board = board.clone();
        read(
            self.call("history", move |store| {
                Box::pin(async move { store.history(&board, user, before, limit).await })
            })
            .await,
        )
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>> {
        let board = board.clone();
        read(self.call("log", move |store| Box::pin(async move { store.log(&board, after, limit).await })).await)
    }

    async fn scan(&self, board: &BoardId, season: Season, after: Option<UserId>, limit: usize) -> Result<Option<Scan>> {
        let board = board.clone();
        read(
            self.call("scan", move |store| Box::pin(async move { store.scan(&board, season, after, limit).await }))
                .await,
        )
    }

    async fn check(&self) -> Result<()> {
        read(self.call("check", |store| Box::pin(async move { store.check().await })).await)
    }
}

#[async_trait]
impl BoardCache for Remote<MemoryBoardCache> {
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        let key = key.clone();
        self.call("get", move |cache| Box::pin(async move { cache.get(&key, now).await })).await.ok().flatten()
    }

    async fn lease(&self, key: &CacheKey, now: Timestamp, patience: Duration) -> Lease {
        let key = key.clone();
        let asked = self.call("lease", move |cache| Box::pin(async move { cache.lease(&key, now, patience).await }));
        asked.await.unwrap_or(Lease::Granted)
    }

    async fn put(&self, key: CacheKey, answer: Cached, now: Timestamp, lifetime: Duration) {
        // What is not kept is loaded again.
        let _ =
            self.call("put", move |cache| Box::pin(async move { cache.put(key, answer, now, lifetime).await })).await;
    }

    async fn raise_floor(&self, board: &BoardId, floor: Position) {
        let board = board.clone();
        // As with a shared cache that is away: the floors of each node are its own.
        let _ = self
            .call("raise_floor", move |cache| Box::pin(async move { cache.raise_floor(&board, floor).await }))
            .await;
    }
}
