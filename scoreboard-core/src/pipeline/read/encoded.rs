//! First pages, encoded once for all who ask, out of the cache.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use crate::cache::{BoardCache, CacheKey, Cached, Hit, Lease};
use crate::clock::Timestamp;
use crate::entry::Page;
use crate::error::{BackendError, Chain, Error, ErrorKind, Result};
use crate::flight::Flights;
use crate::memory::MemoryBoardCache;
use crate::names::NAMES_BACKEND;
use crate::pipeline::read::TopQuery;
use crate::pipeline::read::auditor::Auditor;
use crate::pipeline::read::measures::{Load, Measures};
use crate::pipeline::{Config, Parts, Scoreboard};
use crate::ranking::RankStyle;
use crate::version::{Position, Version};

/// How long a node waits at most for another that loads the same answer, before it loads it too.
const LEASE_PATIENCE: Duration = Duration::from_secs(1);
/// It waits for as long as so many loads of its own would take, if it knows, and this long at least. While a board moves faster than it is
/// loaded, what the other has loaded is old when it comes, and the leave to load may always go to somebody else.
const LOADS_TO_WAIT: u32 = 4;
const LEASE_PATIENCE_AT_LEAST: Duration = Duration::from_millis(50);
/// How often it looks meanwhile.
const LEASE_POLL: Duration = Duration::from_millis(5);
/// What is kept in case the store goes away takes so much of the cache's bytes.
const LAST_KNOWN_SHARE: usize = 4;
/// One in so many answers that were there tells for all of them that their page is read: a prime, so that pages that are asked for in turn are all told of.
const READS_AT_ONCE: u32 = 17;

/// An answer as it goes over the wire, encoded once for all who ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// When it is true.
    pub position: Position,
    /// JSON. Cloning shares it.
    pub bytes: Bytes,
    /// `Some` if the store cannot be asked now, and the board may have moved since.
    pub stale: Option<Stale>,
}

/// How old an answer is that may be old, and why nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// How long ago it was known to be the newest.
    pub age: Duration,
    /// What could not be read.
    pub cause: StaleCause,
}

/// What could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleCause {
    /// The scores.
    Store,
    /// The names of those on the page, which may lie in a database of their own. A page without them would be another page: half of its
    /// readers would take it for new names.
    Names,
}

impl StaleCause {
    /// A word for metrics and headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Names => "names",
        }
    }
}

impl From<Cached> for Encoded {
    fn from(Cached { position, bytes }: Cached) -> Self {
        Self { position, bytes, stale: None }
    }
}

/// Where a page was found that nobody waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Fetched {
    /// In the shared cache.
    FromShared,
    /// In the store.
    FromStore,
    /// Somebody else fetches it, here or elsewhere.
    ByAnother,
}

/// What the loading of first pages shares.
#[derive(Debug)]
pub(in crate::pipeline) struct Loads {
    flights: Flights<CacheKey, Encoded>,
    /// How long the last load took, in microseconds.
    took: AtomicU64,
    /// The newest answer of each view, whatever floor was raised since.
    last_known: MemoryBoardCache,
    /// Whether the last load failed and a stale answer took its place: so that this is logged when it begins and ends, not for each.
    gives_stale: AtomicBool,
    pub(super) auditor: Auditor,
    pub(in crate::pipeline) measures: Measures,
}

impl Loads {
    pub(in crate::pipeline) fn new(config: &Config) -> Self {
        Self {
            flights: Flights::default(),
            took: AtomicU64::new(0),
            last_known: MemoryBoardCache::new(config.cache_bytes / LAST_KNOWN_SHARE),
            gives_stale: AtomicBool::new(false),
            auditor: Auditor::default(),
            measures: Measures::new(config.cache_monitor.max_answer_time),
        }
    }

    /// How long the last load took; zero before the first.
    fn took(&self) -> Duration {
        Duration::from_micros(self.took.load(Ordering::Relaxed))
    }
}

impl Scoreboard {
    /// [`top`](Self::top), encoded, out of the cache if it is there and fresh. However many ask at once, one loads; of several
    /// nodes with a shared cache, one does.
    ///
    /// If the store cannot be read, or the names cannot, the newest answer that this node had is given for [`stale_lifetime`](crate::Config::stale_lifetime), and
    /// says that it may be old: see [`Encoded::stale`]. So does every answer of a node that [follows](Self::follow) others and has not heard of the store
    /// for long.
    ///
    /// # Errors
    ///
    /// As [`top`](Self::top).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed but the cache.
    pub async fn top_encoded(&self, query: &TopQuery) -> Result<Encoded> {
        // Only first pages of the current season are asked for again and again.
        if query.cursor.is_some() || query.season.is_some() {
            return encode(&Box::pin(self.top(query)).await?);
        }
        let key = CacheKey { board: query.board.clone(), view: view(query.style, query.limit) };
        let now = self.parts.clock.now();
        if let Some(Hit { answer, fresh_for }) = self.parts.cache.get_near(&key, now).await
            && answer.position.version >= query.min_version
        {
            let nth = self.parts.loads.measures.hit();
            if nth.is_multiple_of(u64::from(READS_AT_ONCE)) {
                self.parts.write_through.was_read(&key, query, READS_AT_ONCE);
            }
            if self.is_due_early(fresh_for) {
                self.load_early(query, key);
            } else if let Some(turn) = self.parts.loads.auditor.pick(nth, now) {
                self.audit(turn, query, key, answer.clone(), now);
            }
            return Ok(self.marked(answer.into()));
        }
        // Else each would wait for the lease that the first, which found no board, has left.
        self.not_missing(&query.board, now)?;
        // Boxed, so that the many that hit do not carry the room for this.
        let encoded = Box::pin(self.load_or_join(query, key.clone(), now)).await?;
        // Only now: what is no board is no miss, nor a page to be loaded ahead.
        self.parts.loads.measures.miss();
        self.parts.write_through.was_read(&key, query, 1);
        Ok(self.marked(encoded))
    }

