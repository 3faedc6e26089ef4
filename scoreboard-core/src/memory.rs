//! Every trait of this crate, kept in this process's memory: for tests, for games that need no disk, and as the measure that
//! other adapters are held to.
//!
//! | type | trait | bounded by |
//! | --- | --- | --- |
//! | [`MemoryScoreStore`] | [`ScoreStore`](crate::ScoreStore) | what happened: it is the truth, and forgets nothing |
//! | [`MemoryIncidentStore`] | [`IncidentStore`](crate::IncidentStore) | the incidents written down |
//! | `MemoryAccountStore` (feature `accounts`) | [`AccountStore`](crate::accounts::AccountStore), [`FactorStore`](crate::accounts::FactorStore) | accounts, sessions, keys, factors |
//! | [`MemoryRateLimiter`] | [`RateLimiter`](crate::RateLimiter) | a number of subjects |
//! | [`MemoryOutstanding`] | [`OutstandingActions`](crate::OutstandingActions) | the users who have actions under way |
//! | [`MemoryBoardCache`] | [`BoardCache`](crate::BoardCache) | a number of bytes |
//! | [`InProcessBroadcaster`] | [`Broadcaster`](crate::Broadcaster) | the boards that are watched now |
//!
//! All are handles: a clone shares what it holds. Nothing survives the process, so "durable" here means as long as a handle lives.

#[cfg(feature = "accounts")]
mod accounts;
mod broadcaster;
mod cache;
mod incidents;
mod limiter;
mod outstanding;
mod store;

#[cfg(feature = "accounts")]
pub use accounts::MemoryAccountStore;
pub use broadcaster::InProcessBroadcaster;
pub use cache::MemoryBoardCache;
pub use incidents::MemoryIncidentStore;
pub use limiter::MemoryRateLimiter;
pub use outstanding::MemoryOutstanding;
pub use store::MemoryScoreStore;
