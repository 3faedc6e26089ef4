//! The file that `export` writes and `import` reads: JSON Lines.
//!
//! A header; the boards; the users in the order of their ids, then their second factors in the same; the boards' logs, each in version order; a trailer with the
//! counts, so that a file that was cut off is noticed. The same data give the same file, byte for byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scoreboard_core::accounts::{DisplayName, Email, PasswordHash, Role, User};
use scoreboard_core::{
    ActionId, BoardId, BoardSpec, Change, Epoch, Fingerprint, KindId, LogRow, Origin, Points, Position, Reached,
    RowDigest, Score, Season, Timestamp, UserId, Version, Visibility,
};
use serde::{Deserialize, Serialize};

pub(crate) mod copy;
pub(crate) mod export;
mod factor_line;
pub(crate) mod import;
mod tables;

use factor_line::FactorLine;

const FORMAT: &str = "scoreboard-export";
const VERSION: u32 = 1;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum Line {
    Header(Header),
    Board(BoardLine),
    User(UserLine),
    Factor(FactorLine),
    Row(RowLine),
    End(Counts),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    /// Whether it holds users.
    users: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BoardLine {
    spec: BoardSpec,
    season: Season,
    /// Up to which version its log is in the file.
    version: Version,
    /// In which epoch it was written: where it is read, a later one is to begin, or older answers would pass for newer ones.
    epoch: Epoch,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserLine {
    id: UserId,
    email: Email,
    display_name: DisplayName,
    roles: Vec<Role>,
    created_at: Timestamp,
    password: String,
}

/// A row of a log. What the user had before it follows from the rows before it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RowLine {
    board: BoardId,
    version: Version,
    id: ActionId,
    /// 16 bytes, base64.
    fingerprint: String,
    season: Season,
    user_id: UserId,
    kind: KindId,
    points: Points,
    origin: OriginWord,
    at: Timestamp,
    score: Score,
    /// Not there if a release has written it that knew of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<RowDigest>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OriginWord {
    Action,
    Record,
}

/// How many lines of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Counts {
    boards: u64,
    users: u64,
    rows: u64,
}

impl Header {
    fn new(users: bool) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, users }
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("is no export of a scoreboard, but `{}`", self.format));
        }
        if self.version != VERSION {
            return Err(format!("is an export of format {}, this program knows {VERSION}", self.version));
        }
        Ok(())
    }
}

impl UserLine {
    fn new(user: User, password: &PasswordHash) -> Self {
        let User { id, email, display_name, roles, created_at } = user;
        Self { id, email, display_name, roles, created_at, password: password.expose().to_owned() }
    }

    /// The account, if its password is a hash.
    fn into_account(self) -> Result<(User, PasswordHash), String> {
        let Self { id, email, display_name, mut roles, created_at, password } = self;
        let password = PasswordHash::from_foreign(&password).map_err(|error| format!("user {id}: {error}"))?;
        roles.push(Role::User);
        roles.sort_unstable();
        roles.dedup();
        Ok((User { id, email, display_name, roles, created_at }, password))
    }
}

impl RowLine {
    /// `None` for a correction, which no change makes again.
    fn new(board: &BoardId, row: &LogRow) -> Option<Self> {
        Some(Self {
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
                Origin::Correction => return None,
            },
            at: row.at,
            score: row.score,
            digest: row.digest,
        })
    }

    /// The row as it is in the log, behind what its user had before. Epochs are not in an export: they are of a store, and no digest is over them.
    fn to_log_row(&self, previous: Option<Reached>, change: &Change) -> LogRow {
        LogRow {
            position: Position { epoch: Epoch::default(), version: self.version },
            action_id: self.id,
            fingerprint: change.fingerprint,
            season: self.season,
            user_id: self.user_id,
            kind: self.kind.clone(),
            points: self.points,
            origin: change.origin,
            previous,
            score: self.score,
            at: self.at,
            corrected: None,
            visibility: Visibility::Shown,
            digest: self.digest,
        }
    }

    /// The change that makes this row again, or finds it.
    fn to_change(&self) -> Result<Change, String> {
        let fingerprint = STANDARD.decode(&self.fingerprint).ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
        Ok(Change {
            action_id: self.id,
            fingerprint: Fingerprint::from_bytes(fingerprint.ok_or("the fingerprint is not 16 bytes in base64")?),
            board: self.board.clone(),
            season: self.season,
            user_id: self.user_id,
            kind: self.kind.clone(),
            points: self.points,
            origin: match self.origin {
                OriginWord::Action => Origin::Action,
                OriginWord::Record => Origin::Record,
            },
            at: self.at,
            // It counted: whatever was asked of it then was true.
            at_most: None,
        })
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { boards, users, rows } = self;
        write!(f, "{boards} boards, {users} users, {rows} changes")
    }
}
