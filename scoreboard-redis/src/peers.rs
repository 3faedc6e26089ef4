//! Words between nodes, over one channel for all and one for each.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use scoreboard_core::{Answer, BackendError, BoardId, Chain, Change, KeyRing, Peers, Said, Version};
use serde::Serialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use crate::error::Failure;
use crate::handle::Redis;
use crate::keys;

mod ear;
mod once;
mod waiting;
mod wire;
mod word;

use ear::Ear;
use once::Once;
use waiting::{Told, Waiting};
use word::Kind;

/// How long `listen` waits for the connection that listens, before it goes on without: it is made in the background all the same.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many words wait to be listened to.
const UNHEARD: usize = 64;
/// So many requests of others are answered at once.
const ANSWERED: usize = 64;

/// [`Peers`] over all processes on one Redis.
///
/// - Each process has a random name, and one connection that listens to two channels: one for what is said to all, one for what is said to it. It is
///   made again when it is lost, and looked after: every five seconds the process says something to itself by another connection, and hears it or connects anew.
/// - `ask` fails at once (`Unavailable`) where nobody listens by the name that is asked, and where this process does not listen itself. (A cluster
///   does not say who listens: there it waits.) At most 64 requests wait, and at most 64 of others are dealt with; beyond, they are `Overloaded`, or not heard.
/// - What was said and not listened to waits, 64 words at most; then requests are answered `Overloaded`, and claims are lost. A second listener takes
///   the place of the first, whose stream ends. A request that is dropped without an answer is answered `OutcomeUnknown`.
/// - What Redis loses is lost. Nothing is kept in it.
///
/// # Who may say something
///
/// Every word is signed (HMAC-SHA256, by a key that is derived from the ring's for this alone): what kind of word it is, who says it, on which channel, its number, and
/// all that it says. The first key of the ring signs, any in force verifies; the ring is asked each time, so keys change without a restart. So whoever can write to
/// Redis and has no key can have nobody apply anything, and tell nobody that something counts. What is not signed, what was altered, and what was said to another node or
/// in another namespace is passed over, and counted (`scoreboard_peer_words_dropped_total`).
///
/// Whoever can write to Redis can also hold words back, and say again what was said before. Neither does harm:
///
/// - A request is heard once: nodes number what they say, and of the last 128 numbers of each node is known which were heard; what is older is passed over. A process that is
///   started anew has another name, and so another channel, for which nothing old was signed. And were one applied again, its ids count once. One that was held back may be applied
///   late, as any of which it is not known what became: a node that signed it had checked it.
/// - An answer is of the node that was asked, and bears the request's number. Where nobody waits for it any more, or it was answered, it is passed over.
/// - A claim is heard once too, but a process that has just started does not know which were before its time. An old one makes it ask a node that is gone, or that
///   does not write any more: that costs time, and nothing else.
///
/// A key of the ring makes a node: all that have one trust each other. But they hear of each other only on the same store: a copy of it that has the same keys and the
/// same Redis is not asked and asks nobody, unless it was made of the files.
///
/// Dropping the last handle ends its streams. Requests that it has heard are answered all the same.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::sync::Arc;
/// # use scoreboard_core::{memory::MemoryScoreStore, ScoreStore};
/// use futures_util::StreamExt;
/// use scoreboard_core::{Answer, BoardId, Epoch, KeyRing, Peers, RandomIds, Said};
/// use scoreboard_redis::{Redis, RedisPeers};
///
/// # let store = Arc::new(MemoryScoreStore::default());
/// // The same keys on all nodes.
/// let ring = KeyRing::random(&RandomIds);
/// let peers = RedisPeers::new(Redis::from_url("redis://localhost")?, &ring, "the store");
/// let mut said = peers.listen().await?;
/// peers.claim(&BoardId::main()).await?;
/// while let Some(said) = said.next().await {
///     if let Said::Ask(ask) = said {
///         let outcomes = store.apply(ask.changes()).await;
///         let epoch = Epoch::new(1); // of the store
///         ask.answer(outcomes.map(|outcomes| Answer { epoch, outcomes, others: Vec::new() }));
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisPeers(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    listening: watch::Receiver<bool>,
    listener: JoinHandle<()>,
}

/// What the handle and the task that listens have in common.
#[derive(Debug)]
struct Shared {
    redis: Redis,
    ring: KeyRing,
    /// Which store it is on, as it stands in names.
    store: String,
    name: String,
    /// The number of the next word.
    next: AtomicU64,
    /// The newest word to itself that came back; 0 before the first.
    echoed: AtomicU64,
    waiting: Waiting,
    once: Once,
    /// Who listens, if anybody does.
    listener: Mutex<Option<mpsc::Sender<Said>>>,
    answering: Arc<Semaphore>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.listener.abort();
        self.shared.listener.lock().take();
    }
}

