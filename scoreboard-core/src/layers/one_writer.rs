//! One of several nodes writes a board for all of them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::clock::Clock;
use crate::error::{BackendError, Chain, ErrorKind};
use crate::ids::BoardId;
use crate::layers::lately::Lately;
use crate::peers::{Answer, Ask, Peers, Said};
use crate::store::{AppliedChange, Change, Outcome, ScoreStore};
use crate::turns::{Turn, Turns};
use crate::version::{Epoch, Position, Version};

mod askers;
mod store;
mod writers;

use askers::{Askers, RETURN};
use writers::Writers;

/// As long as some batches take. Who does not answer by then is gone, or stuck.
const PATIENCE: Duration = Duration::from_millis(300);

/// Where a turn was not had in time, something is wrong with who has it: none is taken for so long.
const REST: Duration = Duration::from_secs(5);

/// So long who follows a board waits for an answer that is on its way, and brings what they are after: an announcement is often quicker.
const MOMENT: Duration = Duration::from_millis(10);

/// For so long it is taken for granted that a node writes to the same store.
const CONFIRMED: Duration = Duration::from_secs(60);

/// What has waited longer, in the queue of who asks and on the way, was held back.
const HELD_BACK: Duration = Duration::from_secs(10);

/// So many changes of a board are kept: those that were told, and those that are to be.
const KEPT: usize = 8_192;

/// So many changes are told with an answer; the rest is read.
const MOST_TOLD: usize = 1_024;

/// So many batches of others may wait here; each other node has one at a time.
const MOST_ASKED: usize = 64;

/// How long to wait until it is listened again, where that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// A [`ScoreStore`] that has another node apply its batches, where that one writes to the same board: then the database is written to by one, in large
/// batches, each decided on what the one before it has left, and nodes do not wait for each other at its rows.
///
/// - Of the nodes that take updates for a board the one with the least [name](Peers::name) writes for all. Each that writes while others do says so; who
///   hears it of a lesser name asks that one. Nobody is elected, and nobody has to agree: where two write at once, the store keeps them apart, as without this.
/// - Who writes waits a few milliseconds for those that it has just answered and that have more: what all have goes into one batch.
/// - It only saves work. What is not answered within 300 ms, or not well, this node applies itself, with the same ids: what had counted already is answered
///   as a replay. The other is not asked again for five seconds.
/// - A node that is alone neither asks nor says anything. Nor does one that sees nobody's versions between its own.
///
/// It stands directly above the store, below [`RankIndexed`](crate::RankIndexed); and is the [`Turns`] of the [`GroupCommit`](crate::GroupCommit) above both, by which
/// it learns that others write to a board. Run [`serve`](Self::serve) as a task with what stands on top.
///
/// ```no_run
/// # fn example(store: std::sync::Arc<dyn scoreboard_core::ScoreStore>, peers: std::sync::Arc<dyn scoreboard_core::Peers>) {
/// use std::sync::Arc;
/// use scoreboard_core::{OneWriter, Scoreboard, SystemClock};
///
/// let writer = OneWriter::new(store, None, peers, Arc::new(SystemClock));
/// let scoreboard = Scoreboard::builder(Arc::new(writer.clone())).with_turns(Arc::new(writer.clone())).build();
/// tokio::spawn(writer.serve(scoreboard.store()));
/// # }
/// ```
#[derive(Clone)]
pub struct OneWriter {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Arc<dyn ScoreStore>,
    turns: Option<Arc<dyn Turns>>,
    peers: Arc<dyn Peers>,
    clock: Arc<dyn Clock>,
    boards: Mutex<HashMap<BoardId, Shareholders>>,
    /// Until when no turns are taken.
    rests_until: Mutex<Option<Instant>>,
    /// Of which nodes it was seen that they write to this store, and when.
    confirmed: Mutex<HashMap<String, Instant>>,
    /// The greatest that the store has named: an answer from before it is of a database that is no more.
    epoch: AtomicU64,
}

