//! A row of a log as a line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scoreboard_core::{
    ActionId, BoardId, Change, Epoch, Fingerprint, KindId, LogRow, Origin, Points, Position, Reached, RowDigest, Score,
    Season, Timestamp, UserId, Version, Visibility,
};
use serde::{Deserialize, Serialize};

/// A row of a log. What the user had before it follows from the rows before it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RowLine {
    pub(super) board: BoardId,
    pub(super) version: Version,
    pub(super) id: ActionId,
    /// 16 bytes, base64.
    pub(super) fingerprint: String,
    pub(super) season: Season,
    pub(super) user_id: UserId,
    pub(super) kind: KindId,
    pub(super) points: Points,
    pub(super) origin: OriginWord,
    pub(super) at: Timestamp,
    pub(super) score: Score,
    /// Of a correction that leaves a score: when it was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reached: Option<ReachedLine>,
    /// What others are shown from here on; not there where it is all.
    #[serde(default, skip_serializing_if = "is_shown")]
    pub(super) visibility: Visibility,
    /// Not there if a release has written it that knew of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<RowDigest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OriginWord {
    Action,
    Record,
    Correction,
}

/// When a score was reached.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReachedLine {
    version: Version,
    at: Timestamp,
}

fn is_shown(visibility: &Visibility) -> bool {
    *visibility == Visibility::Shown
}

impl OriginWord {
    const fn origin(self) -> Origin {
        match self {
            Self::Action => Origin::Action,
            Self::Record => Origin::Record,
            Self::Correction => Origin::Correction,
        }
    }
}

impl RowLine {
    pub(super) fn new(board: &BoardId, row: &LogRow) -> Self {
        Self {
            board: board.clone(),
            version: row.position.version,
            id: row.action_id,
            fingerprint: STANDARD.encode(row.fingerprint.as_bytes()),
            season: row.season,
            user_id: row.user_id,
            kind: row.kind.clone(),
            points: row.points,
            origin: match row.origin {
                Origin::Action => OriginWord::Action,
                Origin::Record => OriginWord::Record,
                Origin::Correction => OriginWord::Correction,
            },
            at: row.at,
            score: row.score,
            reached: row.corrected.map(|Reached { version, at, .. }| ReachedLine { version, at }),
            visibility: row.visibility,
            digest: row.digest,
        }
    }

    /// Whether a decision made it, and no change.
    pub(super) fn is_correction(&self) -> bool {
        self.origin == OriginWord::Correction
    }

    /// The row as it is in the log, behind what its user had before. Epochs are not in an export: they are of a store, and no digest is over them.
    pub(super) fn to_log_row(&self, previous: Option<Reached>) -> Result<LogRow, String> {
        if self.reached.is_some() && !self.is_correction() {
            return Err("is no correction, but says when its score was reached".to_owned());
        }
        let corrected = self.reached.map(|ReachedLine { version, at }| Reached { score: self.score, version, at });
        Ok(LogRow {
            position: Position { epoch: Epoch::default(), version: self.version },
            action_id: self.id,
            fingerprint: self.fingerprint()?,
            season: self.season,
            user_id: self.user_id,
            kind: self.kind.clone(),
            points: self.points,
            origin: self.origin.origin(),
            previous,
            score: self.score,
            at: self.at,
            corrected,
            visibility: self.visibility,
            digest: self.digest,
        })
    }

    /// The change that makes this row again, or finds it; none makes a correction.
    pub(super) fn to_change(&self) -> Result<Change, String> {
        Ok(Change {
            action_id: self.id,
            fingerprint: self.fingerprint()?,
            board: self.board.clone(),
            season: self.season,
            user_id: self.user_id,
            kind: self.kind.clone(),
            points: self.points,
            origin: self.origin.origin(),
            at: self.at,
            // It counted: whatever was asked of it then was true.
            at_most: None,
            admitted: None,
        })
    }

    fn fingerprint(&self) -> Result<Fingerprint, String> {
        let bytes = STANDARD.decode(&self.fingerprint).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        bytes.map(Fingerprint::from_bytes).ok_or_else(|| "the fingerprint is not 16 bytes in base64".to_owned())
    }
}
