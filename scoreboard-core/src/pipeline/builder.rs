//! Putting a scoreboard together.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::broadcast::Broadcaster;
use crate::cache::BoardCache;
use crate::clock::{Clock, SystemClock};
use crate::cursor::Cursors;
use crate::fraud::{DeterministicRules, FraudDetector, IncidentStore, Sightings};
use crate::id_source::{IdSource, RandomIds};
use crate::layers::{GroupCommit, GroupCommitConfig, TwoLevelCache};
use crate::limiter::{Quota, RateLimiter};
use crate::live::Hub;
use crate::memory::{InProcessBroadcaster, MemoryBoardCache, MemoryIncidentStore, MemoryRateLimiter};
use crate::names::{DisplayNames, NoNames};
use crate::pipeline::apply::AfterCommit;
use crate::pipeline::boards::Catalogue;
use crate::pipeline::follow::Touch;
use crate::pipeline::monitor::{CacheMonitorConfig, Troubles};
use crate::pipeline::read::Loads;
use crate::pipeline::write_through::WriteThrough;
use crate::pipeline::{Parts, Scoreboard};
use crate::store::{ModerationStore, ScoreStore};
use crate::turns::Turns;
use crate::verifier::{ActionVerifier, HmacVerifier, KeyRing};

/// The numbers of a scoreboard.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How many updates a user may hand in; `None` for any number. Default: 10 a minute, counted exactly.
    pub update_quota: Option<Quota>,
    /// How long an encoded answer may be kept. Default: 30 s.
    pub cache_lifetime: Duration,
    /// How many bytes of encoded answers are kept in this process, and a quarter as many again for when the store cannot be read.
    /// Default: 64 MiB.
    pub cache_bytes: usize,
    /// For how long the newest answer is given, marked as [stale](crate::Encoded::stale), while the store cannot be read; zero for never.
    /// Default: 5 min.
    pub stale_lifetime: Duration,
    /// How often the first pages are loaded again, if [`keep_warm`](Scoreboard::keep_warm) runs. Default: 5 min.
    pub warm_up_interval: Duration,
    /// When the monitor of the cache speaks, if [`monitor_cache`](Scoreboard::monitor_cache) runs.
    pub cache_monitor: CacheMonitorConfig,
    /// How long a live subscription gathers changes before it sends them as one update. Default: 50 ms.
    pub batch_interval: Duration,
    /// How often a live subscription looks at the log, and a node that [follows](Scoreboard::follow) others at the boards, if nothing is
    /// announced. Default: 5 s.
    pub poll_interval: Duration,
    /// How far the clocks of nodes that take each other's actions may be apart. An action that is handed in early by no more than that waits for its
    /// time, and is not refused: by the clock of the node that issued it, it may well be done. Default: zero, for one node alone.
    pub clocks_apart: Duration,
    /// The bounds of the commits.
    pub group_commit: GroupCommitConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            update_quota: Some("10/min".parse().expect("a quota")),
            cache_lifetime: Duration::from_secs(30),
            cache_bytes: 64 << 20,
            stale_lifetime: Duration::from_secs(300),
            warm_up_interval: Duration::from_secs(300),
            cache_monitor: CacheMonitorConfig::default(),
            batch_interval: Duration::from_millis(50),
            poll_interval: Duration::from_secs(5),
            clocks_apart: Duration::ZERO,
            group_commit: GroupCommitConfig::default(),
        }
    }
}

/// Builds a [`Scoreboard`]. Every part but the store has a default that lives in this process.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    store: Arc<dyn ScoreStore>,
    audit_store: Option<Arc<dyn ScoreStore>>,
    ring: Option<KeyRing>,
    verifier: Option<Arc<dyn ActionVerifier>>,
    limiter: Arc<dyn RateLimiter>,
    fraud: Arc<dyn FraudDetector>,
    incidents: Arc<dyn IncidentStore>,
    moderation: Option<Arc<dyn ModerationStore>>,
    turns: Option<Arc<dyn Turns>>,
    cache: Option<Arc<dyn BoardCache>>,
    shared_cache: Option<Arc<dyn BoardCache>>,
    broadcaster: Arc<dyn Broadcaster>,
    names: Arc<dyn DisplayNames>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    config: Config,
}

impl Builder {
    pub(super) fn new(store: Arc<dyn ScoreStore>) -> Self {
        Self {
            store,
            audit_store: None,
            ring: None,
            verifier: None,
            limiter: Arc::new(MemoryRateLimiter::default()),
            fraud: Arc::new(DeterministicRules::default()),
            incidents: Arc::new(MemoryIncidentStore::default()),
            moderation: None,
            turns: None,
            cache: None,
            shared_cache: None,
            broadcaster: Arc::new(InProcessBroadcaster::default()),
            names: Arc::new(NoNames),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            config: Config::default(),
        }
    }

