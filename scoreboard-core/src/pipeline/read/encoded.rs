//! First pages, encoded once for all who ask, out of the cache.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use crate::cache::{CacheKey, Cached};
use crate::clock::Timestamp;
use crate::entry::Page;
use crate::error::{BackendError, ErrorKind, Result};
use crate::pipeline::Scoreboard;
use crate::pipeline::read::TopQuery;
use crate::ranking::RankStyle;
use crate::version::{Position, Version};

/// An answer as it goes over the wire, encoded once for all who ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// When it is true.
    pub position: Position,
    /// JSON. Cloning shares it.
    pub bytes: Bytes,
}

/// How often the cache had what was asked for. Handles, so that no request looks them up by their labels.
pub(in crate::pipeline) struct CacheRequests {
    hits: metrics::Counter,
    misses: metrics::Counter,
}

impl CacheRequests {
    /// Counts with the recorder that is installed now.
    pub(in crate::pipeline) fn new() -> Self {
        let counter = |result| metrics::counter!("scoreboard_cache_requests_total", "tier" => "l1", "result" => result);
        Self { hits: counter("hit"), misses: counter("miss") }
    }
}

impl fmt::Debug for CacheRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheRequests").finish_non_exhaustive()
    }
}

impl Scoreboard {
    /// [`top`](Self::top), encoded, out of the cache if it is there and fresh. However many ask at once, one loads.
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
        if let Some(Cached { position, bytes }) = self.parts.cache.get(&key, now).await
            && position.version >= query.min_version
        {
            self.parts.cache_requests.hits.increment(1);
            return Ok(Encoded { position, bytes });
        }
        self.parts.cache_requests.misses.increment(1);
        // Boxed, so that the many that hit do not carry the room for this.
        Box::pin(self.load_or_join(query, key, now)).await
    }

    /// Loads what the cache does not hold, or waits for whoever does.
    async fn load_or_join(&self, query: &TopQuery, key: CacheKey, now: Timestamp) -> Result<Encoded> {
        let led = AtomicBool::new(false);
        let load = || {
            led.store(true, Ordering::Relaxed);
            self.load_top(query, key.clone(), now)
        };
        let mut encoded = self.parts.encoded.run(key.clone(), load).await?;
        if !led.load(Ordering::Relaxed) {
            // Somebody else's load may have begun, and read, before this call did. What the cache holds is not below the floor;
            // if it holds nothing, the next load begins later than this call, whoever leads it.
            encoded = match self.parts.cache.get(&key, now).await {
                Some(Cached { position, bytes }) => Encoded { position, bytes },
                None => self.parts.encoded.run(key.clone(), || self.load_top(query, key.clone(), now)).await?,
            };
        }
        if encoded.position.version >= query.min_version {
            return Ok(encoded);
        }
        encode(&self.top(query).await?)
    }

    /// Reads and encodes a first page, for all who wait for it, and keeps it.
    async fn load_top(&self, query: &TopQuery, key: CacheKey, now: Timestamp) -> Result<Encoded> {
        let encoded = encode(&self.top(&TopQuery { min_version: Version::ZERO, ..query.clone() }).await?)?;
        let cached = Cached { position: encoded.position, bytes: encoded.bytes.clone() };
        self.parts.cache.put(key, cached, now, self.parts.config.cache_lifetime).await;
        Ok(encoded)
    }
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
    Ok(Encoded { position, bytes: bytes.into() })
}