/// How a batch is to be applied where others write.
enum Next {
    /// By this node, which knows the board up to here.
    Ask(String, Version),
    /// By this one, in its turn.
    Turn(BoardId),
}

/// What is known of a board.
#[derive(Default)]
struct Shareholders {
    writers: Writers,
    /// Who is to apply the next batch.
    next: Option<String>,
    /// Up to where this node knows what was written: by itself, or told by who writes for it.
    known: Version,
    /// What the writer has told of others' changes, and nobody has taken yet.
    told: Lately<KEPT>,
    /// Closed once what was asked of the writer last is answered, or not.
    asking: Option<watch::Receiver<()>>,
    /// Up to where the others were told what was written, by who wrote it for this node.
    announced: Position,
    /// Who has this node write for them.
    askers: Askers,
    /// One of those has asked again.
    asked: Arc<Notify>,
    /// What this node has written lately, while it wrote for others.
    written: Lately<KEPT>,
}

impl fmt::Debug for OneWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneWriter")
            .field("inner", &self.shared.inner)
            .field("name", &self.shared.peers.name())
            .finish_non_exhaustive()
    }
}

impl OneWriter {
    /// Shares the writing to `inner` with the nodes that are met by `peers`. Where this one writes itself while others do, it takes its turn with them, if it
    /// is given any. The clock is that of the nodes together: what is asked for was to count just now.
    #[must_use]
    pub fn new(
        inner: Arc<dyn ScoreStore>,
        turns: Option<Arc<dyn Turns>>,
        peers: Arc<dyn Peers>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        describe();
        let shared = Shared {
            inner,
            turns,
            peers,
            clock,
            boards: Mutex::default(),
            rests_until: Mutex::default(),
            confirmed: Mutex::default(),
            epoch: AtomicU64::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Hears what other nodes say, and applies what they ask for: by `store`, which is what stands above this, so that theirs goes into one batch with this
    /// node's own, and is announced. Never returns: run it as a task.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is heard any more: the others do their work themselves.
    pub async fn serve(self, store: Arc<dyn ScoreStore>) {
        let room = Arc::new(Semaphore::new(MOST_ASKED));
        loop {
            match self.shared.peers.listen().await {
                Ok(mut said) => {
                    while let Some(said) = said.next().await {
                        match said {
                            Said::Claim { node, board } => self.heard(node, board),
                            Said::Ask(ask) => match room.clone().try_acquire_owned() {
                                Ok(seat) => {
                                    let (this, store) = (self.clone(), store.clone());
                                    tokio::spawn(async move {
                                        this.apply_for(ask, &*store).await;
                                        drop(seat);
                                    });
                                }
                                Err(_) => ask.answer(Err(error(ErrorKind::Overloaded, "serve"))),
                            },
                        }
                    }
                }
                Err(error) => tracing::debug!(error = %Chain(&error), "other nodes cannot be heard yet"),
            }
            sleep(PAUSE).await;
        }
    }

    fn heard(&self, node: String, board: BoardId) {
        self.with(&board, |shareholders| shareholders.writers.heard(node, Instant::now()));
    }

    /// Applies what another node has asked for.
    async fn apply_for(&self, ask: Ask, store: &dyn ScoreStore) {
        let Some(board) = ask.changes().first().map(|change| change.board.clone()) else {
            return ask.answer(Ok(Answer::default()));
        };
        if self.is_old(ask.changes()) {
            return ask.answer(Err(error(ErrorKind::Overloaded, "serve")));
        }
        let applied = {
            let mut applying = store.apply(ask.changes());
            // They are queued by then.
            let applied = poll_fn(|context| Poll::Ready(applying.as_mut().poll(context))).await;
            match applied {
                Poll::Ready(applied) => applied,
                Poll::Pending => {
                    self.asked(&board, &ask);
                    applying.await
                }
            }
        };
        // Not by one that is closing.
        if let Ok(outcomes) = &applied {
            self.claim(&board);
            metrics::counter!("scoreboard_one_writer_changes_total", "for" => "others")
                .increment(outcomes.len() as u64);
        }
        self.with(&board, |shareholders| shareholders.askers.answered(ask.node(), Instant::now()));
        let answer = applied.map(|outcomes| {
            let own: HashSet<Version> =
                outcomes.iter().filter_map(Outcome::receipt).map(|receipt| receipt.version).collect();
            let others = self.with(&board, |shareholders| {
                let behind = shareholders.written.behind(ask.after()).take(MOST_TOLD);
                behind.filter(|change| !own.contains(&change.position.version)).cloned().collect()
            });
            Answer { epoch: Epoch::new(self.shared.epoch.load(Ordering::Relaxed)), outcomes, others }
        });
        ask.answer(answer);
    }

    /// What another node has asked for is queued.
    fn asked(&self, board: &BoardId, ask: &Ask) {
        let asked = self.with(board, |shareholders| {
            shareholders.askers.ask(ask.node(), ask.changes().len(), Instant::now());
            shareholders.asked.clone()
        });
        asked.notify_one();
    }

    /// Whether they were held back on the way. Who asked has done without long ago, and may have been refused.
    fn is_old(&self, changes: &[Change]) -> bool {
        let newest = changes.iter().map(|change| change.at).max();
        newest.is_some_and(|newest| newest.plus(HELD_BACK) < self.shared.clock.now())
    }

    fn with<T>(&self, board: &BoardId, look: impl FnOnce(&mut Shareholders) -> T) -> T {
        let mut boards = self.shared.boards.lock();
        match boards.get_mut(board) {
            Some(shareholders) => look(shareholders),
            None => look(boards.entry(board.clone()).or_default()),
        }
    }

    /// Says that this node writes to a board, if it has not just done so. Nobody waits for it.
    fn claim(&self, board: &BoardId) {
        if self.with(board, |shareholders| shareholders.writers.should_claim(Instant::now())) {
            let (peers, board) = (self.shared.peers.clone(), board.clone());
            tokio::spawn(async move {
                if let Err(error) = peers.claim(&board).await {
                    tracing::debug!(error = %Chain(&error), board.id = %board, "other nodes were not told who writes");
                }
            });
        }
    }

    /// This node writes to the board itself while others do: it says so, and waits for its turn.
    async fn own_turn(&self, board: &BoardId) -> Turn {
        self.claim(board);
        metrics::counter!("scoreboard_one_writer_turns_total").increment(1);
        let Some(turns) = &self.shared.turns else { return Turn::new(()) };
        if self.shared.rests_until.lock().is_some_and(|until| Instant::now() < until) {
            return Turn::new(());
        }
        // Not an error here: by the next batch another may write for this node, and then it needs none.
        turns.turn(board).await.unwrap_or_else(|error| {
            tracing::debug!(error = %Chain(&error), board.id = %board, "a turn was not had; going on without");
            *self.shared.rests_until.lock() = Some(Instant::now() + REST);
            Turn::new(())
        })
    }

    /// What the last turn has said of how these are to be applied.
    fn take_next(&self, changes: &[Change]) -> Option<Next> {
        let mut names: Vec<&BoardId> = changes.iter().map(|change| &change.board).collect();
        names.sort_unstable();
        names.dedup();
        let mut boards = self.shared.boards.lock();
        let mut said = Vec::new();
        for board in &names {
            let Some(shareholders) = boards.get_mut(*board) else { continue };
            said.extend(shareholders.next.take().map(|node| (*board, node, shareholders.known)));
        }
        let (board, node, after) = said.pop()?;
        Some(if names.len() == 1 { Next::Ask(node, after) } else { Next::Turn(board.clone()) })
    }

    /// Has another node apply the changes. `None` if it did not, or nobody can tell.
    async fn ask(&self, node: &str, changes: &[Change], after: Version) -> Option<Vec<Outcome>> {
        let board = changes.first().map(|change| &change.board)?;
        // Dropped behind all that is learned from the answer.
        let (_asking, asking) = watch::channel(());
        self.with(board, |shareholders| shareholders.asking = Some(asking));
        let answer = match timeout(PATIENCE, self.shared.peers.ask(node, changes, after)).await {
            Ok(answer) => answer,
            Err(_) => Err(error(ErrorKind::OutcomeUnknown, "ask")),
        };
        let why = match answer {
            Ok(answer) if answer.outcomes.len() != changes.len() => "it answered something else than what it was asked",
            Ok(answer) if answer.epoch.get() != self.shared.epoch.load(Ordering::Relaxed) => {
                "its database is not the one that this node knows, or not any more"
            }
            // It has refused all, and nothing shows in which store: this node decides by its own, and asks it again.
            Ok(answer) if answer.outcomes.iter().all(|told| told.receipt().is_none()) && !self.was_confirmed(node) => {
                return None;
            }
            Ok(answer) if !self.is_confirmed(node, &answer).await => "what it has written is not in the store",
            Ok(Answer { outcomes, others, .. }) => {
                metrics::counter!("scoreboard_one_writer_changes_total", "for" => "us")
                    .increment(outcomes.len() as u64);
                self.with(board, |shareholders| {
                    let newest = newest(&outcomes).unwrap_or_default();
                    let told = others.last().map(|change| change.position.version).unwrap_or_default();
                    shareholders.announced = shareholders.announced.max(newest);
                    shareholders.known = shareholders.known.max(newest.version).max(told);
                    // Under the lock: it may be known by now that they are of a database that is no more.
                    let epoch = self.shared.epoch.load(Ordering::Relaxed);
                    shareholders.told.keep(others.into_iter().filter(|change| change.position.epoch.get() >= epoch));
                });
                return Some(outcomes);
            }
            Err(error) => {
                tracing::debug!(error = %Chain(&error), node, "the node that writes the board did not apply a batch");
                "it did not apply it"
            }
        };
        metrics::counter!("scoreboard_one_writer_failures_total").increment(1);
        tracing::debug!(node, why, "the node that writes the board is not asked for a while");
        // On all boards that are known: else its slowness would be waited for on each.
        let now = Instant::now();
        for shareholders in self.shared.boards.lock().values_mut() {
            shareholders.writers.failed(node, now);
        }
        None
    }

    /// Keeps what this node has written, if others may ask for it.
    fn wrote(&self, changes: &[Change], outcomes: &[Outcome]) {
        let mut boards = self.shared.boards.lock();
        if boards.is_empty() {
            return;
        }
        let (epoch, now) = (self.shared.epoch.load(Ordering::Relaxed), Instant::now());
        let mut written: HashMap<&BoardId, Vec<_>> = HashMap::new();
        for (change, outcome) in changes.iter().zip(outcomes) {
            if let Some(receipt) = outcome.receipt().filter(|receipt| !receipt.replayed) {
                written.entry(&receipt.board).or_default().push((change, receipt));
            }
        }
        for (board, written) in written {
            let Some(shareholders) = boards.get_mut(board) else { continue };
            let newest = written.iter().map(|(_, receipt)| receipt.version).max().unwrap_or_default();
            shareholders.known = shareholders.known.max(newest);
            if shareholders.askers.are_there(now) {
                let written = written.into_iter().filter(|(_, receipt)| receipt.epoch.get() >= epoch);
                shareholders.written.keep(written.map(|(change, receipt)| AppliedChange::of(change, receipt)));
            } else {
                shareholders.written.clear();
            }
        }
    }

    /// Whether that was so in the last minute.
    fn was_confirmed(&self, node: &str) -> bool {
        let now = Instant::now();
        self.shared.confirmed.lock().get(node).is_some_and(|confirmed| now < *confirmed + CONFIRMED)
    }

    /// Whether what a node answers is in this node's store as well: looked for once a minute, for a copy of the database, made of its files, bears its name.
    async fn is_confirmed(&self, node: &str, answer: &Answer) -> bool {
        if self.was_confirmed(node) {
            return true;
        }
        let Some(receipt) = answer.outcomes.iter().find_map(Outcome::receipt) else { return false };
        let found = self.shared.inner.action(receipt.action_id).await;
        let is_there = found.is_ok_and(|found| {
            found.is_some_and(|(_, row)| (row.position.epoch, row.position.version) == (receipt.epoch, receipt.version))
        });
        let (mut confirmed, now) = (self.shared.confirmed.lock(), Instant::now());
        confirmed.retain(|_, confirmed| now < *confirmed + CONFIRMED);
        if is_there {
            confirmed.insert(node.to_owned(), now);
        }
        is_there
    }

    /// The store is in this epoch.
    fn saw(&self, epoch: Epoch) {
        if self.shared.epoch.fetch_max(epoch.get(), Ordering::Relaxed) < epoch.get() {
            // What was written before is of a database that is no more.
            for shareholders in self.shared.boards.lock().values_mut() {
                shareholders.known = Version::ZERO;
                shareholders.told.clear();
                shareholders.written.clear();
            }
        }
    }
}

/// The newest position that these have taken.
fn newest(outcomes: &[Outcome]) -> Option<Position> {
    let receipts = outcomes.iter().filter_map(Outcome::receipt);
    receipts.map(|receipt| Position { epoch: receipt.epoch, version: receipt.version }).max()
}

fn error(kind: ErrorKind, operation: &'static str) -> BackendError {
    BackendError::new(kind, "one writer", operation)
}

fn describe() {
    use metrics::describe_counter;
    describe_counter!(
        "scoreboard_one_writer_changes_total",
        "Changes that one node applied for another: for `others` by this one, or for `us` by another."
    );
    describe_counter!(
        "scoreboard_one_writer_turns_total",
        "Batches that this node wrote itself while it knew that others write to the board too."
    );
    describe_counter!(
        "scoreboard_one_writer_failures_total",
        "Batches that the node which writes the board did not apply, or not in time; this one did so itself."
    );
}

#[async_trait]
impl Turns for OneWriter {
    /// Others write to the board: either one of them is to write for this node, and then there is nothing to wait for; or this one writes, and says so.
    async fn turn(&self, board: &BoardId) -> Result<Turn, BackendError> {
        let is_anothers = self.with(board, |shareholders| {
            let writer = shareholders.writers.writer(self.shared.peers.name(), Instant::now());
            shareholders.next = writer.map(str::to_owned);
            shareholders.next.is_some()
        });
        if is_anothers {
            return Ok(Turn::new(()));
        }
        Ok(self.own_turn(board).await)
    }

    /// Those that this node writes for and that have more to ask it.
    async fn gather(&self, board: &BoardId) {
        let asked = {
            let boards = self.shared.boards.lock();
            let asked = |known: &Shareholders| known.askers.are_there(Instant::now()).then(|| known.asked.clone());
            boards.get(board).and_then(asked)
        };
        let Some(asked) = asked else { return };
        let are_missing = || self.with(board, |shareholders| shareholders.askers.are_missing(Instant::now()));
        let until = Instant::now() + RETURN;
        while are_missing() && timeout_at(until, asked.notified()).await.is_ok() {}
    }

    fn gathered(&self, board: &BoardId) {
        if let Some(shareholders) = self.shared.boards.lock().get_mut(board) {
            shareholders.askers.gathered();
        }
    }

    fn is_announced(&self, board: &BoardId, position: Position) -> bool {
        self.shared.boards.lock().get(board).is_some_and(|known| position <= known.announced)
    }
}
