//! Ranks from memory over any store: exact, at a version that each answer names.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::board::{Board, BoardSpec, Season};
use crate::entry::{PageQuery, RankedPage, RankedUsers, ScoreRank};
use crate::error::{BackendError, Chain};
use crate::ids::{ActionId, BoardId, UserId};
use crate::ranking::RankStyle;
use crate::score::Score;
use crate::store::{Change, ChangeBoard, CreateBoard, LogRow, Outcome, Receipt, Scan, ScoreStore};
use crate::version::{Epoch, Position, Version};

mod absorb;
mod ahead;
mod check;
mod fill;
mod follow;
mod gate;
mod indexed_board;
mod lately;
mod progress;

use indexed_board::{IndexedBoard, Live};
pub use progress::{IndexProgress, IndexState};

/// The numbers of a [`RankIndexed`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RankIndexedConfig {
    /// Which boards are indexed; `None` for all.
    pub boards: Option<BTreeSet<BoardId>>,
    /// How many bytes the indexes of all boards together may have; a board that does not fit is answered by the store. While a board is
    /// filled, it takes about twice its share. Default: 1 GiB, some twenty million users.
    pub max_bytes: usize,
    /// How often the store is asked where its boards are, if nothing is announced. Default: 5 s.
    pub poll_interval: Duration,
    /// How long the store may have said nothing until what is in memory is not given out any more: some polls may fail. Default: 15 s.
    pub max_silence: Duration,
    /// How often a slice of users is compared with the store. Default: 1 s.
    pub check_interval: Duration,
    /// How many users are compared at once. Default: 500.
    pub check_slice: usize,
}

impl Default for RankIndexedConfig {
    fn default() -> Self {
        Self {
            boards: None,
            max_bytes: 1 << 30,
            poll_interval: Duration::from_secs(5),
            max_silence: Duration::from_secs(15),
            check_interval: Duration::from_secs(1),
            check_slice: 500,
        }
    }
}

/// A [`ScoreStore`] that answers pages, standings and ranks of the boards' current seasons from a [`RankIndex`](crate::RankIndex) each.
///
/// - **Filled beside the log.** A board's users are read by [`scan`](ScoreStore::scan), page by page, each at its own version, while the
///   log goes on; then the log is applied from before the first page. Whoever's row came behind their page ends with that row, all others with what
///   their page said: exact, without stopping anybody.
/// - **Then it follows.** What is applied through this handle is in the index before the caller has its answer. What other nodes apply comes by
///   announcement, and by asking every [`poll_interval`](RankIndexedConfig::poll_interval); while this one writes to the board,
///   with what it writes next, or when it is read.
/// - **Nothing old.** Whatever position was seen through this handle, in whatever answer, is a floor: no answer from the index is below it. A read
///   that finds the index behind brings it forward by the log, or is answered by the store. So who asks another node for a version
///   they were told (`minVersion`) first lets it ask [`board`](ScoreStore::board), and then reads no less.
/// - **In touch.** If the store has said nothing for [`max_silence`](RankIndexedConfig::max_silence), it is asked for each answer: other nodes may
///   have gone on, and whoever stands before this says that the store is gone.
/// - **Never trusted silently.** A slice of users at a time is compared with the store, at one version. A difference is logged as an error, counted
///   (`scoreboard_rank_index_drift_total`), and the index is made anew.
/// - **Bounded.** A board that would not fit, that is not ready, or another season than the current is answered by the store.
///
/// A receipt's rank stays `null`: a replay's receipt must be the first one, and what the rank was then is known to nobody later.
///
/// It stands *below* [`GroupCommit`](crate::GroupCommit): give it to [`Scoreboard::builder`](crate::Scoreboard::builder), and run
/// [`follow`](Self::follow) as a task, by which it is filled too. The store below it is the one to compare cached answers with:
/// [`with_audit_store`](crate::Builder::with_audit_store).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), scoreboard_core::BackendError> {
/// use std::sync::Arc;
/// use scoreboard_core::{BoardId, BoardSpec, IndexState, RankIndexed, RankIndexedConfig, ScoreStore, memory::MemoryScoreStore};
/// let store = RankIndexed::new(Arc::new(MemoryScoreStore::default()), RankIndexedConfig::default());
/// let _ = store.create_board(&BoardSpec::new(BoardId::main())).await?;
/// assert_eq!(store.progress()[0].state, IndexState::Ready);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RankIndexed {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Arc<dyn ScoreStore>,
    config: RankIndexedConfig,
    boards: RwLock<HashMap<BoardId, Arc<IndexedBoard>>>,
    /// Some board needs the follower: to be filled, or to be brought forward.
    wake: Notify,
    /// When the store last said where its boards are, or one of them.
    heard: Mutex<Instant>,
    /// Whether somebody in this process follows the logs as well.
    is_watched: AtomicBool,
    /// They had better look, while all that has counted is still remembered.
    is_crowded: Notify,
}

