//! The conformance kit: what every adapter must do, as named tests that anyone's adapter runs with one line a trait.
//!
//! Needs the feature `testing`, and is **exempt from semantic versioning**: a new case may fail an adapter that was wrong all along.
//!
//! An adapter's tests implement [`Fixture`] and the fixture trait of each suite that the adapter is to pass, then call the
//! suite's macro. It emits one `#[test]` for each case; a case's documentation is the rule that it checks.
//!
//! ```
//! use std::sync::Arc;
//! use scoreboard_core::ScoreStore;
//! use scoreboard_core::memory::MemoryScoreStore;
//! use scoreboard_core::testing::{Fixture, ScoreStoreFixture};
//!
//! struct MyFixture(Arc<MemoryScoreStore>);
//!
//! impl Fixture for MyFixture {
//!     async fn fresh() -> Self {
//!         Self(Arc::new(MemoryScoreStore::new()))
//!     }
//! }
//!
//! impl ScoreStoreFixture for MyFixture {
//!     fn score_store(&self) -> Arc<dyn ScoreStore> {
//!         self.0.clone()
//!     }
//! }
//!
//! scoreboard_core::score_store_conformance!(MyFixture);
//! ```
//!
//! | suite | checks | run by |
//! | --- | --- | --- |
//! | [`score_store`] | [`ScoreStore`](crate::ScoreStore) | [`score_store_conformance!`](crate::score_store_conformance) |
//! | [`account_store`] | [`AccountStore`](crate::accounts::AccountStore) | [`account_store_conformance!`](crate::account_store_conformance) |
//! | [`factor_store`] | [`FactorStore`](crate::accounts::FactorStore) | [`factor_store_conformance!`](crate::factor_store_conformance) |
//! | [`incident_store`] | [`IncidentStore`](crate::IncidentStore) | [`incident_store_conformance!`](crate::incident_store_conformance) |
//! | [`moderation_store`] | [`ModerationStore`](crate::ModerationStore) | [`moderation_store_conformance!`](crate::moderation_store_conformance) |
//! | [`board_cache`] | [`BoardCache`](crate::BoardCache) | [`board_cache_conformance!`](crate::board_cache_conformance) |
//! | [`rate_limiter`] | [`RateLimiter`](crate::RateLimiter) | [`rate_limiter_conformance!`](crate::rate_limiter_conformance) |
//! | [`outstanding_actions`] | [`OutstandingActions`](crate::OutstandingActions) | [`outstanding_actions_conformance!`](crate::outstanding_actions_conformance) |
//! | [`one_time_store`] | [`OneTimeStore`](crate::OneTimeStore) | [`one_time_store_conformance!`](crate::one_time_store_conformance) |
//! | [`broadcaster`] | [`Broadcaster`](crate::Broadcaster) | [`broadcaster_conformance!`](crate::broadcaster_conformance) |
//! | [`verifier`] | [`ActionVerifier`](crate::ActionVerifier) | [`verifier_conformance!`](crate::verifier_conformance) |

pub mod account_store;
pub mod board_cache;
pub mod broadcaster;
pub mod broken;
mod clock;
mod drop_at;
pub mod factor_store;
mod faults;
mod fixture;
mod ids;
pub mod incident_store;
mod macros;
mod memory;
pub mod model;
pub mod moderation_store;
pub mod one_time_store;
pub mod outstanding_actions;
mod play;
pub mod rate_limiter;
pub mod score_store;
mod token_cases;
pub mod verifier;

pub use clock::ManualClock;
pub use faults::{FaultRates, FaultyBoardCache, FaultyBroadcaster, FaultyScoreStore};
pub use fixture::{
    AccountStoreFixture, BoardCacheFixture, BroadcasterFixture, FactorStoreFixture, Fixture, IncidentStoreFixture,
    ModerationStoreFixture, OneTimeStoreFixture, OutstandingActionsFixture, RateLimiterFixture, ScoreStoreFixture,
    VerifierFixture, run,
};
pub use ids::SeededIds;
pub use memory::MemoryFixture;
pub use token_cases::{TokenCase, token_cases};
