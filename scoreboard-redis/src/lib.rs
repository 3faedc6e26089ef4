//! What several servers of `scoreboard` share beside their database, on Redis: limits, what users have under way, cached answers,
//! announcements, and what they say to each other.
//!
//! | adapter | implements | what it shares |
//! | --- | --- | --- |
//! | [`RedisRateLimiter`] | [`RateLimiter`](scoreboard_core::RateLimiter) | one count for each quota and subject |
//! | [`RedisOutstanding`] | [`OutstandingActions`](scoreboard_core::OutstandingActions) | the actions that each user has under way |
//! | [`RedisBoardCache`] | [`BoardCache`](scoreboard_core::BoardCache) | encoded answers, and the floor of each board |
//! | [`RedisBroadcaster`] | [`Broadcaster`](scoreboard_core::Broadcaster) | which board is at which position now |
//! | [`RedisOneTimeStore`] | [`OneTimeStore`](scoreboard_core::OneTimeStore) | what one node has given out and any may take, once: tickets |
//! | [`RedisPeers`] | [`Peers`](scoreboard_core::Peers) | nothing: it carries signed words from one to the other |
//!
//! None of it is the truth. What counts is decided in the database; whatever Redis does, no update is lost or counted twice. With
//! [`FallbackLimiter`](scoreboard_core::FallbackLimiter) in front of the limiter, and [`FallbackOutstanding`](scoreboard_core::FallbackOutstanding) of what
//! is under way, none is refused for it but beyond a node's part of the quota.
//!
//! # Example
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use scoreboard_core::memory::MemoryScoreStore;
//! use std::num::NonZeroU32;
//! use std::sync::Arc;
//!
//! use scoreboard_core::memory::{MemoryOutstanding, MemoryRateLimiter};
//! use scoreboard_core::{DeterministicRules, FallbackLimiter, FallbackOutstanding, Scoreboard};
//! use scoreboard_redis::{Redis, RedisBoardCache, RedisBroadcaster, RedisOutstanding, RedisRateLimiter};
//!
//! # let store = Arc::new(MemoryScoreStore::default());
//! let name = "the store"; // of a `PostgresStore`, its `identity`
//! let redis = Redis::from_url("redis+sentinel://sentinel-1,sentinel-2,sentinel-3/scores")?;
//! let nodes = NonZeroU32::new(3).ok_or("three nodes")?;
//! let shared = Arc::new(RedisRateLimiter::new(redis.clone()));
//! let under_way = Arc::new(RedisOutstanding::new(redis.clone()));
//! let under_way = FallbackOutstanding::new(under_way, Arc::new(MemoryOutstanding::default()));
//! let scoreboard = Scoreboard::builder(store)
//!     .with_fraud_detector(Arc::new(DeterministicRules::default().with_outstanding(Arc::new(under_way))))
//!     .with_limiter(Arc::new(FallbackLimiter::new(shared, Arc::new(MemoryRateLimiter::default()), nodes)))
//!     .with_shared_cache(Arc::new(RedisBoardCache::new(redis.clone(), name)))
//!     .with_broadcaster(Arc::new(RedisBroadcaster::new(redis, name)))
//!     .build();
//! # drop(scoreboard);
//! # Ok(()) }
//! ```
//!
//! # What it stands on
//!
//! - One server, a master behind sentinels, or a cluster: [`Config::from_url`] has the URLs. All adapters work on each, through one
//!   [`Redis`] handle.
//! - Redis 7 or newer, and a user of it who may run scripts, and read and write keys and channels of its [`Namespace`].
//! - Each step that must be whole is one script, which goes by the server's own clock. In a cluster all its keys lie in one slot.
//!
//! # What it measures
//!
//! | metric | counts |
//! | --- | --- |
//! | `scoreboard_breaker_state{backend="redis"}` | 1 while the breaker is open, else 0 |
//! | `scoreboard_redis_skipped_total{operation}` | calls of the cache that did not work, and were misses or left out |
//! | `scoreboard_announcements_lost_total` | how often announcements were missing, and the keys were read instead |
//! | `scoreboard_peer_words_dropped_total{why}` | words between servers that were passed over: `forged` by somebody without a key; `repeated`; `unreadable`, of another release or none; `unasked`, answers that came too late; `full`, for which there was no room |

mod address;
mod backoff;
mod breaker;
mod broadcaster;
mod cache;
mod config;
mod connection;
mod error;
mod handle;
mod keys;
mod limiter;
mod listening;
mod measures;
mod one_time;
mod outstanding;
mod peers;
mod scripts;

pub use address::Server;
pub use broadcaster::RedisBroadcaster;
pub use cache::RedisBoardCache;
pub use config::Config;
pub use handle::Redis;
pub use keys::Namespace;
pub use limiter::RedisRateLimiter;
pub use one_time::RedisOneTimeStore;
pub use outstanding::RedisOutstanding;
pub use peers::RedisPeers;
/// The driver that this crate is built on.
pub use redis;