    /// Compares one in a hundred cached answers with this store: the one below all layers that answer from memory, such as
    /// [`RankIndexed`](crate::RankIndexed), for what they have wrong the cache has from them. Default: the store itself.
    pub fn with_audit_store(mut self, store: Arc<dyn ScoreStore>) -> Self {
        self.audit_store = Some(store);
        self
    }

    /// Signs actions and cursors with these keys. Default: a random key, so that what was signed ends with the process.
    pub fn with_keys(mut self, ring: KeyRing) -> Self {
        self.ring = Some(ring);
        self
    }

    /// Signs and checks actions in another way than [`HmacVerifier`].
    pub fn with_verifier(mut self, verifier: Arc<dyn ActionVerifier>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Counts quotas elsewhere.
    pub fn with_limiter(mut self, limiter: Arc<dyn RateLimiter>) -> Self {
        self.limiter = limiter;
        self
    }

    /// Believes actions by other rules than [`DeterministicRules`].
    pub fn with_fraud_detector(mut self, fraud: Arc<dyn FraudDetector>) -> Self {
        self.fraud = fraud;
        self
    }

    /// Keeps incidents elsewhere.
    pub fn with_incidents(mut self, incidents: Arc<dyn IncidentStore>) -> Self {
        self.incidents = incidents;
        self
    }

    /// Moderators decide about the store's data by this: the same store, which has the ability. Default: nobody does.
    pub fn with_moderation(mut self, moderation: Arc<dyn ModerationStore>) -> Self {
        self.moderation = Some(moderation);
        self
    }

    /// Writes in turns with the other nodes of the same store, where they write to the same boards. Default: without, each when the store lets it.
    pub fn with_turns(mut self, turns: Arc<dyn Turns>) -> Self {
        self.turns = Some(turns);
        self
    }

    /// Keeps encoded answers in this process in another way than [`MemoryBoardCache`].
    pub fn with_cache(mut self, cache: Arc<dyn BoardCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Keeps encoded answers also where other nodes find them: the second level behind the one in this process.
    pub fn with_shared_cache(mut self, cache: Arc<dyn BoardCache>) -> Self {
        self.shared_cache = Some(cache);
        self
    }

    /// Announces changes in another way than within this process.
    pub fn with_broadcaster(mut self, broadcaster: Arc<dyn Broadcaster>) -> Self {
        self.broadcaster = broadcaster;
        self
    }

    /// Shows users by these names. Default: by their ids.
    pub fn with_names(mut self, names: Arc<dyn DisplayNames>) -> Self {
        self.names = names;
        self
    }

    /// Asks this clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Draws ids from here.
    pub fn with_ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.ids = ids;
        self
    }

    /// Uses these numbers.
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The scoreboard. Its metrics go to the recorder that is installed now.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime: commits are made by a task of it.
    #[must_use]
    pub fn build(self) -> Scoreboard {
        let Self {
            store,
            ring,
            verifier,
            limiter,
            fraud,
            incidents,
            broadcaster,
            names,
            clock,
            ids,
            config,
            turns,
            ..
        } = self;
        let ring = ring.unwrap_or_else(|| KeyRing::random(&*ids));
        let (near, room) = match self.cache {
            Some(cache) => (cache, None),
            None => {
                let cache = MemoryBoardCache::new(config.cache_bytes);
                (Arc::new(cache.clone()) as Arc<dyn BoardCache>, Some(cache))
            }
        };
        let cache = Arc::new(TwoLevelCache::new(near, self.shared_cache));
        let write_through = Arc::<WriteThrough>::default();
        let after = AfterCommit {
            cache: cache.clone(),
            broadcaster: broadcaster.clone(),
            write_through: write_through.clone(),
            turns: turns.clone(),
        };
        Scoreboard {
            parts: Arc::new(Parts {
                audit_store: self.audit_store.unwrap_or_else(|| store.clone()),
                store: Arc::new(GroupCommit::taking_turns(store, config.group_commit, Some(Arc::new(after)), turns)),
                verifier: verifier.unwrap_or_else(|| Arc::new(HmacVerifier::new(&ring))),
                cursors: Cursors::new(&ring),
                boards: Catalogue::default(),
                loads: Loads::new(&config),
                touch: Touch::default(),
                troubles: Troubles::new(room),
                write_through,
                hub: Hub::default(),
                limiter,
                denials: Mutex::default(),
                fraud,
                incidents,
                moderation: self.moderation,
                sightings: Sightings::default(),
                cache,
                broadcaster,
                names,
                clock,
                ids,
                config,
            }),
        }
    }
}
