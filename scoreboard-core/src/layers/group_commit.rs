//! One transaction for all that is waiting: what makes a durable, gapless version cheap.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::board::{Board, BoardSpec, Season};
use crate::entry::{PageQuery, RankedPage, RankedUsers, ScoreRank};
use crate::error::{BackendError, ErrorKind};
use crate::ids::{ActionId, BoardId, UserId};
use crate::ranking::RankStyle;
use crate::score::Score;
use crate::store::{Change, ChangeBoard, CreateBoard, LogRow, Outcome, Scan, ScoreStore};
use crate::turns::Turns;
use crate::version::{Epoch, Version};

mod neighbours;
mod worker;

use worker::Worker;

/// The bounds of a [`GroupCommit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupCommitConfig {
    /// The most changes in one transaction. 1 turns grouping off.
    pub max_batch: usize,
    /// The most calls that may wait; one more is refused at once.
    pub queue: usize,
    /// How often a batch with an unknown outcome is sent again before its callers are told.
    pub retries: u32,
    /// How long a change may wait for the commits before it, and a batch be sent again. What has waited longer is refused, and was
    /// not applied.
    pub max_wait: Duration,
}

impl Default for GroupCommitConfig {
    /// 512 changes a transaction, 4096 calls waiting, 5 retries (about 300 ms), 2 seconds.
    fn default() -> Self {
        Self { max_batch: 512, queue: 4096, retries: 5, max_wait: Duration::from_secs(2) }
    }
}

/// Learns of every batch that was committed, before the callers do.
#[async_trait]
pub trait CommitListener: Send + Sync + 'static {
    /// These are the outcomes of one committed batch, in the order of its changes. Never called for a batch that failed.
    async fn committed(&self, outcomes: &[Outcome]);
}

/// A [`ScoreStore`] that applies what is waiting in one transaction while the one before commits.
///
/// No timer: on an idle board a change commits at once, on a busy one in batches as large as the commit before took long.
/// (A node that writes for others waits a moment for those that are busy.)
///
/// - Each call has its own outcomes; one that the store cannot take at all (a defect, not a refusal) fails alone: its batch is
///   halved until it stands by itself.
/// - The queue is bounded: a call that finds it full fails at once with `Overloaded`, and so does one that has waited too long
///   for the commits before it.
/// - A batch whose outcome is unknown is sent again with the same ids, which settles it.
/// - What waits behind a batch that fails after long is refused with it: the store would let it wait as long again.
/// - A caller that goes away changes nothing: what was queued is applied.
/// - Where other nodes write to the same board, it waits for its [turn](Turns), if it is given any, and for
///   [what they are about to hand it](Turns::gather), before it gathers.
///
/// Dropping the last handle lets the queue drain; [`close`](Self::close) waits for it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), scoreboard_core::BackendError> {
/// use std::sync::Arc;
/// use scoreboard_core::{BoardId, BoardSpec, GroupCommit, ScoreStore, memory::MemoryScoreStore};
/// let store = GroupCommit::new(Arc::new(MemoryScoreStore::default()));
/// let _ = store.create_board(&BoardSpec::new(BoardId::main())).await?;
/// assert_eq!(store.apply(&[]).await?, []);
/// store.close().await;
/// assert!(store.apply(&[]).await.is_ok(), "nothing to do");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct GroupCommit {
    inner: Arc<dyn ScoreStore>,
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

/// One call of `apply`: it is committed whole or not at all.
#[derive(Debug)]
struct Job {
    changes: Vec<Change>,
    answer: Answer,
    /// When it was queued.
    since: Instant,
}

/// Where the outcomes of a call go.
type Answer = oneshot::Sender<Result<Vec<Outcome>, BackendError>>;

impl GroupCommit {
    /// Groups the commits of `inner`, with the default bounds.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime: the batches are applied by a task of it.
    #[must_use]
    pub fn new(inner: Arc<dyn ScoreStore>) -> Self {
        Self::with_config(inner, GroupCommitConfig::default(), None)
    }

    /// Groups the commits of `inner`, and tells `listener` of each.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn with_config(
        inner: Arc<dyn ScoreStore>,
        config: GroupCommitConfig,
        listener: Option<Arc<dyn CommitListener>>,
    ) -> Self {
        Self::taking_turns(inner, config, listener, None)
    }

    /// The same on one of several nodes: where others write to the same board, this one waits for its turn before it gathers.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    #[must_use]
    pub fn taking_turns(
        inner: Arc<dyn ScoreStore>,
        config: GroupCommitConfig,
        listener: Option<Arc<dyn CommitListener>>,
        turns: Option<Arc<dyn Turns>>,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(config.queue.max(1));
        let worker = Worker { inner: inner.clone(), listener, turns, config, neighbours: Mutex::default() };
        let worker = tokio::spawn(worker.run(receiver));
        Self { inner, queue: Mutex::new(Some(sender)), worker: Mutex::new(Some(worker)) }
    }

    /// Takes no more changes, applies all that wait, and returns when the last is durable. A repeat does nothing.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the queue still drains.
    pub async fn close(&self) {
        drop(self.queue.lock().take());
        let worker = self.worker.lock().take();
        if let Some(worker) = worker
            && let Err(panic) = worker.await
        {
            tracing::error!(error = %panic, "the commit task ended badly");
        }
    }
}

#[async_trait]
impl ScoreStore for GroupCommit {
    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let error = |kind| BackendError::new(kind, "group commit", "apply");
        let (answer, outcomes) = oneshot::channel();
        let queue = self.queue.lock().clone().ok_or_else(|| error(ErrorKind::Unavailable))?;
        queue.try_send(Job { changes: changes.to_vec(), answer, since: Instant::now() }).map_err(
            |full| match full {
                mpsc::error::TrySendError::Full(_) => error(ErrorKind::Overloaded),
                mpsc::error::TrySendError::Closed(_) => error(ErrorKind::Unavailable),
            },
        )?;
        drop(queue);
        // The worker answers every call it takes; only its death in the middle of one drops an answer.
        outcomes.await.map_err(|_| error(ErrorKind::OutcomeUnknown))?
    }

    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard, BackendError> {
        self.inner.create_board(spec).await
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard, BackendError> {
        self.inner.change_board(from, to).await
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>, BackendError> {
        self.inner.board(board).await
    }

    async fn boards(&self) -> Result<Vec<Board>, BackendError> {
        self.inner.boards().await
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>, BackendError> {
        self.inner.action(action).await
    }

    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>, BackendError> {
        self.inner.page(board, query).await
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>, BackendError> {
        self.inner.standings(board, season, style, users).await
    }

    async fn score_rank(
        &self,
        board: &BoardId,
        style: RankStyle,
        score: Score,
    ) -> Result<Option<ScoreRank>, BackendError> {
        self.inner.score_rank(board, style, score).await
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        self.inner.history(board, user, before, limit).await
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>, BackendError> {
        self.inner.log(board, after, limit).await
    }

    async fn scan(
        &self,
        board: &BoardId,
        season: Season,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Scan>, BackendError> {
        self.inner.scan(board, season, after, limit).await
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch, BackendError> {
        self.inner.raise_epoch(above).await
    }

    async fn check(&self) -> Result<(), BackendError> {
        self.inner.check().await
    }
}
