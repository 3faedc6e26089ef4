//! The truth: boards, their log, and the scores that it folds to.

use std::fmt;

use async_trait::async_trait;
use serde::Serialize;

use crate::action::Fingerprint;
use crate::board::{Board, BoardSpec, Season};
use crate::clock::Timestamp;
use crate::entry::{PageQuery, Ranked, RankedPage, RankedUsers, ScoreRank};
use crate::error::BackendError;
use crate::ids::{ActionId, BoardId, KindId, UserId};
use crate::ranking::RankStyle;
use crate::score::{Points, Score};
use crate::version::{Epoch, Position, Version};

/// A change that is to be applied to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key under which it counts once.
    pub action_id: ActionId,
    /// Tells a repeat of the same request from another that reuses the id.
    pub fingerprint: Fingerprint,
    /// Where it counts.
    pub board: BoardId,
    /// The season it was made for.
    pub season: Season,
    /// Whose score it changes.
    pub user_id: UserId,
    /// What was done.
    pub kind: KindId,
    /// What it is worth.
    pub points: Points,
    /// Who vouches for it.
    pub origin: Origin,
    /// When it counts.
    pub at: Timestamp,
    /// A condition that must hold inside the transaction.
    pub at_most: Option<AtMost>,
}

/// Who vouches for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// An action that the server signed.
    Action,
    /// A trusted game server.
    Record,
}

/// Refuse the change if its user already has this many changes of its kind on its board since a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtMost {
    /// How many may count, this one included.
    pub count: u32,
    /// Counted from this moment on.
    pub since: Timestamp,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// It counts, durably, from now on.
    Applied(Receipt),
    /// It counted before: the first receipt, with `replayed` set.
    Replayed(Receipt),
    /// It does not count, and nothing was changed.
    Refused(Refusal),
}

impl Outcome {
    /// The receipt, if the change counts.
    #[must_use]
    pub const fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Applied(receipt) | Self::Replayed(receipt) => Some(receipt),
            Self::Refused(_) => None,
        }
    }
}

/// Why a store did not apply a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is no such board.
    UnknownBoard,
    /// The board is in another season.
    SeasonOver,
    /// The score would leave its range.
    ScoreOutOfRange,
    /// The id counted before, for another request.
    FingerprintMismatch,
    /// [`Change::at_most`] does not hold.
    AboveCount,
}

/// What the caller of an applied change gets, the same each time it asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// What counted.
    pub action_id: ActionId,
    /// Where.
    pub board: BoardId,
    /// In which season.
    pub season: Season,
    /// For whom.
    pub user_id: UserId,
    /// What it was worth.
    pub points: Points,
    /// The score before; `null` if the user was not on the board.
    pub previous_score: Option<Score>,
    /// The score after.
    pub score: Score,
    /// The rank at this version; `null` where the store does not rank.
    pub rank: Option<u64>,
    /// Compared before the version.
    pub epoch: Epoch,
    /// The version that the change took.
    pub version: Version,
    /// When it counted.
    pub applied_at: Timestamp,
    /// Whether this answer repeats an earlier one.
    pub replayed: bool,
}

/// A row of the log: one change that was applied, with all that is needed to fold it, and to take it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// The version it took, in the epoch in which it did.
    pub position: Position,
    /// What counted.
    pub action_id: ActionId,
    /// See [`Change::fingerprint`].
    pub fingerprint: Fingerprint,
    /// In which season.
    pub season: Season,
    /// For whom.
    pub user_id: UserId,
    /// What was done.
    pub kind: KindId,
    /// What it was worth.
    pub points: Points,
    /// Who vouched for it.
    pub origin: Origin,
    /// The user's score before; `None` if the user was not on the board.
    pub previous: Option<Reached>,
    /// The user's score after.
    pub score: Score,
    /// When it counted.
    pub at: Timestamp,
}

impl LogRow {
    /// The receipt that this row stands for.
    #[must_use]
    pub fn receipt(&self, board: &BoardId, replayed: bool) -> Receipt {
        Receipt {
            action_id: self.action_id,
            board: board.clone(),
            season: self.season,
            user_id: self.user_id,
            points: self.points,
            previous_score: self.previous.map(|previous| previous.score),
            score: self.score,
            rank: None,
            epoch: self.position.epoch,
            version: self.position.version,
            applied_at: self.at,
            replayed,
        }
    }

    /// What the user has after this row. A score that does not change was reached before.
    #[must_use]
    pub fn reached(&self) -> Reached {
        match self.previous {
            Some(previous) if previous.score == self.score => previous,
            _ => Reached { score: self.score, version: self.position.version, at: self.at },
        }
    }
}

/// A score, and when it was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The score.
    pub score: Score,
    /// The version at which it was reached: the tie-break.
    pub version: Version,
    /// The time at which it was reached.
    pub at: Timestamp,
}

/// A stretch of a board's scores in the order of user ids, all true at one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// When it is true.
    pub position: Position,
    /// All entries of the season.
    pub total: u64,
    /// User and score; `rank` is not computed here.
    pub scores: Vec<(UserId, Reached)>,
}

/// What became of a new board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum CreateBoard {
    /// It is there, at version 0 in season 1.
    Created,
    /// One of this name is there already; nothing was changed.
    AlreadyExists,
}

/// What became of a change to a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum ChangeBoard {
    /// The board has the new spec.
    Changed,
    /// There is no such board.
    Unknown,
    /// The board has a log already, so its operator, direction and tie-break are fixed; nothing was changed.
    OrderIsFixed,
}

