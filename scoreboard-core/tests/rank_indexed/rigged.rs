//! A store in memory that does what a test tells it beside its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::{
    ActionId, BackendError, Board, BoardId, BoardSpec, Change, ChangeBoard, CreateBoard, Epoch, ErrorKind, LogRow,
    Outcome, PageQuery, RankStyle, RankedPage, RankedUsers, Scan, Score, ScoreRank, ScoreStore, Season, UserId,
    Version,
};

type Result<T> = std::result::Result<T, BackendError>;
type AfterScan = Box<dyn Fn(usize) -> Vec<Change> + Send + Sync>;

/// The store behind an index.
pub(crate) struct Rigged {
    pub(crate) store: MemoryScoreStore,
    /// Fails whatever an index should have answered.
    pub(crate) knows_no_ranks: AtomicBool,
    /// Tells of one row of the log something else than what it did.
    pub(crate) lies: AtomicBool,
    /// The changes that are applied right behind each scanned page.
    pub(crate) after_scan: Option<AfterScan>,
    scans: AtomicUsize,
    /// How many rows of the log were given out.
    pub(crate) rows_read: AtomicUsize,
    /// And in how many answers.
    pub(crate) looks: AtomicUsize,
    /// How many batches were applied.
    pub(crate) batches: AtomicUsize,
    /// So many more histories are read; then that fails.
    pub(crate) histories: AtomicUsize,
}

impl std::fmt::Debug for Rigged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rigged")
    }
}

impl Rigged {
    pub(crate) fn over(store: MemoryScoreStore) -> Self {
        let [knows_no_ranks, lies] = [const { AtomicBool::new(false) }; 2];
        Self {
            store,
            knows_no_ranks,
            lies,
            after_scan: None,
            scans: AtomicUsize::new(0),
            rows_read: AtomicUsize::new(0),
            looks: AtomicUsize::new(0),
            batches: AtomicUsize::new(0),
            histories: AtomicUsize::new(usize::MAX),
        }
    }

    pub(crate) fn without_ranks(store: MemoryScoreStore) -> Arc<Self> {
        let rigged = Self::over(store);
        rigged.knows_no_ranks.store(true, Ordering::SeqCst);
        Arc::new(rigged)
    }

    fn rank(&self) -> Result<()> {
        match self.knows_no_ranks.load(Ordering::SeqCst) {
            true => Err(BackendError::new(ErrorKind::Refused, "rigged", "rank")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl ScoreStore for Rigged {
    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>> {
        self.rank()?;
        self.store.page(board, query).await
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>> {
        self.rank()?;
        self.store.standings(board, season, style, users).await
    }

    async fn score_rank(&self, board: &BoardId, style: RankStyle, score: Score) -> Result<Option<ScoreRank>> {
        self.rank()?;
        self.store.score_rank(board, style, score).await
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>> {
        let mut rows = self.store.log(board, after, limit).await?;
        self.rows_read.fetch_add(rows.len(), Ordering::SeqCst);
        self.looks.fetch_add(1, Ordering::SeqCst);
        if self.lies.load(Ordering::SeqCst)
            && let Some(row) = rows.first_mut()
        {
            row.score = Score::new(-1).expect("small");
        }
        Ok(rows)
    }

    async fn scan(&self, board: &BoardId, season: Season, after: Option<UserId>, limit: usize) -> Result<Option<Scan>> {
        let scan = self.store.scan(board, season, after, limit).await?;
        if let Some(after_scan) = &self.after_scan {
            self.store.apply(&after_scan(self.scans.fetch_add(1, Ordering::SeqCst))).await?;
        }
        Ok(scan)
    }

    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard> {
        self.store.create_board(spec).await
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard> {
        self.store.change_board(from, to).await
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>> {
        self.store.board(board).await
    }

    async fn boards(&self) -> Result<Vec<Board>> {
        self.store.boards().await
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>> {
        self.batches.fetch_add(1, Ordering::SeqCst);
        self.store.apply(changes).await
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>> {
        self.store.action(action).await
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>> {
        let left = self.histories.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map_err(|_| BackendError::new(ErrorKind::Unavailable, "rigged", "history"))?;
        self.store.history(board, user, before, limit).await
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch> {
        self.store.raise_epoch(above).await
    }

    async fn check(&self) -> Result<()> {
        self.store.check().await
    }
}
