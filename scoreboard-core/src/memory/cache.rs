//! Encoded answers in memory, bounded by bytes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::cache::{BoardCache, CacheKey, Cached, Hit, Lease};
use crate::clock::Timestamp;
use crate::ids::BoardId;
use crate::version::Position;

/// What an answer takes beside its own bytes and those of its key: its places in the maps, rounded up.
const OVERHEAD: usize = 256;

/// A [`BoardCache`] in memory that never takes more than a number of bytes: what was asked for longest ago goes first.
///
/// One lock covers a board's floor and its answers, because "keep it unless it is below the floor" has to be one step.
/// General caches have no such step between comparing and inserting (a loader that `moka` runs is inserted even if its key
/// was invalidated meanwhile), so an old answer could land behind the floor that was to keep it out.
///
/// ```
/// use std::time::Duration;
/// use scoreboard_core::memory::MemoryBoardCache;
/// use scoreboard_core::{BoardCache, BoardId, CacheKey, Cached, Timestamp};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = MemoryBoardCache::new(16 * 1024 * 1024);
/// let key = CacheKey { board: BoardId::main(), view: "top/10".into() };
/// let answer = Cached { position: "1.7".parse()?, bytes: "[]".into() };
/// let now = Timestamp::from_millis(0);
/// cache.put(key.clone(), answer.clone(), now, Duration::from_secs(30)).await;
/// assert_eq!(cache.get(&key, now).await.map(|hit| hit.answer), Some(answer));
/// cache.raise_floor(&BoardId::main(), "1.8".parse()?).await;
/// assert_eq!(cache.get(&key, now).await, None);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemoryBoardCache {
    answers: Arc<Mutex<Answers>>,
}

impl MemoryBoardCache {
    /// An empty cache that takes at most `max_bytes` for answers, their keys and its own bookkeeping. One floor a board
    /// comes on top.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        let answers = Answers { max_bytes, bytes: 0, uses: 0, boards: HashMap::new(), by_use: BTreeMap::new() };
        Self { answers: Arc::new(Mutex::new(answers)) }
    }

    /// The bytes that are taken now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.answers.lock().bytes
    }

    /// The bytes that may be taken.
    #[must_use]
    pub fn max_bytes(&self) -> usize {
        self.answers.lock().max_bytes
    }

    /// Lets go of what was asked for longest ago until at most `bytes` are taken; gives how many answers went. Others are served in between.
    pub fn shrink_to(&self, bytes: usize) -> usize {
        /// So many go under one lock.
        const AT_ONCE: usize = 100;
        let mut gone = 0;
        loop {
            let mut answers = self.answers.lock();
            for _ in 0..AT_ONCE {
                if answers.bytes <= bytes || !answers.evict() {
                    return gone;
                }
                gone += 1;
            }
        }
    }
}

impl fmt::Debug for MemoryBoardCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers = self.answers.lock();
        f.debug_struct("MemoryBoardCache")
            .field("max_bytes", &answers.max_bytes)
            .field("bytes", &answers.bytes)
            .field("answers", &answers.by_use.len())
            .finish()
    }
}

struct Answers {
    max_bytes: usize,
    bytes: usize,
    /// Counts uses: a greater one is more recent.
    uses: u64,
    /// Grows with the boards, which the operator makes; never with what is asked of them.
    boards: HashMap<BoardId, BoardAnswers>,
    /// The answers from the longest unused to the last used.
    by_use: BTreeMap<u64, CacheKey>,
}

#[derive(Default)]
struct BoardAnswers {
    floor: Position,
    views: HashMap<Arc<str>, Kept>,
}

struct Kept {
    answer: Cached,
    put_at: Timestamp,
    lifetime: Duration,
    used: u64,
}

impl Kept {
    /// What is left of its life; `None` at its end.
    fn fresh_for(&self, now: Timestamp) -> Option<Duration> {
        // A clock that is set back must not lengthen a life without end.
        let is_before = self.put_at.since(now) > self.lifetime;
        self.lifetime.checked_sub(now.since(self.put_at)).filter(|left| !is_before && !left.is_zero())
    }
}

fn cost(key: &CacheKey, answer: &Cached) -> usize {
    OVERHEAD + key.board.as_str().len() + key.view.len() + answer.bytes.len()
}

impl Answers {
    fn get(&mut self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        let kept = self.boards.get_mut(&key.board)?.views.get_mut(&key.view)?;
        let Some(fresh_for) = kept.fresh_for(now) else {
            self.remove(key);
            return None;
        };
        // What was used last is so already.
        if kept.used != self.uses {
            self.uses += 1;
            let recency = self.by_use.remove(&kept.used)?;
            self.by_use.insert(self.uses, recency);
            kept.used = self.uses;
        }
        Some(Hit { answer: kept.answer.clone(), fresh_for })
    }

    fn put(&mut self, key: CacheKey, answer: Cached, now: Timestamp, lifetime: Duration) {
        let cost = cost(&key, &answer);
        if cost > self.max_bytes || lifetime.is_zero() {
            return;
        }
        if let Some(board) = self.boards.get(&key.board) {
            let newest = board.views.get(&key.view).map(|kept| kept.answer.position);
            if answer.position < newest.unwrap_or_default().max(board.floor) {
                return;
            }
        }
        self.remove(&key);
        while self.bytes + cost > self.max_bytes && self.evict() {}
        self.uses += 1;
        self.bytes += cost;
        self.by_use.insert(self.uses, key.clone());
        let kept = Kept { answer, put_at: now, lifetime, used: self.uses };
        self.boards.entry(key.board).or_default().views.insert(key.view, kept);
    }

    fn raise_floor(&mut self, board: &BoardId, floor: Position) {
        let answers = self.boards.entry(board.clone()).or_default();
        if floor <= answers.floor {
            return;
        }
        answers.floor = floor;
        // What can never be served again makes room now; each answer is removed once, so its `put` has paid for it.
        let (bytes, by_use) = (&mut self.bytes, &mut self.by_use);
        answers.views.retain(|_, kept| {
            let stays = kept.answer.position >= floor;
            if !stays && let Some(key) = by_use.remove(&kept.used) {
                *bytes -= cost(&key, &kept.answer);
            }
            stays
        });
    }

    /// Removes what was asked for longest ago, if there is anything.
    fn evict(&mut self) -> bool {
        let Some(longest_unused) = self.by_use.first_key_value().map(|(_, key)| key.clone()) else { return false };
        self.remove(&longest_unused);
        true
    }

    fn remove(&mut self, key: &CacheKey) {
        if let Some(kept) = self.boards.get_mut(&key.board).and_then(|board| board.views.remove(&key.view)) {
            self.by_use.remove(&kept.used);
            self.bytes -= cost(key, &kept.answer);
        }
    }
}

#[async_trait]
impl BoardCache for MemoryBoardCache {
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        self.answers.lock().get(key, now)
    }

    async fn lease(&self, _key: &CacheKey, _now: Timestamp, _patience: Duration) -> Lease {
        Lease::Granted
    }

    async fn put(&self, key: CacheKey, answer: Cached, now: Timestamp, lifetime: Duration) {
        self.answers.lock().put(key, answer, now, lifetime);
    }

    async fn raise_floor(&self, board: &BoardId, floor: Position) {
        self.answers.lock().raise_floor(board, floor);
    }
}

#[cfg(test)]
#[path = "cache_test.rs"]
mod tests;
