//! The truth: boards, their log, and the scores that it folds to.

use std::fmt;

use async_trait::async_trait;

use crate::board::{Board, BoardSpec, Season};
use crate::entry::{PageQuery, RankedPage, RankedUsers, ScoreRank};
use crate::error::BackendError;
use crate::ids::{ActionId, BoardId, UserId};
use crate::ranking::RankStyle;
use crate::score::Score;
use crate::version::{Epoch, Position, Version};

mod admissions;
mod applied_change;
mod change;
mod log_row;
mod moderation;
mod row_digest;

pub use admissions::{Admissions, Admitted};
pub use applied_change::{AppliedChange, Becomes};
pub use change::{AtMost, Change, Origin, Outcome, Receipt, Refusal};
pub use log_row::{LogRow, Reached, Visibility};
pub use moderation::{
    CarriedOut, Effects, Moderated, Moderation, ModerationAct, ModerationRefusal, ModerationStore, Own, Restricted,
    Restriction, Shift,
};
pub use row_digest::RowDigest;

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
    /// Its spec is not the one that was to be replaced; nothing was changed.
    ChangedMeanwhile,
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
/// - **Chained.** Each row is kept with the digest that [`Batch::decide`](crate::Batch::decide) gives it, and the board with that of its newest
///   row, from which the next one is computed.
///
/// A store may archive old rows of the log that are of signed actions, and drop them. It then still refuses what it cannot recognise any more
/// ([`Refusal::Archived`]), and says of each board behind which version its log is whole ([`Board::log_after`]). The scores stay.
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

    /// Replaces a board's spec if it still is `from`, except that the operator, direction and tie-break of a board with a log are fixed.
    /// Both specs bear the name of one board.
    ///
    /// Comparing and replacing is one step, so that of two who change what they read nobody's change is lost. Durable on `Ok`; a repeat
    /// finds the spec `to` and answers [`Changed`](ChangeBoard::Changed) too. Takes no version: the log does not depend on it.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the spec is the old or the new one, whole.
    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard, BackendError>;

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
    ///   [`Correction`](Refusal::Correction), [`UnknownBoard`](Refusal::UnknownBoard), [`Archived`](Refusal::Archived), [`Banned`](Refusal::Banned),
    ///   [`SeasonOver`](Refusal::SeasonOver), [`AboveCount`](Refusal::AboveCount), [`OverQuota`](Refusal::OverQuota) or
    ///   [`ScoreOutOfRange`](Refusal::ScoreOutOfRange), or applied. A refused one takes no version and spoils no other.
    /// - Concurrent calls are as if made one after the other.
    /// - By when changes were [`admitted`](Change::admitted), one that comes within half a minute of those that were admitted with it is counted
    ///   where it was admitted; of these the last 128 are known. A new season begins anew; and where a moderator decides about a user, what is known of them may be forgotten.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind). After `OutcomeUnknown`, call again with the same changes: what counted is then replayed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, all of the batch was applied or nothing; calling again with the same changes settles it.
    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError>;

    /// The log row of an action and the board it counted on, or `None` if it did not count, or its row is archived.
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

    /// What a user did on a board, newest first, older than `before` if given, at most `limit`, as far as the log is whole: their log rows
    /// but for [corrections](Origin::Correction). Empty for an unknown board.
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
    /// Never with a gap between two of them: where the log is whole only behind a [later version](Board::log_after) than `after`, they
    /// are those behind that one.
    ///
    /// # Errors
    ///
    /// As [`board`](Self::board).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>, BackendError>;

    /// The same as those need it who follow the board; there may be less than there is, if not nothing. A layer that was told of it need not read it.
    ///
    /// # Errors
    ///
    /// As [`board`](Self::board).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn applied(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<AppliedChange>, BackendError> {
        Ok(self.log(board, after, limit).await?.iter().map(AppliedChange::from).collect())
    }

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
