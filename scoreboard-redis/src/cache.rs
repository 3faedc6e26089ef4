//! Encoded answers that all nodes share.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::ScriptInvocation;
use scoreboard_core::{BoardCache, BoardId, CacheKey, Cached, Hit, Lease, Position, Timestamp};

use crate::error::Failure;
use crate::handle::Redis;
use crate::keys::{self, BoardNames};
use crate::measures::SKIPPED;
use crate::scripts::{CACHE_PUT, CACHE_RAISE_FLOOR};

mod entry;
mod floors;

use entry::Entry;
use floors::Floors;

/// The largest answer that is kept, unless another is said.
const DEFAULT_MAX_BYTES: usize = 256 * 1024;

/// A [`BoardCache`] that all processes on one Redis share whose boards are in one store.
///
/// - An answer is kept with its position; a script compares before it writes. A board's floor is a tombstone: it outlives every answer from
///   before it, and where it is missing (it was flushed, or driven out) nothing of the board is served.
/// - This process remembers the floors that it was told of or has seen, and serves nothing below them, whatever Redis says: also not
///   after a flush, a failover, or the return of an old copy. What another process has not heard of yet it may serve from there until
///   the answer's life is over.
/// - A lifetime is cut to five minutes, and may end up to a tenth early: answers that were put together do not all end together.
///   Whether it is over is told by the caller's `now`, as the trait says; Redis forgets it by its own clock at most a tenth late.
/// - What is no entry of this format, be it garbage or one of an older or a newer release, is a miss, and is overwritten.
/// - Answers larger than a number of bytes are not kept. How many there are is bounded by their lives and by Redis' memory.
///
/// Where Redis is gone, everything is a miss within [`Config::call_timeout`](crate::Config::call_timeout), at once while the breaker is
/// open. A floor that could not be raised is raised with the next call for its board. The metric `scoreboard_redis_skipped_total` counts what
/// did not work.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use scoreboard_core::{BoardCache, BoardId, CacheKey, Cached, Timestamp};
/// use scoreboard_redis::{Redis, RedisBoardCache};
///
/// let cache = RedisBoardCache::new(Redis::from_url("redis://localhost")?, "the store");
/// let key = CacheKey { board: BoardId::main(), view: "top/10".into() };
/// let (now, life) = (Timestamp::from_millis(0), Duration::from_secs(30));
/// cache.put(key.clone(), Cached { position: "1.7".parse()?, bytes: "[]".into() }, now, life).await;
/// cache.raise_floor(&BoardId::main(), "1.8".parse()?).await;
/// assert_eq!(cache.get(&key, now).await, None);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct RedisBoardCache {
    redis: Redis,
    names: BoardNames,
    floors: Floors,
    max_bytes: usize,
}

impl RedisBoardCache {
    /// A cache on this Redis, of answers up to 256 KiB. `store` names what the boards are kept in, and nothing else: answers from another store are
    /// not found.
    #[must_use]
    pub fn new(redis: Redis, store: &str) -> Self {
        Self::with_max_bytes(redis, store, DEFAULT_MAX_BYTES)
    }

    /// A cache of answers up to this size.
    #[must_use]
    pub fn with_max_bytes(redis: Redis, store: &str, max_bytes: usize) -> Self {
        let names = redis.namespace().boards_of(store);
        Self { redis, names, floors: Floors::default(), max_bytes }
    }

    async fn find(&self, key: &CacheKey, now: Timestamp) -> Result<Option<Hit>, Failure> {
        let names = &self.names;
        let mut commands = redis::pipe();
        // The floor first: what is read after it can only be newer. No more is read than an entry can be.
        commands.get(names.floor(&key.board));
        commands.getrange(names.answer(&key.board, &key.view), 0, entry::largest(self.max_bytes));
        let (floor, entry) = self.redis.pipeline(&commands).await?;
        Ok(self.hit(key, now, floor, &entry))
    }

    /// What was read, if it may be served.
    fn hit(&self, key: &CacheKey, now: Timestamp, floor: Option<Vec<u8>>, entry: &Bytes) -> Option<Hit> {
        let floor = floor.and_then(|floor| std::str::from_utf8(&floor).ok()?.parse::<Position>().ok());
        let known = self.floors.seen(&key.board, floor.unwrap_or_default());
        // Without a floor nobody knows what the entry is worth.
        floor?;
        let entry = Entry::read(entry).filter(|entry| entry.answer.position >= known)?;
        Some(Hit { fresh_for: entry.fresh_for(now)?, answer: entry.answer })
    }

