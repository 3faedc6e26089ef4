//! The lines of an archive: those of an export, and what a row needs to be understood without the rows before it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scoreboard_core::{
    ActionId, BoardId, Epoch, KindId, LogRow, Origin, Points, Reached, Score, Season, Timestamp, UserId, Version,
    Visibility,
};
use serde::Serialize;

use crate::error::Failure;

const FORMAT: &str = "scoreboard-archive";
const VERSION: u32 = 1;

/// One line.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Line<'a> {
    Header {
        format: &'static str,
        version: u32,
        part: u64,
        until: Timestamp,
    },
    Row {
        board: &'a BoardId,
        epoch: Epoch,
        version: Version,
        id: ActionId,
        /// 16 bytes, base64.
        fingerprint: String,
        season: Season,
        user_id: UserId,
        kind: &'a KindId,
        points: Points,
        origin: Origin,
        at: Timestamp,
        previous: Option<Previous>,
        score: Score,
        /// Only where others are not shown it.
        #[serde(skip_serializing_if = "Option::is_none")]
        visibility: Option<Visibility>,
    },
    End {
        rows: u64,
        /// The highest version of each board.
        boards: &'a BTreeMap<BoardId, Version>,
    },
}

/// What a user had before a row.
#[derive(Serialize)]
pub(super) struct Previous {
    score: Score,
    version: Version,
    at: Timestamp,
}

impl<'a> Line<'a> {
    pub(super) const fn header(part: u64, until: Timestamp) -> Self {
        Self::Header { format: FORMAT, version: VERSION, part, until }
    }

    pub(super) fn row(board: &'a BoardId, row: &'a LogRow) -> Self {
        Self::Row {
            board,
            epoch: row.position.epoch,
            version: row.position.version,
            id: row.action_id,
            fingerprint: STANDARD.encode(row.fingerprint.as_bytes()),
            season: row.season,
            user_id: row.user_id,
            kind: &row.kind,
            points: row.points,
            origin: row.origin,
            at: row.at,
            previous: row.previous.map(|Reached { score, version, at }| Previous { score, version, at }),
            score: row.score,
            visibility: (row.visibility != Visibility::Shown).then_some(row.visibility),
        }
    }

    /// Appends it, with its end. The same line is the same bytes.
    pub(super) fn append_to(&self, text: &mut Vec<u8>) -> Result<(), Failure> {
        serde_json::to_writer(&mut *text, self).map_err(Failure::stored)?;
        text.push(b'\n');
        Ok(())
    }
}