/// Keeps boards, their logs, and the scores that the logs fold to.
///
/// The rules every implementation MUST keep, and that the conformance kit checks:
///
/// - **The version.** Each applied change takes its board's next version inside the transaction that applies it: 1, 2, 3 …
///   without a gap, in commit order, on any number of nodes. The log in version order folds to the scores.
/// - **Once.** An [`ActionId`] counts at most once in the store, on whatever board.
/// - **One version an answer.** Everything in one answer is true at the one position that it names.
/// - **Fresh.** A read that starts after an `apply` returned sees what it applied.
///
/// Cloning an implementation clones the handle, never the data.
#[async_trait]
pub trait ScoreStore: fmt::Debug + Send + Sync + 'static {
    /// Creates a board.
    ///
    /// Durable on `Ok`. A repeat answers [`CreateBoard::AlreadyExists`], whatever the spec. `spec` was
    /// [checked](BoardSpec::check) by the caller.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the board may or may not have been created; never half.
    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard, BackendError>;

    /// Replaces a board's spec, except that the operator, direction and tie-break of a board with a log are fixed.
    ///
    /// Atomic, durable on `Ok`; a repeat changes nothing more. Takes no version: the log does not depend on it.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the spec is the old or the new one, whole.
    async fn change_board(&self, spec: &BoardSpec) -> Result<ChangeBoard, BackendError>;

    /// The board of this name as it stands.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn board(&self, board: &BoardId) -> Result<Option<Board>, BackendError>;

    /// All boards, sorted by id.
    ///
    /// # Errors
    ///
    /// As [`board`](Self::board).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn boards(&self) -> Result<Vec<Board>, BackendError>;

    /// Applies changes, of any boards, in the order given; each has its own outcome, in that order.
    ///
    /// - One transaction: on `Ok`, every [`Outcome::Applied`] is durable, with its log row, its score and its board's version;
    ///   on `Err` other than `OutcomeUnknown`, nothing was changed.
    /// - Each change is decided against what the ones before it in the batch left: a repeat inside one batch is a replay.
    /// - In this order a change is: replayed if its id counted before with its fingerprint, refused as
    ///   [`FingerprintMismatch`](Refusal::FingerprintMismatch) if with another one, and otherwise refused as
    ///   [`UnknownBoard`](Refusal::UnknownBoard), [`SeasonOver`](Refusal::SeasonOver), [`AboveCount`](Refusal::AboveCount) or
    ///   [`ScoreOutOfRange`](Refusal::ScoreOutOfRange), or applied. A refused one takes no version and spoils no other.
    /// - Concurrent calls are as if made one after the other.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind). After `OutcomeUnknown`, call again with the same changes: what counted is then replayed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all of the batch was applied or nothing; calling again with the same changes settles it.
    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError>;

    /// The log row of an action and the board it counted on, or `None` if it did not count.
    ///
    /// # Errors
    ///
    /// As [`board`](Self::board).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>, BackendError>;

    /// A page of entries; `None` if there is no such board or season.
    ///
    /// # Errors
    ///
    /// As [`board`](Self::board).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>, BackendError>;

    /// Where these users stand; `None` if there is no such board or season.
    ///
    /// # Errors
    ///
    /// As [`board`](Self::board).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>, BackendError>;

    /// The rank that `score` would get in the current season if a new user reached it now; `None` if there is no such board.
    ///
    /// # Errors
    ///
    /// As [`board`](Self::board).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn score_rank(
        &self,
        board: &BoardId,
        style: RankStyle,
        score: Score,
    ) -> Result<Option<ScoreRank>, BackendError>;

    /// A user's log rows on a board, newest first, older than `before` if given, at most `limit`. Empty for an unknown board.
    ///
    /// # Errors
    ///
    /// As [`board`](Self::board).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError>;

    /// A board's log rows behind `after` in version order, at most `limit`. Empty for an unknown board.
    ///
    /// # Errors
    ///
    /// As [`board`](Self::board).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>, BackendError>;

    /// The scores of a season in the order of user ids, behind `after` if given, at most `limit`; `None` if there is no such
    /// board or season.
    ///
    /// # Errors
    ///
    /// As [`board`](Self::board).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn scan(
        &self,
        board: &BoardId,
        season: Season,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Scan>, BackendError>;

    /// Begins a new epoch above `above`, unless the epoch is above it already; answers with the one in force.
    ///
    /// For whoever restores a backup: versions that the lost commits had taken are given out again, and only the epoch tells
    /// the two apart. Durable on `Ok`; a repeat changes nothing. Boards, logs and scores stay, and versions go on.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the epoch is the old or the new one; call it again.
    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch, BackendError>;

    /// Asks the backend whether it can read and write now. Cheap enough for a health check each second.
    ///
    /// # Errors
    ///
    /// Why it can not.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn check(&self) -> Result<(), BackendError>;
}

/// Turns entries in the board's order into ranks: what every store that counts needs.
///
/// `ahead` is what stands before the first entry.
pub fn rank_entries(
    style: RankStyle,
    mut ahead: crate::ranking::Ahead,
    entries: impl IntoIterator<Item = (UserId, Reached)>,
) -> Vec<Ranked> {
    let mut last: Option<Score> = None;
    let mut ranked = Vec::new();
    for (user_id, reached) in entries {
        if let Some(last) = last {
            ahead = ahead.step(last == reached.score);
        }
        last = Some(reached.score);
        ranked.push(Ranked {
            rank: ahead.rank(style),
            user_id,
            score: reached.score,
            reached: reached.version,
            updated_at: reached.at,
        });
    }
    ranked
}
