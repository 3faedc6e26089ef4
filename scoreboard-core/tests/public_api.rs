//! The shape of the public types: traits that can be held as `dyn`, handles that can be shared.

use std::fmt::Debug;
use std::sync::Arc;

use scoreboard_core::accounts::{AccountStore, Accounts, ServerKeyStore, SessionStore, UserStore};
use scoreboard_core::memory::{
    InProcessBroadcaster, MemoryAccountStore, MemoryBoardCache, MemoryIncidentStore, MemoryRateLimiter,
    MemoryScoreStore,
};
use scoreboard_core::{
    ActionVerifier, BackendError, BoardCache, Broadcaster, Clock, DisplayNames, Error, FraudDetector, GroupCommit,
    HmacVerifier, IdSource, IncidentStore, RateLimiter, ScoreStore, Scoreboard, Subscription, SystemClock,
};

fn shared<T: ?Sized + Send + Sync + Debug + 'static>() {}

#[test]
fn every_trait_can_be_held_as_dyn_and_shared() {
    shared::<Arc<dyn ScoreStore>>();
    shared::<Arc<dyn BoardCache>>();
    shared::<Arc<dyn RateLimiter>>();
    shared::<Arc<dyn ActionVerifier>>();
    shared::<Arc<dyn Broadcaster>>();
    shared::<Arc<dyn FraudDetector>>();
    shared::<Arc<dyn IncidentStore>>();
    shared::<Arc<dyn DisplayNames>>();
    shared::<Arc<dyn Clock>>();
    shared::<Arc<dyn IdSource>>();
    shared::<Arc<dyn UserStore>>();
    shared::<Arc<dyn SessionStore>>();
    shared::<Arc<dyn ServerKeyStore>>();
    shared::<Arc<dyn AccountStore>>();
}

#[test]
fn every_handle_can_be_shared_between_threads() {
    shared::<Scoreboard>();
    shared::<Accounts>();
    shared::<GroupCommit>();
    shared::<HmacVerifier>();
    shared::<SystemClock>();
    shared::<MemoryScoreStore>();
    shared::<MemoryAccountStore>();
    shared::<MemoryIncidentStore>();
    shared::<MemoryRateLimiter>();
    shared::<MemoryBoardCache>();
    shared::<InProcessBroadcaster>();
    shared::<Error>();
    shared::<BackendError>();
    shared::<Subscription>();
}
