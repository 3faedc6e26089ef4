//! What became of a request as it goes over a channel, one for one.

use std::time::Duration;

use scoreboard_core::{
    ActionId, BoardId, Epoch, ErrorKind, Outcome, Points, Receipt, Refusal, Score, Season, UserId, Version,
};
use serde::{Deserialize, Serialize};

use super::applied::AppliedRow;
use super::{Names, time};

// The numbers of the variants are the order in which they stand here: what is new goes to the end.

#[derive(Serialize, Deserialize)]
pub(super) enum AnswerRow<'a> {
    Applied(u64, #[serde(borrow)] Vec<OutcomeRow<'a>>, #[serde(borrow)] Vec<AppliedRow<'a>>),
    Failed(#[serde(with = "ErrorRow")] ErrorKind),
}

#[derive(Serialize, Deserialize)]
pub(super) enum OutcomeRow<'a> {
    #[serde(borrow)]
    Applied(ReceiptRow<'a>),
    Replayed(ReceiptRow<'a>),
    Refused(#[serde(with = "RefusalRow")] Refusal),
}

impl<'a> OutcomeRow<'a> {
    pub(super) fn of(outcome: &'a Outcome) -> Self {
        match outcome {
            Outcome::Applied(receipt) => Self::Applied(ReceiptRow::of(receipt)),
            Outcome::Replayed(receipt) => Self::Replayed(ReceiptRow::of(receipt)),
            Outcome::Refused(refusal) => Self::Refused(*refusal),
        }
    }

    pub(super) fn outcome(self, boards: &mut Names<BoardId>) -> Option<Outcome> {
        Some(match self {
            Self::Applied(receipt) => Outcome::Applied(receipt.receipt(boards)?),
            Self::Replayed(receipt) => Outcome::Replayed(receipt.receipt(boards)?),
            Self::Refused(refusal) => Outcome::Refused(refusal),
        })
    }
}

/// A receipt, one for one.
#[derive(Serialize, Deserialize)]
pub(super) struct ReceiptRow<'a> {
    action_id: [u8; 16],
    board: &'a str,
    season: u32,
    user_id: [u8; 16],
    points: i64,
    previous_score: Option<i64>,
    score: i64,
    rank: Option<u64>,
    epoch: u64,
    version: u64,
    applied_at: i64,
    replayed: bool,
    is_shown: bool,
}

impl<'a> ReceiptRow<'a> {
    fn of(receipt: &'a Receipt) -> Self {
        Self {
            action_id: *receipt.action_id.as_bytes(),
            board: receipt.board.as_str(),
            season: receipt.season.get(),
            user_id: *receipt.user_id.as_bytes(),
            points: receipt.points.get(),
            previous_score: receipt.previous_score.map(Score::get),
            score: receipt.score.get(),
            rank: receipt.rank,
            epoch: receipt.epoch.get(),
            version: receipt.version.get(),
            applied_at: receipt.applied_at.as_millis(),
            replayed: receipt.replayed,
            is_shown: receipt.is_shown,
        }
    }

    fn receipt(self, boards: &mut Names<BoardId>) -> Option<Receipt> {
        let previous_score = match self.previous_score {
            Some(score) => Some(Score::new(score).ok()?),
            None => None,
        };
        Some(Receipt {
            action_id: ActionId::from_bytes(self.action_id),
            board: boards.get(self.board, BoardId::as_str, |text| BoardId::new(text).ok())?,
            season: Season::new(self.season),
            user_id: UserId::from_bytes(self.user_id),
            points: Points::new(self.points).ok()?,
            previous_score,
            score: Score::new(self.score).ok()?,
            rank: self.rank,
            epoch: Epoch::new(self.epoch),
            version: Version::new(self.version),
            applied_at: time(self.applied_at)?,
            replayed: self.replayed,
            is_shown: self.is_shown,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Refusal")]
enum RefusalRow {
    UnknownBoard,
    SeasonOver,
    ScoreOutOfRange,
    FingerprintMismatch,
    AboveCount,
    Banned,
    Correction,
    Archived,
    OverQuota(Duration),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ErrorKind")]
enum ErrorRow {
    Unavailable,
    Overloaded,
    Contended,
    OutcomeUnknown,
    Full,
    Corrupt,
    Refused,
}