    /// Says of an answer that it may be old where the store has been silent for long: other nodes may have moved the board, and nobody would have told.
    fn marked(&self, encoded: Encoded) -> Encoded {
        if encoded.stale.is_some() {
            return encoded;
        }
        let Some(age) = self.parts.touch.lost_for(self.parts.config.poll_interval) else { return encoded };
        count_stale(StaleCause::Store);
        Encoded { stale: Some(Stale { age, cause: StaleCause::Store }), ..encoded }
    }

    /// Sees to it that the near cache holds this first page. Nobody reads it: it is not counted.
    pub(in crate::pipeline) async fn warm_top(&self, query: &TopQuery) -> Result<()> {
        let key = CacheKey { board: query.board.clone(), view: view(query.style, query.limit) };
        let now = self.parts.clock.now();
        if self.parts.cache.has_near(&key, now).await {
            return Ok(());
        }
        self.load_or_join(query, key, now).await.map(drop)
    }

    /// Loads what the near cache does not hold, or waits for whoever does.
    async fn load_or_join(&self, query: &TopQuery, key: CacheKey, now: Timestamp) -> Result<Encoded> {
        let loads = &self.parts.loads;
        let led = AtomicBool::new(false);
        let load = || {
            led.store(true, Ordering::Relaxed);
            self.fetch_top(query, key.clone(), now)
        };
        let mut encoded = loads.flights.run(key.clone(), load).await?;
        if !led.load(Ordering::Relaxed) && encoded.stale.is_none() {
            // Somebody else's load may have begun, and read, before this call did. What the cache holds is not below the floor;
            // if it holds nothing, the next load begins later than this call, whoever leads it.
            encoded = match self.parts.cache.get_near(&key, now).await {
                Some(Hit { answer, .. }) => answer.into(),
                None => loads.flights.run(key.clone(), || self.fetch_top(query, key.clone(), now)).await?,
            };
        }
        if encoded.position.version >= query.min_version {
            return Ok(encoded);
        }
        encode(&self.top(query).await?)
    }

    /// A first page from the far cache, from another node that loads it, or from the store.
    async fn fetch_top(&self, query: &TopQuery, key: CacheKey, now: Timestamp) -> Result<Encoded> {
        let mut timed = self.parts.loads.measures.load();
        if let Some(answer) = self.fetch_far(&key, now, &mut timed).await {
            return Ok(answer.into());
        }
        let given_up = Instant::now() + self.patience();
        while timed.of_shared(self.parts.cache.lease(&key, now, LEASE_PATIENCE)).await == Lease::Held
            && Instant::now() < given_up
        {
            sleep(LEASE_POLL).await;
            if let Some(answer) = self.fetch_far(&key, now, &mut timed).await {
                return Ok(answer.into());
            }
        }
        match self.load_top(query, key.clone()).await {
            Err(Error::Backend(error)) if error.is_retryable() => self.last_known_top(&key, error).await,
            loaded => loaded,
        }
    }

    /// How long to wait for another node's load.
    fn patience(&self) -> Duration {
        match self.parts.loads.took() {
            Duration::ZERO => LEASE_PATIENCE,
            took => (took * LOADS_TO_WAIT).clamp(LEASE_PATIENCE_AT_LEAST, LEASE_PATIENCE),
        }
    }

    async fn fetch_far(&self, key: &CacheKey, now: Timestamp, timed: &mut Load<'_>) -> Option<Cached> {
        let Hit { answer, .. } = timed.of_shared(self.parts.cache.get_far(key, now)).await?;
        timed.shared_hit();
        self.remember(key, &answer, now).await;
        Some(answer)
    }

    /// Keeps an answer for when there is no store to ask.
    async fn remember(&self, key: &CacheKey, answer: &Cached, now: Timestamp) {
        let Parts { loads, config, .. } = &*self.parts;
        loads.last_known.put(key.clone(), answer.clone(), now, config.stale_lifetime).await;
    }

