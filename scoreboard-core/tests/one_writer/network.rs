//! A way between nodes of one process, that does with words as it is told.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use parking_lot::Mutex;
use scoreboard_core::{
    Answer, Ask, BackendError, BoardId, Change, Epoch, ErrorKind, Peers, Said, Turn, Turns, Version,
};
use tokio::sync::mpsc;

/// What becomes of what a node is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Works,
    /// The answer takes 5 ms.
    Delays,
    /// It never arrives.
    LosesAsks,
    /// It is applied, and nobody hears of it.
    LosesAnswers,
    /// The answer tells of one change less.
    Shortens,
    /// The answer is of a database that was replaced.
    Ages,
    /// The answer is of another life of the database, of which this node knows nothing.
    Renews,
}

#[derive(Debug)]
pub(crate) struct Network {
    listeners: Mutex<HashMap<String, mpsc::UnboundedSender<Said>>>,
    pub(crate) fate: Mutex<Fate>,
    /// How many batches one node has had another apply.
    pub(crate) batches: AtomicUsize,
    pub(crate) claims: AtomicUsize,
    pub(crate) turns: Arc<AtomicUsize>,
}

impl Network {
    pub(crate) fn new() -> Arc<Self> {
        let [batches, claims] = [const { AtomicUsize::new(0) }; 2];
        let turns = Arc::default();
        Arc::new(Self { listeners: Mutex::default(), fate: Mutex::new(Fate::Works), batches, claims, turns })
    }

    pub(crate) fn line(self: &Arc<Self>, name: &str) -> Arc<Line> {
        Arc::new(Line { name: name.to_owned(), network: self.clone() })
    }

    /// Turns that are counted, and had at once.
    pub(crate) fn turns(&self) -> Arc<dyn Turns> {
        Arc::new(Counted(self.turns.clone()))
    }

    pub(crate) fn batches(&self) -> usize {
        self.batches.load(Ordering::SeqCst)
    }
}

/// One node's end of it.
#[derive(Debug)]
pub(crate) struct Line {
    name: String,
    network: Arc<Network>,
}

fn gone() -> BackendError {
    BackendError::new(ErrorKind::Unavailable, "network", "ask")
}

#[async_trait]
impl Peers for Line {
    fn name(&self) -> &str {
        &self.name
    }

    async fn claim(&self, board: &BoardId) -> Result<(), BackendError> {
        self.network.claims.fetch_add(1, Ordering::SeqCst);
        for (_, listener) in self.network.listeners.lock().iter().filter(|(node, _)| **node != self.name) {
            let _ = listener.send(Said::Claim { node: self.name.clone(), board: board.clone() });
        }
        Ok(())
    }

    async fn ask(&self, node: &str, changes: &[Change], after: Version) -> Result<Answer, BackendError> {
        self.network.batches.fetch_add(1, Ordering::SeqCst);
        let fate = *self.network.fate.lock();
        if fate == Fate::LosesAsks {
            return pending().await;
        }
        let (ask, answer) = Ask::new(self.name.clone(), changes.to_vec(), after);
        let told = self.network.listeners.lock().get(node).map(|listener| listener.send(Said::Ask(ask)));
        told.ok_or_else(gone)?.map_err(|_| gone())?;
        let mut answer = answer.await.map_err(|_| gone())??;
        match fate {
            Fate::LosesAnswers => return pending().await,
            Fate::Shortens => drop(answer.outcomes.pop()),
            Fate::Ages => answer.epoch = Epoch::new(answer.epoch.get() - 1),
            Fate::Renews => answer.epoch = Epoch::new(answer.epoch.get() + 1),
            Fate::Delays => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            Fate::Works | Fate::LosesAsks => {}
        }
        Ok(answer)
    }

    async fn listen(&self) -> Result<BoxStream<'static, Said>, BackendError> {
        let (listener, said) = mpsc::unbounded_channel();
        self.network.listeners.lock().insert(self.name.clone(), listener);
        Ok(stream::unfold(said, async |mut said| Some((said.recv().await?, said))).boxed())
    }
}

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

#[async_trait]
impl Turns for Counted {
    async fn turn(&self, _: &BoardId) -> Result<Turn, BackendError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Turn::new(()))
    }
}