    /// Takes the lease if nobody holds it and the answer is not there. It ends with the answer's `put`, or by Redis' own clock.
    ///
    /// Whoever held it may have put the answer since the caller looked for it, and so have ended the lease: then there is nothing to load.
    async fn take_lease(&self, key: &CacheKey, now: Timestamp, patience: Duration) -> Result<Lease, Failure> {
        let names = &self.names;
        let mut commands = redis::pipe();
        let lease = names.lease(&key.board, &key.view);
        commands.cmd("SET").arg(lease).arg(1).arg("NX").arg("PX").arg(millis(patience).max(1));
        // Behind it: what was put before the lease was free is seen.
        commands.get(names.floor(&key.board));
        commands.getrange(names.answer(&key.board, &key.view), 0, entry::largest(self.max_bytes));
        let (taken, floor, entry): (Option<String>, _, _) = self.redis.pipeline(&commands).await?;
        if taken.is_none() {
            return Ok(Lease::Held);
        }
        if self.hit(key, now, floor, &entry).is_some() {
            self.end_lease(key).await?;
            return Ok(Lease::Held);
        }
        Ok(Lease::Granted)
    }

    /// Others need not wait for an answer that is not kept.
    async fn end_lease(&self, key: &CacheKey) -> Result<(), Failure> {
        let mut commands = redis::pipe();
        commands.del(self.names.lease(&key.board, &key.view));
        self.redis.pipeline::<(u8,)>(&commands).await.map(drop)
    }

    async fn write_floor(&self, board: &BoardId, floor: Position) -> Result<(), Failure> {
        let mut script = CACHE_RAISE_FLOOR.key(self.names.floor(board));
        write_position(&mut script, floor);
        script.arg(millis(keys::FLOOR));
        self.redis.script::<u8>(&script).await?;
        self.floors.written(board, floor);
        Ok(())
    }

    /// Raises the floor in Redis that could not be raised before. Until then nothing is put there: others could take it for new.
    async fn settle(&self, board: &BoardId) -> Result<(), Failure> {
        match self.floors.owed(board) {
            Some(floor) => self.write_floor(board, floor).await,
            None => Ok(()),
        }
    }

    async fn keep(&self, key: &CacheKey, answer: &Cached, now: Timestamp, lifetime: Duration) -> Result<(), Failure> {
        self.settle(&key.board).await?;
        let lifetime = lifetime.min(keys::MAX_ANSWER);
        let names = &self.names;
        let mut script = CACHE_PUT.key(names.floor(&key.board));
        script.key(names.answer(&key.board, &key.view));
        script.key(names.lease(&key.board, &key.view));
        write_position(&mut script, answer.position);
        script.arg(entry::write(answer, now, lifetime));
        script.arg(millis(lifetime.mul_f64(self.spread())).max(1));
        script.arg(millis(keys::FLOOR));
        self.redis.script::<u8>(&script).await.map(drop)
    }

    /// From nine tenths to eleven.
    fn spread(&self) -> f64 {
        let mut byte = [0];
        self.redis.ids().fill(&mut byte);
        0.9 + 0.2 * f64::from(byte[0]) / 255.0
    }
}

/// What the scripts compare as numbers: Lua has them whole up to here.
fn is_exact(position: Position) -> bool {
    const MAX: u64 = (1 << 53) - 1;
    position.epoch.get() <= MAX && position.version.get() <= MAX
}

fn write_position(script: &mut ScriptInvocation<'_>, position: Position) {
    script.arg(position.epoch.get()).arg(position.version.get());
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Counts what did not work. While Redis is away that is every call, so it is no line of the log each.
fn skipped(operation: &'static str, failure: &Failure) {
    metrics::counter!(SKIPPED, "operation" => operation).increment(1);
    tracing::debug!(operation, error = %failure, "the shared cache was skipped");
}

#[async_trait]
impl BoardCache for RedisBoardCache {
    async fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Hit> {
        if let Err(failure) = self.settle(&key.board).await {
            skipped("raise_floor", &failure);
            return None;
        }
        self.find(key, now).await.unwrap_or_else(|failure| {
            skipped("get", &failure);
            None
        })
    }

    async fn lease(&self, key: &CacheKey, now: Timestamp, patience: Duration) -> Lease {
        // Where Redis is gone, each node loads for itself.
        self.take_lease(key, now, patience).await.unwrap_or_else(|failure| {
            skipped("lease", &failure);
            Lease::Granted
        })
    }

    async fn put(&self, key: CacheKey, answer: Cached, now: Timestamp, lifetime: Duration) {
        let fits = answer.bytes.len() <= self.max_bytes && !lifetime.is_zero() && is_exact(answer.position);
        let put = if fits && answer.position >= self.floors.known(&key.board) {
            self.keep(&key, &answer, now, lifetime).await
        } else {
            self.end_lease(&key).await
        };
        if let Err(failure) = put {
            skipped("put", &failure);
        }
    }

    async fn raise_floor(&self, board: &BoardId, floor: Position) {
        if !is_exact(floor) {
            return;
        }
        // First here, so that this process serves nothing older from now on, whatever becomes of the rest.
        self.floors.raise(board, floor);
        if let Err(failure) = self.write_floor(board, floor).await {
            skipped("raise_floor", &failure);
        }
    }
}
