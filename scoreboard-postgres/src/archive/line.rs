//! The lines of an archive: those of an export, and what a row needs to be understood without the rows before it; written, and read again.

use std::collections::BTreeMap;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scoreboard_core::{
    ActionId, BoardId, Epoch, Fingerprint, KindId, LogRow, Origin, Points, Position, Reached, RowDigest, Score, Season,
    Timestamp, UserId, Version, Visibility,
};
use serde::{Deserialize, Serialize};

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
        #[serde(skip_serializing_if = "Option::is_none")]
        digest: Option<RowDigest>,
    },
    End {
        rows: u64,
        /// The highest version of each board.
        boards: &'a BTreeMap<BoardId, Version>,
    },
}

/// What a user had before a row.
#[derive(Serialize, Deserialize)]
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
            digest: row.digest,
        }
    }

    /// Appends it, with its end. The same line is the same bytes.
    pub(super) fn append_to(&self, text: &mut Vec<u8>) -> Result<(), Failure> {
        serde_json::to_writer(&mut *text, self).map_err(Failure::stored)?;
        text.push(b'\n');
        Ok(())
    }
}

/// The same lines, as they are read again.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Found {
    Header {},
    Row(Box<FoundRow>),
    End {},
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundRow {
    board: BoardId,
    epoch: Epoch,
    version: Version,
    id: ActionId,
    fingerprint: String,
    season: Season,
    user_id: UserId,
    kind: KindId,
    points: Points,
    origin: Origin,
    at: Timestamp,
    previous: Option<Previous>,
    score: Score,
    visibility: Option<Visibility>,
    digest: Option<RowDigest>,
}

/// The row of a line, and its board; `None` of a header and a trailer.
pub(super) fn read(text: &[u8]) -> io::Result<Option<(BoardId, LogRow)>> {
    let row = match serde_json::from_slice(text)? {
        Found::Row(row) => row,
        Found::Header {} | Found::End {} => return Ok(None),
    };
    let fingerprint = STANDARD.decode(&row.fingerprint).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    let fingerprint = fingerprint.ok_or_else(|| io::Error::other("a fingerprint is not 16 bytes in base64"))?;
    let log_row = LogRow {
        position: Position { epoch: row.epoch, version: row.version },
        action_id: row.id,
        fingerprint: Fingerprint::from_bytes(fingerprint),
        season: row.season,
        user_id: row.user_id,
        kind: row.kind,
        points: row.points,
        origin: row.origin,
        previous: row.previous.map(|Previous { score, version, at }| Reached { score, version, at }),
        score: row.score,
        at: row.at,
        // An archive has no corrections.
        corrected: None,
        visibility: row.visibility.unwrap_or_default(),
        digest: row.digest,
    };
    Ok(Some((row.board, log_row)))
}