    /// Reads and encodes a first page, for all who wait for it, and keeps it.
    async fn load_top(&self, query: &TopQuery, key: CacheKey) -> Result<Encoded> {
        let Parts { cache, loads, clock, config, .. } = &*self.parts;
        let (started, now) = (Instant::now(), clock.now());
        let encoded = encode(&self.top(&TopQuery { min_version: Version::ZERO, ..query.clone() }).await?)?;
        loads.took.store(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if loads.gives_stale.swap(false, Ordering::Relaxed) {
            tracing::info!("pages can be read again");
        }
        let answer = Cached { position: encoded.position, bytes: encoded.bytes.clone() };
        self.remember(&key, &answer, now).await;
        // Not all at once: answers that were loaded together must not end together.
        let lifetime = config.cache_lifetime.mul_f64(0.9 + 0.2 * self.chance());
        cache.put(key, answer, now, lifetime).await;
        Ok(encoded)
    }

    /// What this node had last, now that the page cannot be read.
    async fn last_known_top(&self, key: &CacheKey, error: BackendError) -> Result<Encoded> {
        let Parts { loads, clock, config, .. } = &*self.parts;
        let Some(Hit { answer, fresh_for }) = loads.last_known.get(key, clock.now()).await else {
            return Err(error.into());
        };
        let cause = if error.backend() == NAMES_BACKEND { StaleCause::Names } else { StaleCause::Store };
        count_stale(cause);
        if !loads.gives_stale.swap(true, Ordering::Relaxed) {
            tracing::warn!(error = %Chain(&error), cause = cause.as_str(), "a page cannot be read; what was known of it is given out, marked as stale");
        }
        let age = config.stale_lifetime.saturating_sub(fresh_for);
        Ok(Encoded { stale: Some(Stale { age, cause }), ..answer.into() })
    }

    /// Whether an answer is to be loaded again before its end, so that nobody has to wait for it then: the sooner its end and the longer
    /// a load takes, the more probably (XFetch with β = 1: Vattani, Chierichetti, Lowenstein, *Optimal Probabilistic Cache Stampede
    /// Prevention*, VLDB 2015).
    fn is_due_early(&self, fresh_for: Duration) -> bool {
        let took = self.parts.loads.took();
        // Beyond, the odds are below one in a hundred million, and no dice are thrown.
        fresh_for < took * 20 && fresh_for <= took.mul_f64(-self.chance().ln())
    }

    fn load_early(&self, query: &TopQuery, key: CacheKey) {
        if self.parts.loads.flights.is_under_way(&key) {
            return;
        }
        let (scoreboard, query) = (self.clone(), query.clone());
        tokio::spawn(async move {
            // If it fails, whoever finds the answer gone tries again and is told.
            let load = || scoreboard.load_top(&query, key.clone());
            let _ = scoreboard.parts.loads.flights.run(key.clone(), load).await;
        });
    }

    /// Fetches a first page that nobody waits for, and therefore waits for nobody else that loads it.
    ///
    /// The lease is taken inside the flight: a reader whose flight this joined while it held the lease would wait for it, and it for the reader.
    pub(in crate::pipeline) async fn fetch_ahead(
        &self,
        query: &TopQuery,
        key: &CacheKey,
        now: Timestamp,
    ) -> Result<Fetched> {
        let fetched = Mutex::new(Fetched::ByAnother);
        let load = || async {
            let cache = &self.parts.cache;
            if let Some(Hit { answer, .. }) = cache.get_far(key, now).await {
                *fetched.lock() = Fetched::FromShared;
                self.remember(key, &answer, now).await;
                return Ok(answer.into());
            }
            if cache.lease(key, now, LEASE_PATIENCE).await == Lease::Held {
                return Err(None);
            }
            *fetched.lock() = Fetched::FromStore;
            self.load_top(query, key.clone()).await.map_err(Some)
        };
        match self.parts.loads.flights.run(key.clone(), load).await {
            Ok(_) | Err(None) => Ok(fetched.into_inner()),
            Err(Some(error)) => Err(error),
        }
    }

    /// Evenly spread over (0, 1].
    fn chance(&self) -> f64 {
        let mut bytes = [0; 4];
        self.parts.ids.fill(&mut bytes);
        (f64::from(u32::from_le_bytes(bytes)) + 1.0) / (f64::from(u32::MAX) + 1.0)
    }
}

fn count_stale(cause: StaleCause) {
    metrics::counter!("scoreboard_cache_stale_answers_total", "cause" => cause.as_str()).increment(1);
}

fn view(style: RankStyle, limit: usize) -> Arc<str> {
    /// What most ask for is not written anew for each.
    static USUAL: LazyLock<Arc<str>> = LazyLock::new(|| "top/ordinal/10".into());
    match style {
        RankStyle::Ordinal if limit == 10 => USUAL.clone(),
        RankStyle::Ordinal => format!("top/ordinal/{limit}").into(),
        RankStyle::Competition => format!("top/competition/{limit}").into(),
        RankStyle::Dense => format!("top/dense/{limit}").into(),
    }
}

fn encode(page: &Page) -> Result<Encoded> {
    let position = Position { epoch: page.epoch, version: page.version };
    let bytes = serde_json::to_vec(page)
        .map_err(|error| BackendError::new(ErrorKind::Refused, "json", "encode a page").because(error))?;
    Ok(Encoded { position, bytes: bytes.into(), stale: None })
}
