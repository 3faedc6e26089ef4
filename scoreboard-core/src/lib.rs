//! draft
#[cfg(feature = "accounts")]
pub mod accounts;
mod action;
mod batch;
mod board;
mod broadcast;
mod cache;
mod clock;
mod encoding;
mod entry;
mod error;
mod fraud;
mod id_source;
mod ids;
mod limiter;
mod names;
mod ranking;
mod score;
mod store;
mod verifier;
mod version;

pub use action::{Claims, Fingerprint, Signature, SignedAction, VerifiedAction};
pub use batch::{Batch, BoardState, CountKey, Decided};
pub use board::{ActionKind, Board, BoardSpec, PointsRule, Season};
pub use broadcast::Broadcaster;
pub use cache::{BoardCache, CacheKey, Cached};
pub use clock::{Clock, SystemClock, Timestamp};
pub use entry::{Entry, Page, PageQuery, Range, Ranked, RankedPage, RankedUsers, ScoreRank, Standing, Standings};
pub use error::{BackendError, Chain, Error, ErrorKind, InvalidValue, PointsProblem, Rejection, Result};
pub use fraud::{DeterministicRules, Finding, FraudDetector, Incident, IncidentStore, IssueVerdict, Verdict};
pub use id_source::{IdSource, IdSourceExt, RandomIds};
pub use ids::{ActionId, BoardId, IncidentId, KeyId, KindId, SessionId, UserId};
pub use limiter::{Algorithm, Cell, Decision, Quota, RateLimiter, Usage};
pub use names::{DisplayNames, NoNames};
pub use ranking::{Ahead, Direction, Operator, Order, OrderKey, RankStyle, TieBreak};
pub use score::{MAX_SCORE, Points, Score};
pub use store::{
    AtMost, Change, ChangeBoard, CreateBoard, LogRow, Origin, Outcome, Reached, Receipt, Refusal, Scan, ScoreStore,
    rank_entries,
};
pub use verifier::{ActionVerifier, HmacVerifier, KeyRing, Secret};
pub use version::{Epoch, Position, Version};
