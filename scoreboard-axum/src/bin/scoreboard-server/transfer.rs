//! The file that `export` writes and `import` reads: JSON Lines.
//!
//! A header; the boards; the users in the order of their ids, then their second factors in the same; the boards' logs, each in version order; a trailer with the
//! counts, so that a file that was cut off is noticed. The same data give the same file, byte for byte.
//!
//! Where moderators have decided anything, the decisions stand among the rows, in the order in which they were carried out: each behind all rows that
//! it is about, and before its corrections. Who reads them in this order carries them out again, and comes to the same corrections.

use scoreboard_core::accounts::{DisplayName, Email, PasswordHash, Role, User};
use scoreboard_core::{ActionId, BoardSpec, Epoch, Moderation, Season, Timestamp, UserId, Version};
use serde::{Deserialize, Serialize};

pub(crate) mod copy;
pub(crate) mod export;
mod factor_line;
pub(crate) mod import;
mod row_line;
mod tables;

use factor_line::FactorLine;
use row_line::{OriginWord, RowLine};

const FORMAT: &str = "scoreboard-export";
/// Changes alone: what each release reads.
const CHANGES: u32 = 1;
/// With decisions of moderators. A release that knew of none would count what is void.
const DECISIONS: u32 = 2;

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
enum Line {
    Header(Header),
    Board(BoardLine),
    User(UserLine),
    Factor(FactorLine),
    Row(RowLine),
    Decision(DecisionLine),
    End(Counts),
}

/// What a later format has in it is no reason not to say that it is one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

/// A decision of a moderator, and what came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DecisionLine {
    decision: Moderation,
    /// How many actions counted otherwise.
    changed: u64,
    /// How many rows the logs got.
    corrections: u64,
    /// Of a hold that reaches back to a version: what took it, so that it is the same one where this is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since_action: Option<ActionId>,
}

/// How many lines of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Counts {
    boards: u64,
    users: u64,
    /// Corrections too.
    rows: u64,
    #[serde(default, skip_serializing_if = "is_none")]
    decisions: u64,
}

const fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Header {
    fn new(users: bool, has_decisions: bool) -> Self {
        let version = if has_decisions { DECISIONS } else { CHANGES };
        Self { format: FORMAT.to_owned(), version, users }
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("is no export of a scoreboard, but `{}`", self.format));
        }
        if !(CHANGES..=DECISIONS).contains(&self.version) {
            return Err(format!(
                "is an export of format {}, this program knows {CHANGES} to {DECISIONS}: a newer release has written it",
                self.version
            ));
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

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { boards, users, rows, decisions } = self;
        write!(f, "{boards} boards, {users} users, {rows} changes")?;
        if *decisions > 0 { write!(f, ", {decisions} decisions") } else { Ok(()) }
    }
}
