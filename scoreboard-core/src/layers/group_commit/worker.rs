//! The task that gathers what waits, and commits it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::error::{BackendError, Chain, ErrorKind};
use crate::ids::BoardId;
use crate::layers::group_commit::neighbours::Neighbours;
use crate::layers::group_commit::{Answer, CommitListener, GroupCommitConfig, Job};
use crate::store::{Change, Outcome, ScoreStore};
use crate::turns::{Turn, Turns};

/// A batch that fails within this part of the longest wait has kept nobody waiting.
const SHORT: u32 = 4;

pub(super) struct Worker {
    pub(super) inner: Arc<dyn ScoreStore>,
    pub(super) listener: Option<Arc<dyn CommitListener>>,
    pub(super) turns: Option<Arc<dyn Turns>>,
    pub(super) config: GroupCommitConfig,
    pub(super) neighbours: Mutex<Neighbours>,
}

/// What goes into one transaction: the changes of several calls, and who waits for how many of them.
#[derive(Default)]
struct Group {
    changes: Vec<Change>,
    waiting: Vec<(usize, Answer)>,
}

impl Group {
    fn push(&mut self, job: Job) {
        self.waiting.push((job.changes.len(), job.answer));
        self.changes.extend(job.changes);
    }

    /// The board that all changes are of, if it is one.
    fn only_board(&self) -> Option<&BoardId> {
        let board = &self.changes.first()?.board;
        self.changes.iter().all(|change| change.board == *board).then_some(board)
    }

    /// The later half of the calls; at least one stays.
    fn split_off_half(&mut self) -> Self {
        let waiting = self.waiting.split_off(self.waiting.len().div_ceil(2));
        let keep = self.waiting.iter().map(|(count, _)| count).sum();
        Self { changes: self.changes.split_off(keep), waiting }
    }

    fn answer(self, outcomes: Vec<Outcome>) {
        let mut outcomes = outcomes.into_iter();
        for (count, answer) in self.waiting {
            // A caller that has gone away does not need its answer.
            let _ = answer.send(Ok(outcomes.by_ref().take(count).collect()));
        }
    }

    fn fail(self, error: &BackendError) {
        for (_, answer) in self.waiting {
            let _ = answer.send(Err(error.clone()));
        }
    }
}

