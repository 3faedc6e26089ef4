//! Defects of score stores, each told by what it does instead of the rule.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::board::{Board, BoardSpec, Season};
use crate::entry::{PageQuery, RankedPage, RankedUsers, ScoreRank};
use crate::error::BackendError;
use crate::ids::{ActionId, BoardId, UserId};
use crate::ranking::RankStyle;
use crate::score::Score;
use crate::store::{Change, ChangeBoard, CreateBoard, LogRow, Outcome, Scan, ScoreStore};
use crate::version::{Epoch, Version};

mod reads;
mod serials;
mod writes;

pub use reads::*;
pub use serials::SerialCursor;
pub use writes::*;

type Result<T> = std::result::Result<T, BackendError>;

/// What a defect changes of a store's calls: what it leaves out works.
#[async_trait]
trait Alteration: Send + Sync + 'static {
    async fn create_board(&self, store: &dyn ScoreStore, spec: &BoardSpec) -> Result<CreateBoard> {
        store.create_board(spec).await
    }

    async fn change_board(&self, store: &dyn ScoreStore, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard> {
        store.change_board(from, to).await
    }

    async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
        store.apply(changes).await
    }

    async fn page(&self, store: &dyn ScoreStore, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
        store.page(board, query).await
    }

    async fn score_rank(
        &self,
        store: &dyn ScoreStore,
        board: &BoardId,
        style: RankStyle,
        score: Score,
    ) -> Result<Option<ScoreRank>> {
        store.score_rank(board, style, score).await
    }

    async fn standings(
        &self,
        store: &dyn ScoreStore,
        board: &BoardId,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>> {
        store.standings(board, None, style, users).await
    }

    async fn history(
        &self,
        store: &dyn ScoreStore,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>> {
        store.history(board, user, before, limit).await
    }

    async fn log(&self, store: &dyn ScoreStore, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>> {
        store.log(board, after, limit).await
    }

    async fn raise_epoch(&self, store: &dyn ScoreStore, above: Epoch) -> Result<Epoch> {
        store.raise_epoch(above).await
    }
}

struct Altered<A> {
    store: Arc<dyn ScoreStore>,
    alteration: A,
}

impl<A> fmt::Debug for Altered<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<A>())
    }
}

#[async_trait]
impl<A: Alteration> ScoreStore for Altered<A> {
    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard> {
        self.alteration.create_board(&*self.store, spec).await
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard> {
        self.alteration.change_board(&*self.store, from, to).await
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>> {
        self.store.board(board).await
    }

    async fn boards(&self) -> Result<Vec<Board>> {
        self.store.boards().await
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>> {
        self.alteration.apply(&*self.store, changes).await
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>> {
        self.store.action(action).await
    }

    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
        self.alteration.page(&*self.store, board, query).await
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>> {
        match season {
            None => self.alteration.standings(&*self.store, board, style, users).await,
            season => self.store.standings(board, season, style, users).await,
        }
    }

    async fn score_rank(&self, board: &BoardId, style: RankStyle, score: Score) -> Result<Option<ScoreRank>> {
        self.alteration.score_rank(&*self.store, board, style, score).await
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>> {
        self.alteration.history(&*self.store, board, user, before, limit).await
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>> {
        self.alteration.log(&*self.store, board, after, limit).await
    }

    async fn scan(&self, board: &BoardId, season: Season, after: Option<UserId>, limit: usize) -> Result<Option<Scan>> {
        self.store.scan(board, season, after, limit).await
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch> {
        self.alteration.raise_epoch(&*self.store, above).await
    }

    async fn check(&self) -> Result<()> {
        self.store.check().await
    }
}

/// Declares score store defects: the type, its rule-breaking, and the one call it alters.
macro_rules! alterations {
    ($($(#[$doc:meta])* $name:ident { $($method:tt)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;

            #[async_trait::async_trait]
            impl super::Alteration for $name {
                $($method)*
            }

            impl $crate::testing::broken::Defect for $name {
                fn score_store(store: std::sync::Arc<dyn ScoreStore>) -> std::sync::Arc<dyn ScoreStore> {
                    std::sync::Arc::new(super::Altered { store, alteration: Self })
                }
            }
        )*
    };
}
use alterations;