impl fmt::Debug for RankIndexed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RankIndexed").field("inner", &self.shared.inner).finish_non_exhaustive()
    }
}

impl RankIndexed {
    /// Ranks over `inner`. Nothing is indexed yet but boards that are created through it: see [`follow`](Self::follow).
    #[must_use]
    pub fn new(inner: Arc<dyn ScoreStore>, config: RankIndexedConfig) -> Self {
        describe();
        let shared = Shared {
            inner,
            config,
            boards: RwLock::default(),
            wake: Notify::new(),
            heard: Mutex::new(Instant::now()),
            is_watched: AtomicBool::new(false),
            is_crowded: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    fn indexed(&self, board: &BoardId) -> Option<Arc<IndexedBoard>> {
        self.shared.boards.read().get(board).cloned()
    }

    /// The board's index, from now on, if it is to have one.
    fn adopt(&self, board: &BoardId) -> Option<Arc<IndexedBoard>> {
        if self.shared.config.boards.as_ref().is_some_and(|boards| !boards.contains(board)) {
            return None;
        }
        let mut boards = self.shared.boards.write();
        Some(boards.entry(board.clone()).or_insert_with(|| Arc::new(IndexedBoard::new(board.clone()))).clone())
    }

    /// The store has just said where it is.
    fn heard(&self) {
        *self.shared.heard.lock() = Instant::now();
    }

    /// Whether the store has said lately where it is: from memory alone nobody can tell what other nodes have done.
    fn is_in_touch(&self) -> bool {
        self.shared.heard.lock().elapsed() <= self.shared.config.max_silence
    }

    /// A board was seen at this position: the index answers with nothing below it.
    fn seen(&self, board: &BoardId, position: Position) {
        if let Some(indexed) = self.indexed(board)
            && indexed.raise_floor(position)
        {
            self.shared.wake.notify_one();
        }
    }

    /// An answer of the index, if it has the board and season, at no version below the floor; brought forward first where it is behind.
    async fn answer<T>(&self, board: &BoardId, season: Option<Season>, ask: impl Fn(&Live) -> T) -> Option<T> {
        let indexed = self.indexed(board).filter(|_| self.is_in_touch())?;
        // What is seen from now on need not be in the answer: else a reader could run after the writers for ever.
        let floor = indexed.floor();
        let mut answer = indexed.answer(floor, season, &ask);
        if answer.is_none() {
            if indexed.is_behind()
                && let Err(error) = self.catch_up(&indexed).await
            {
                tracing::warn!(error = %Chain(&error), %board, "the log could not be read; the store is asked for ranks");
            }
            // Brought forward by now, by this caller or by another.
            answer = indexed.answer(floor, season, &ask);
        }
        let from = if answer.is_some() { "index" } else { "store" };
        metrics::counter!("scoreboard_rank_index_answers_total", "from" => from).increment(1);
        answer
    }
}

fn describe() {
    use metrics::{describe_counter, describe_gauge};
    describe_gauge!("scoreboard_rank_index_bytes", "What the ranks in memory take, in bytes.");
    describe_gauge!("scoreboard_rank_index_users", "The users whose ranks are in memory.");
    describe_gauge!("scoreboard_rank_index_boards", "The boards whose ranks are in memory, or are to be.");
    describe_counter!("scoreboard_rank_index_answers_total", "Answers with ranks, by what gave them.");
    describe_counter!("scoreboard_rank_index_rebuilds_total", "Indexes of ranks that were made, and why.");
    describe_counter!(
        "scoreboard_rank_index_checked_users_total",
        "Users whose ranks in memory were compared with the store."
    );
    describe_counter!(
        "scoreboard_rank_index_drift_total",
        "Differences from the store; each makes its index anew, and wants to be looked at."
    );
}

#[async_trait]
impl ScoreStore for RankIndexed {
    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>, BackendError> {
        if let Some(page) = self.answer(board, query.season, |live| live.page(query)).await {
            return Ok(Some(page));
        }
        let page = self.shared.inner.page(board, query).await?;
        self.heard();
        if let Some(page) = &page {
            self.seen(board, page.position);
        }
        Ok(page)
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>, BackendError> {
        if let Some(standings) = self.answer(board, season, |live| live.standings(style, users)).await {
            return Ok(Some(standings));
        }
        let standings = self.shared.inner.standings(board, season, style, users).await?;
        self.heard();
        if let Some(standings) = &standings {
            self.seen(board, standings.position);
        }
        Ok(standings)
    }

    async fn score_rank(
        &self,
        board: &BoardId,
        style: RankStyle,
        score: Score,
    ) -> Result<Option<ScoreRank>, BackendError> {
        if let Some(rank) = self.answer(board, None, |live| live.score_rank(style, score)).await {
            return Ok(Some(rank));
        }
        let rank = self.shared.inner.score_rank(board, style, score).await?;
        if let Some(ScoreRank { epoch, version, .. }) = rank {
            self.seen(board, Position { epoch, version });
        }
        Ok(rank)
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError> {
        let outcomes = self.shared.inner.apply(changes).await?;
        let mut moved: HashMap<&BoardId, Vec<(&Change, &Receipt)>> = HashMap::new();
        for (change, outcome) in changes.iter().zip(&outcomes) {
            if let Some(receipt) = outcome.receipt() {
                moved.entry(&receipt.board).or_default().push((change, receipt));
            }
        }
        for (board, applied) in moved {
            if let Some(indexed) = self.indexed(board) {
                self.absorb(&indexed, &applied);
            }
        }
        Ok(outcomes)
    }

    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard, BackendError> {
        let created = self.shared.inner.create_board(spec).await?;
        if created == CreateBoard::Created
            && let Some(indexed) = self.adopt(&spec.id)
        {
            self.fill_or_warn(&indexed).await;
        }
        Ok(created)
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard, BackendError> {
        let changed = self.shared.inner.change_board(from, to).await?;
        if changed == ChangeBoard::Changed
            && let Some(indexed) = self.indexed(&to.id)
            && !indexed.is_ordered(to.order())
        {
            indexed.start_anew("order");
            self.fill_or_warn(&indexed).await;
        }
        Ok(changed)
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>, BackendError> {
        let found = self.shared.inner.board(board).await?;
        self.heard();
        if let Some(found) = &found {
            self.seen(board, found.position());
        }
        Ok(found)
    }

    async fn boards(&self) -> Result<Vec<Board>, BackendError> {
        let boards = self.shared.inner.boards().await?;
        self.heard();
        boards.iter().for_each(|board| self.seen(&board.spec.id, board.position()));
        Ok(boards)
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>, BackendError> {
        let found = self.shared.inner.action(action).await?;
        if let Some((board, row)) = &found {
            self.seen(board, row.position);
        }
        Ok(found)
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        let rows = self.shared.inner.history(board, user, before, limit).await?;
        if let Some(newest) = rows.first() {
            self.seen(board, newest.position);
        }
        Ok(rows)
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>, BackendError> {
        let rows = self.shared.inner.log(board, after, limit).await?;
        if let Some(newest) = rows.last() {
            self.seen(board, newest.position);
        }
        Ok(rows)
    }

    async fn scan(
        &self,
        board: &BoardId,
        season: Season,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Scan>, BackendError> {
        let scan = self.shared.inner.scan(board, season, after, limit).await?;
        if let Some(scan) = &scan {
            self.seen(board, scan.position);
        }
        Ok(scan)
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch, BackendError> {
        let epoch = self.shared.inner.raise_epoch(above).await?;
        let boards: Vec<_> = self.shared.boards.read().values().cloned().collect();
        for indexed in boards {
            indexed.raise_floor(Position { epoch, version: Version::ZERO });
        }
        self.shared.wake.notify_one();
        Ok(epoch)
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.shared.inner.check().await
    }
}