impl Worker {
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Job>) {
        // A call that did not fit into the batch before.
        let mut carried = None;
        loop {
            let was_carried = carried.is_some();
            let first = match carried.take() {
                Some(job) => Some(job),
                None => queue.recv().await,
            };
            let Some(first) = first else { return };
            if first.since.elapsed() > self.config.max_wait {
                // The store is slow: better to say so than to let all wait ever longer.
                let _ = first.answer.send(Err(BackendError::new(ErrorKind::Overloaded, "group commit", "wait")));
                continue;
            }
            let mut group = Group::default();
            group.push(first);
            self.gather(&mut group, &mut carried, &mut queue);
            let has_room =
                |group: &Group, carried: &Option<Job>| carried.is_none() && group.changes.len() < self.config.max_batch;
            // What did not fit into the batch before has waited long enough.
            let waits = !was_carried && has_room(&group, &carried);
            // A defect of who gives turns costs a turn.
            let turn = AssertUnwindSafe(self.turn(&group, waits)).catch_unwind().await.unwrap_or_default();
            // All that came while this node waited.
            self.gather(&mut group, &mut carried, &mut queue);
            if let Some(turns) = &self.turns
                && has_room(&group, &carried)
                && let Some(board) = group.only_board()
            {
                turns.gathered(board);
            }
            metrics::histogram!("scoreboard_commit_batch_size").record(group.changes.len() as f64);
            // A panic in a store or a listener is its callers' unknown outcome, not the end of all commits.
            let began = Instant::now();
            match AssertUnwindSafe(self.commit(group, turn)).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(error)) if began.elapsed() > self.config.max_wait / SHORT => {
                    let waiting = carried.take().into_iter().chain(std::iter::from_fn(|| queue.try_recv().ok()));
                    // Theirs was never sent.
                    let kind = match error.kind() {
                        ErrorKind::OutcomeUnknown => ErrorKind::Unavailable,
                        known => known,
                    };
                    for job in waiting {
                        let late = BackendError::new(kind, "group commit", "wait");
                        let _ = job.answer.send(Err(late.because(error.clone())));
                    }
                }
                Ok(Err(_)) => {}
                Err(_) => {
                    metrics::counter!("scoreboard_commit_panics_total").increment(1);
                    tracing::error!("a commit panicked; the outcome of its batch is unknown");
                }
            }
        }
    }

    fn gather(&self, group: &mut Group, carried: &mut Option<Job>, queue: &mut mpsc::Receiver<Job>) {
        while carried.is_none()
            && group.changes.len() < self.config.max_batch
            && let Ok(job) = queue.try_recv()
        {
            if group.changes.len() + job.changes.len() > self.config.max_batch {
                *carried = Some(job);
            } else {
                group.push(job);
            }
        }
    }

    /// Waits for what is known to be coming, if it may; and for the turn of this node, where others write to a board of the group as well.
    async fn turn(&self, group: &Group, waits: bool) -> Option<Turn> {
        let turns = self.turns.as_ref()?;
        if waits && let Some(board) = group.only_board() {
            turns.gather(board).await;
        }
        let board = self.neighbours.lock().shared_board(&group.changes)?;
        match turns.turn(&board).await {
            Ok(turn) => Some(turn),
            Err(error) => {
                tracing::debug!(error = %Chain(&error), board.id = %board, "a turn was not had; going on without");
                self.neighbours.lock().leave_it();
                None
            }
        }
    }

    /// Commits a group, or, if the store cannot take one of its changes, ever smaller parts of it. The error is the store's last, if it
    /// could not be reached.
    async fn commit(&self, group: Group, mut turn: Option<Turn>) -> Result<(), BackendError> {
        let mut groups = vec![group];
        let mut reached = Ok(());
        while let Some(mut group) = groups.pop() {
            let applied = self.apply(&group.changes).await;
            // The others need not wait until this node's own have heard of it.
            drop(turn.take());
            match applied {
                Ok(outcomes) if outcomes.len() == group.changes.len() => {
                    if self.turns.is_some() {
                        self.neighbours.lock().see(&outcomes);
                    }
                    if let Some(listener) = &self.listener {
                        listener.committed(&outcomes).await;
                    }
                    group.answer(outcomes);
                }
                Ok(_) => group.fail(&BackendError::new(ErrorKind::Refused, "group commit", "count the outcomes")),
                Err(error) if !error.is_retryable() && group.waiting.len() > 1 => {
                    // The earlier half last, for it is taken first: the order of the calls stays.
                    groups.push(group.split_off_half());
                    groups.push(group);
                }
                Err(error) => {
                    group.fail(&error);
                    if error.is_retryable() {
                        reached = Err(error);
                    }
                }
            }
        }
        reached
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError> {
        let mut pause = Duration::from_millis(10);
        let mut retries = 0;
        let began = Instant::now();
        let mut unknown = false;
        loop {
            let tried = Instant::now();
            let attempt = self.inner.apply(changes);
            let attempt = match retries {
                // The first has the time that the store gives it.
                0 => attempt.await,
                _ => timeout_at(began + self.config.max_wait, attempt)
                    .await
                    .unwrap_or_else(|_| Err(BackendError::new(ErrorKind::OutcomeUnknown, "group commit", "apply"))),
            };
            let error = match attempt {
                Ok(outcomes) => return Ok(outcomes),
                Err(error) => error,
            };
            let again = match error.kind() {
                ErrorKind::OutcomeUnknown => {
                    unknown = true;
                    true
                }
                // If there is time for another like this one.
                ErrorKind::Contended => unknown || began.elapsed() + tried.elapsed() < self.config.max_wait,
                // Once an outcome is unknown, only an answer settles it.
                ErrorKind::Unavailable | ErrorKind::Overloaded | ErrorKind::Full => unknown,
                ErrorKind::Corrupt | ErrorKind::Refused => false,
            };
            if !again || retries == self.config.retries || began.elapsed() >= self.config.max_wait {
                return Err(if unknown && error.kind() != ErrorKind::OutcomeUnknown {
                    BackendError::new(ErrorKind::OutcomeUnknown, error.backend(), error.operation()).because(error)
                } else {
                    error
                });
            }
            retries += 1;
            metrics::counter!("scoreboard_commit_retries_total").increment(1);
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}
