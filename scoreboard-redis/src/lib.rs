//! What several servers of `scoreboard` share beside their database, on Redis: limits, cached answers and announcements.
//!
//! | adapter | implements | what it shares |
//! | --- | --- | --- |
//! | [`RedisRateLimiter`] | [`RateLimiter`](scoreboard_core::RateLimiter) | one count for each quota and subject |
//! | [`RedisBoardCache`] | [`BoardCache`](scoreboard_core::BoardCache) | encoded answers, and the floor of each board |
//! | [`RedisBroadcaster`] | [`Broadcaster`](scoreboard_core::Broadcaster) | which board is at which position now |
//!
//! # What it stands on
//!
//! - One server, a master behind sentinels, or a cluster: [`Config::from_url`] has the URLs. All adapters work on each, through one
//!   [`Redis`] handle.
//! - Redis 7 or newer (or Valkey), whose user may run scripts.
//! - Each step that must be whole is one script, which goes by the server's own clock. In a cluster all its keys lie in one slot.

mod address;
mod breaker;
mod broadcaster;
mod cache;
mod config;
mod connection;
mod error;
mod handle;
mod keys;
mod limiter;
mod scripts;

pub use address::Server;
pub use broadcaster::RedisBroadcaster;
pub use cache::RedisBoardCache;
pub use config::Config;
pub use handle::Redis;
pub use keys::Namespace;
pub use limiter::RedisRateLimiter;
/// The driver that this crate is built on.
pub use redis;
