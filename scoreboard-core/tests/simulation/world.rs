//! What outlives every machine of a simulation: the truth, what is written down, and who holds what.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use rand::SeedableRng;
use rand::rngs::StdRng;
use scoreboard_core::memory::{MemoryBoardCache, MemoryScoreStore};
use scoreboard_core::{Clock, Timestamp};
use tokio::sync::watch;

use crate::copy::Copy;
use crate::history::History;
use crate::mutants::Mutant;
use crate::remote::{Desk, Remote};
use crate::words::Word;

/// The watchers of each node, by how much they watch.
pub(crate) const LIMITS: [usize; 2] = [3, 10];

/// What is asked of the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// All write, whatever happens.
    Storm,
    /// Who has begun to write ends it.
    Calm,
    /// This node writes once more.
    OnceMore(usize),
}

/// Shared by all machines of one simulation.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) truth: Arc<MemoryScoreStore>,
    shared_cache: Arc<MemoryBoardCache>,
    pub(crate) desk: Arc<Desk>,
    /// What nodes have said to each other.
    pub(crate) words: Mutex<HashMap<u64, Word>>,
    /// How many changes one node has applied for another.
    pub(crate) for_others: AtomicUsize,
    pub(crate) history: History,
    /// By node, and by what is watched.
    pub(crate) held: Vec<[Mutex<Copy>; LIMITS.len()]>,
    pub(crate) phase: watch::Sender<Phase>,
    /// How many have begun to write and do not know yet what became of it.
    writing: AtomicUsize,
    numbers: AtomicU64,
}

impl World {
    pub(crate) fn new(seed: u64, nodes: usize, mutant: Option<Mutant>) -> Self {
        Self {
            seed,
            mutant,
            truth: Arc::default(),
            shared_cache: Arc::new(MemoryBoardCache::new(1 << 20)),
            desk: Arc::default(),
            words: Mutex::default(),
            for_others: AtomicUsize::new(0),
            history: History::of(nodes),
            held: (0..nodes).map(|_| Default::default()).collect(),
            phase: watch::Sender::new(Phase::Storm),
            writing: AtomicUsize::new(0),
            numbers: AtomicU64::new(0),
        }
    }

    /// The store, from another machine.
    pub(crate) fn store(&self) -> Arc<Remote<MemoryScoreStore>> {
        Arc::new(Remote { there: self.truth.clone(), desk: self.desk.clone() })
    }

    /// The cache that nodes share, on the same machine as the store.
    pub(crate) fn cache(&self) -> Arc<Remote<MemoryBoardCache>> {
        Arc::new(Remote { there: self.shared_cache.clone(), desk: self.desk.clone() })
    }

    /// One that was never given out before.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// A generator of its own for whoever asks: each life of a task has another.
    pub(crate) fn random(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed.wrapping_mul(1_000_003).wrapping_add(self.number()))
    }

    pub(crate) fn begin_writing(self: &Arc<Self>) -> Writing {
        self.writing.fetch_add(1, Ordering::SeqCst);
        Writing(self.clone())
    }

    pub(crate) fn nobody_writes(&self) -> bool {
        self.writing.load(Ordering::SeqCst) == 0
    }
}

/// Given back when it is known what became of it, or when the writer is gone with its machine.
pub(crate) struct Writing(Arc<World>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.writing.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The time of the simulation.
#[derive(Debug)]
pub(crate) struct SimulatedClock;

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        let elapsed = turmoil::sim_elapsed().unwrap_or_default();
        Timestamp::from_millis(1_700_000_000_000).plus(elapsed)
    }
}