impl fmt::Debug for RedisPeers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { name, waiting, answering, .. } = &*self.0.shared;
        f.debug_struct("RedisPeers")
            .field("name", name)
            .field("waiting", &waiting.len())
            .field("answering", &(ANSWERED - answering.available_permits()))
            .field("listening", &*self.0.listening.borrow())
            .finish_non_exhaustive()
    }
}

impl RedisPeers {
    /// A node of its own on this Redis, which signs and verifies by the keys of this ring, and hears of the nodes on the same store: by whatever names the one
    /// that it writes to, and no other. It begins to listen at once.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn new(redis: Redis, ring: &KeyRing, store: &str) -> Self {
        let shared = Arc::new(Shared {
            name: redis.name(),
            redis,
            ring: ring.clone(),
            store: keys::short(store),
            next: AtomicU64::new(1),
            echoed: AtomicU64::new(0),
            waiting: Waiting::default(),
            once: Once::default(),
            listener: Mutex::new(None),
            answering: Arc::new(Semaphore::new(ANSWERED)),
        });
        let (listens, listening) = watch::channel(false);
        let listener = tokio::spawn(Ear::new(shared.clone(), listens).run());
        Self(Arc::new(Inner { shared, listening, listener }))
    }
}

impl Shared {
    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Says a word on a channel, and how many heard it: in a cluster, how many at the node that was told.
    async fn say(&self, channel: &str, kind: Kind, number: u64, body: &impl Serialize) -> Result<u64, Failure> {
        let word = word::seal(&self.ring, channel, (kind, &self.name, number), body)?;
        let mut publish = redis::pipe();
        publish.cmd("PUBLISH").arg(channel).arg(word);
        let (heard,): (u64,) = self.redis.pipeline(&publish).await?;
        Ok(heard)
    }

    async fn ask(&self, node: &str, changes: &[Change], after: Version) -> Result<Answer, Failure> {
        let number = self.number();
        let place = self.waiting.place(node, number)?;
        let channel = self.redis.namespace().peer(node);
        let heard = self.say(&channel, Kind::Ask, number, &wire::request(changes, after)).await?;
        if heard == 0 && !self.redis.is_cluster() {
            return Err(Failure::Nobody);
        }
        let answer = place.answer().await?;
        if answer.outcomes.len() == changes.len() { Ok(answer) } else { Err(Failure::OtherChanges) }
    }

    /// Says what became of a request, to who asked.
    async fn answer(&self, node: &str, number: u64, told: &Told) {
        let channel = self.redis.namespace().peer(node);
        if let Err(failure) = self.say(&channel, Kind::Answer, number, &wire::answer(told)).await {
            let error = failure.during("answer");
            tracing::debug!(error = %Chain(&error), "a node that asked is not told what became of it");
        }
    }

    /// Tells who listens.
    fn tell(&self, said: Said) -> Result<(), TrySendError<Said>> {
        match &*self.listener.lock() {
            Some(listener) => listener.try_send(said),
            None => Err(TrySendError::Closed(said)),
        }
    }
}

#[async_trait]
impl Peers for RedisPeers {
    fn name(&self) -> &str {
        &self.0.shared.name
    }

    async fn claim(&self, board: &BoardId) -> Result<(), BackendError> {
        let Inner { shared, .. } = &*self.0;
        let channel = shared.redis.namespace().peers(&shared.store);
        let said = shared.say(&channel, Kind::Claim, shared.number(), &board.as_str()).await;
        said.map(drop).map_err(|failure| failure.during("claim"))
    }

    async fn ask(&self, node: &str, changes: &[Change], after: Version) -> Result<Answer, BackendError> {
        // An answer would not be heard.
        if !*self.0.listening.borrow() {
            return Err(Failure::NotListening.during("ask"));
        }
        self.0.shared.ask(node, changes, after).await.map_err(|failure| failure.during("ask"))
    }

    async fn listen(&self) -> Result<BoxStream<'static, Said>, BackendError> {
        let mut listening = self.0.listening.clone();
        let _ = tokio::time::timeout(PATIENCE, listening.wait_for(|listens| *listens)).await;
        let (listener, said) = mpsc::channel(UNHEARD);
        *self.0.shared.listener.lock() = Some(listener);
        Ok(stream::unfold(said, |mut said| async move { said.recv().await.map(|word| (word, said)) }).boxed())
    }
}
