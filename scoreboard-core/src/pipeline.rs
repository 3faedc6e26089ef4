//! The update, step by step, and the reads.
//!
//! `limit → verify → assess → apply → refresh → publish`: [`submit`](Scoreboard::submit) reads top to bottom in
//! `pipeline/submit.rs`, each step in a file named after it.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::broadcast::Broadcaster;
use crate::clock::Clock;
use crate::cursor::Cursors;
use crate::error::BackendError;
use crate::fraud::{FraudDetector, IncidentStore, Sightings};
use crate::id_source::IdSource;
use crate::layers::{GroupCommit, TwoLevelCache};
use crate::limiter::{Denials, RateLimiter};
use crate::live::Hub;
use crate::names::DisplayNames;
use crate::store::{ModerationStore, ScoreStore};
use crate::verifier::ActionVerifier;

mod apply;
mod assess;
mod boards;
mod builder;
mod conclude;
mod first_receipt;
mod follow;
mod issue;
mod limit;
mod moderate;
mod monitor;
mod publish;
mod read;
mod record;
mod refresh;
mod submit;
mod subscribe;
mod verify;
mod warm;
mod write_through;

pub use boards::BoardError;
pub use builder::{Builder, Config};
pub use conclude::CaseDecision;
pub use issue::IssueRequest;
pub use limit::Admission;
pub use moderate::{BoardPreview, MAX_MODERATED, Preview, Selection, ShiftPreview};
pub use monitor::{CacheEvent, CacheMonitorConfig, CacheReaction, CacheStep, CacheTrouble};
pub use read::{
    AroundQuery, Changes, Encoded, HistoryCorrection, HistoryEntry, HistoryPage, HistoryQuery, ReviewedActions, Stale,
    StaleCause, StandingQuery, TopQuery,
};
pub use record::RecordRequest;

/// Verified, live scoreboards: the handle that an application holds.
///
/// Cloning clones the handle, never the data. All methods take `&self` and may run at the same time.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use scoreboard_core::memory::MemoryScoreStore;
/// use scoreboard_core::{ActionKind, BoardId, BoardSpec, IssueRequest, Points, PointsRule, Scoreboard, TopQuery, UserId};
///
/// let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
/// let main = BoardId::main();
/// let tap = ActionKind {
///     kind: "tap".parse()?,
///     points: PointsRule::Fixed(Points::new(1)?),
///     min_duration_seconds: 0,
///     lifetime_seconds: 60,
///     per_day: None,
/// };
/// scoreboard.create_board(BoardSpec { kinds: vec![tap], ..BoardSpec::new(main.clone()) }).await?;
///
/// let user = UserId::for_name("my-game", "ada");
/// let action = scoreboard.issue(user, IssueRequest::new(main.clone(), "tap".parse()?)).await?; // when it starts
/// let receipt = scoreboard.submit(user, action).await?; // when it is done
/// assert_eq!(receipt.score.get(), 1);
/// assert_eq!(scoreboard.top(&TopQuery::new(main)).await?.entries[0].user_id, user);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Scoreboard {
    parts: Arc<Parts>,
}

/// What a scoreboard is made of. Immutable once built.
#[derive(Debug)]
struct Parts {
    store: Arc<GroupCommit>,
    audit_store: Arc<dyn ScoreStore>,
    verifier: Arc<dyn ActionVerifier>,
    limiter: Arc<dyn RateLimiter>,
    /// Who is over the quota by what the store says.
    denials: Mutex<Denials>,
    fraud: Arc<dyn FraudDetector>,
    incidents: Arc<dyn IncidentStore>,
    moderation: Option<Arc<dyn ModerationStore>>,
    sightings: Sightings,
    cache: Arc<TwoLevelCache>,
    broadcaster: Arc<dyn Broadcaster>,
    names: Arc<dyn DisplayNames>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    cursors: Cursors,
    boards: boards::Catalogue,
    loads: read::Loads,
    touch: follow::Touch,
    troubles: monitor::Troubles,
    write_through: Arc<write_through::WriteThrough>,
    hub: Hub,
    config: Config,
}

/// A handle that keeps nothing alive.
#[derive(Debug, Clone)]
pub(crate) struct WeakScoreboard(Weak<Parts>);

impl WeakScoreboard {
    pub(crate) fn upgrade(&self) -> Option<Scoreboard> {
        Some(Scoreboard { parts: self.0.upgrade()? })
    }
}

impl Scoreboard {
    /// Begins to build a scoreboard over this store. Every other part has a default that lives in this process.
    pub fn builder(store: Arc<dyn ScoreStore>) -> Builder {
        Builder::new(store)
    }

    /// Takes no more changes, and returns when all that were taken are durable. Reads go on.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, what was taken still becomes durable.
    pub async fn close(&self) {
        self.parts.store.close().await;
    }

    /// Whether the store can read and write now.
    ///
    /// # Errors
    ///
    /// Why it can not.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn check(&self) -> Result<(), BackendError> {
        self.parts.store.check().await
    }

    /// The store behind the pipeline, for reading what the pipeline does not answer: the log, a scan.
    #[must_use]
    pub fn store(&self) -> Arc<dyn ScoreStore> {
        self.parts.store.clone()
    }

    /// What was found that should not be, and what people make of it.
    #[must_use]
    pub fn incidents(&self) -> &dyn IncidentStore {
        &*self.parts.incidents
    }

    /// From where users play, as far as whoever takes their requests says so.
    #[must_use]
    pub fn sightings(&self) -> &Sightings {
        &self.parts.sightings
    }

    /// The numbers that it was built with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.parts.config
    }

    pub(crate) fn downgrade(&self) -> WeakScoreboard {
        WeakScoreboard(Arc::downgrade(&self.parts))
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.parts.hub
    }

    pub(crate) fn broadcaster(&self) -> &dyn Broadcaster {
        &*self.parts.broadcaster
    }

    pub(crate) fn ids(&self) -> &dyn IdSource {
        &*self.parts.ids
    }

    /// The clock that decides time windows.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }
}
