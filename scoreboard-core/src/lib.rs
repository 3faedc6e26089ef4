//! Verified, live scoreboards: the words, the traits, the update pipeline, and adapters that live in memory.
//!
//! A user starts an action, and the server signs it. The action done, the user hands it in, and [`Scoreboard::submit`] takes it
//! through `limit → verify → assess → apply → refresh → publish`: counted exactly once, in one durable transaction, shown by no
//! cache in an older state, and announced to whoever watches.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use scoreboard_core::memory::MemoryScoreStore;
//! use scoreboard_core::{ActionKind, BoardId, BoardSpec, IssueRequest, LiveEvent, Points, PointsRule, Scoreboard, UserId};
//!
//! let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
//! let quest = ActionKind {
//!     kind: "quest".parse()?,
//!     points: PointsRule::Fixed(Points::new(10)?),
//!     min_duration_seconds: 0,
//!     lifetime_seconds: 600,
//!     per_day: None,
//! };
//! let board = BoardId::main();
//! scoreboard.create_board(BoardSpec { kinds: vec![quest], ..BoardSpec::new(board.clone()) }).await?;
//!
//! let mut watcher = scoreboard.subscribe(&board, 10, None).await?;
//! assert!(matches!(watcher.next().await?, LiveEvent::Snapshot(_)));
//!
//! let ada = UserId::for_name("my-game", "ada");
//! let action = scoreboard.issue(ada, IssueRequest::new(board, "quest".parse()?)).await?;
//! let receipt = scoreboard.submit(ada, action.clone()).await?;
//! assert_eq!((receipt.score.get(), receipt.replayed), (10, false));
//! let again = scoreboard.submit(ada, action).await?; // a retry counts nothing twice
//! assert_eq!((again.version, again.replayed), (receipt.version, true));
//!
//! let LiveEvent::Update(update) = watcher.next().await? else { panic!() };
//! assert_eq!(update.changes[0].user_id, ada);
//! # Ok(())
//! # }
//! ```
//!
//! # Why one number
//!
//! Every change of a board takes its next [`Version`], inside the transaction that makes it. The log rows in version order
//! *are* the board; scores are their fold. A receipt, a cached answer, a watcher, another node: each says which version it
//! is true at, and freshness is a comparison. See [`ScoreStore`] for the rules.
//!
//! # Writing an adapter
//!
//! Implement a trait ([`ScoreStore`], [`BoardCache`], [`RateLimiter`], [`ActionVerifier`], [`Broadcaster`], or one of the account
//! stores); let [`Batch::decide`] say what a batch does; and run the conformance kit (`testing`) with one macro line.
//!
//! # After a failure
//!
//! A call that fails with a [retryable](Error::is_retryable) error may be repeated with the **same** action or idempotency key. If
//! the outcome was unknown, that settles it.
//!
//! | feature | gives | costs |
//! | --- | --- | --- |
//! | (none) | everything but the below | no database, no HTTP |
//! | `accounts` | `accounts`: users, passwords, sessions, access tokens | a JWT and two password hashing crates |
//! | `testing` | `testing`: the conformance kit; not part of semantic versioning | |
//! | `openapi` | `utoipa::ToSchema` for what goes over the wire | utoipa |

#[cfg(feature = "accounts")]
pub mod accounts;
mod action;
mod audit;
mod batch;
mod board;
mod broadcast;
mod cache;
mod clock;
mod correction;
mod cursor;
mod encoding;
mod entry;
mod error;
mod flight;
mod fraud;
mod hash_chain;
mod id_source;
mod ids;
mod layers;
mod limiter;
mod live;
pub mod memory;
mod names;
mod one_time;
mod peers;
mod pipeline;
mod rank_index;
mod ranking;
mod score;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod turns;
mod verifier;
mod version;
mod view;
mod wire;

pub use action::{Claims, Fingerprint, Signature, SignedAction, VerifiedAction};
pub use audit::{Audit, Difference, KeptHead, compare_head, verify};
pub use batch::{Batch, BoardState, CountKey, Decided};
pub use board::{ActionKind, Board, BoardSpec, PointsRule, Season};
pub use broadcast::Broadcaster;
pub use cache::{BoardCache, CacheKey, Cached, Hit, Lease};
pub use clock::{Clock, SystemClock, Timestamp};
pub use correction::{Corrections, Dossier, Inquiry, Place};
pub use entry::{
    Entry, Page, PageQuery, Range, Ranked, RankedPage, RankedUsers, ScoreRank, Standing, Standings, rank_entries,
};
pub use error::{BackendError, Chain, Error, ErrorKind, InvalidValue, PointsProblem, Rejection, Result};
pub use fraud::statistical;
pub use fraud::{
    Case, CaseStep, Deed, DeterministicRules, DeviceId, Finding, FraudDetector, FraudWatch, FraudWatchConfig, Incident,
    IncidentFile, IncidentFilter, IncidentStatus, IncidentStore, IssueVerdict, Measure, OutstandingAction,
    OutstandingActions, Recorded, Sightings, Started, StepOutcome, Verdict, WatchProgress,
};
pub use hash_chain::{HashChain, Head};
pub use id_source::{IdSource, IdSourceExt, RandomIds};
pub use ids::{ActionId, BoardId, IncidentId, KeyId, KindId, ModerationId, SessionId, UserId};
pub use layers::{
    CommitListener, FallbackLimiter, FallbackOutstanding, GroupCommit, GroupCommitConfig, IndexProgress, IndexState,
    OneWriter, RankIndexed, RankIndexedConfig, TwoLevelCache,
};
#[cfg(feature = "accounts")]
pub use layers::{IncidentAlerts, IncidentAlertsConfig};
pub use limiter::{Algorithm, Cell, Decision, Quota, RateLimiter, Usage};
pub use live::{
    EnteredTop, LiveEvent, LiveFrame, LiveWindow, Overtaken, Passer, PrivateEvent, PrivateSubscription, Snapshot,
    Subscription, Update, WindowExtent, WindowKind,
};
pub use names::{DisplayNames, NAMES_BACKEND, NoNames};
pub use one_time::OneTimeStore;
pub use peers::{Answer, Answered, Ask, Peers, Said};
pub use pipeline::{
    Admission, AroundQuery, BoardError, BoardPreview, Builder, CacheEvent, CacheMonitorConfig, CacheReaction,
    CacheStep, CacheTrouble, CaseDecision, Changes, Config, Encoded, HistoryCorrection, HistoryEntry, HistoryPage,
    HistoryQuery, IssueRequest, MAX_MODERATED, Preview, RecordRequest, ReviewedActions, Scoreboard, Selection,
    ShiftPreview, Stale, StaleCause, StandingQuery, TopQuery,
};
pub use rank_index::{IndexPage, Percentile, RankIndex};
pub use ranking::{Ahead, Direction, Operator, Order, OrderKey, RankStyle, TieBreak};
pub use score::{MAX_SCORE, Points, Score};
pub use store::{
    Admissions, Admitted, AppliedChange, AtMost, Becomes, CarriedOut, Change, ChangeBoard, CreateBoard, Effects,
    LogRow, Moderated, Moderation, ModerationAct, ModerationRefusal, ModerationStore, Origin, Outcome, Own, Reached,
    Receipt, Refusal, Restricted, Restriction, RowDigest, Scan, ScoreStore, Shift, Visibility,
};
pub use turns::{Turn, Turns};
pub use verifier::{ActionVerifier, HmacVerifier, KeyRing, Secret};
pub use version::{Epoch, Position, Version};
pub use view::{ChangeOp, EntryChange};
