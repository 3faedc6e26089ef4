//! Every key and channel, with what it holds and how long it lives. Nothing else in this crate writes a name.
//!
//! | name | holds | lives |
//! | --- | --- | --- |
//! | `{ns}:limit:{subject}:policy:log` | a sorted set: the times of what was admitted | until nothing in it counts, and the slack |
//! | `{ns}:limit:{subject}:policy:gcra` | a string: when the bucket is full again | the same |
//! | `{ns}:outstanding:{user}` | a sorted set: the actions that a user has under way, by when they are over | until the last is over, at most [`ACTION`] |
//! | `{ns}:once:{name}` | a string, signed: what one node takes, as a ticket | until it is taken, at most as long as it is good |
//! | `{ns}:check` | nothing: it is asked for, to see whether Redis answers | |
//! | `{ns}:cache:{store}:{board}:floor` | a string: the position below which answers are old | [`FLOOR`] from its last raise |
//! | `{ns}:cache:{store}:{board}:view:…` | a string: an encoded answer | its lifetime, at most [`MAX_ANSWER`], ± a tenth |
//! | `{ns}:cache:{store}:{board}:lease:…` | a string: somebody loads this answer | until it is put, or as long as others wait for it |
//! | `{ns}:live:{store}:{board}:last` | a string: the newest position that was announced | [`LAST`] from its announcement |
//! | `{ns}:live:{store}` | a channel: the announcements of all the store's boards | |
//! | `{ns}:peers:{store}` | a channel: what one node says to all others of its store | |
//! | `{ns}:peer:name` | a channel: what others say to the node of this name | |
//!
//! The part in braces that is a board, a subject, a user or a name stands in braces in the name too. It is the hash tag of a cluster: all keys of
//! one board, of one subject, or of one user, lie in one slot, and a script that names several of them touches one node.
//!
//! What is told of boards is told under the name of their store: a database that took the place of another, and one that is beside it, have boards of
//! the same names, and versions that say nothing of each other.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use scoreboard_core::{BoardId, InvalidValue, UserId};
use sha2::{Digest, Sha256};

/// How long a floor outlives its last raise. A floor is a tombstone: while an answer from before it may still be kept or on its way, it
/// has to be there. So it is longer than [`MAX_ANSWER`] and a tenth, and a minute for what is on its way.
pub(crate) const FLOOR: Duration = Duration::from_secs(600);

/// The longest life of an answer.
pub(crate) const MAX_ANSWER: Duration = Duration::from_secs(300);

/// The longest life of an action, a day, and so of what is kept of it.
pub(crate) const ACTION: Duration = Duration::from_secs(86_400);

/// How long the newest announced position is remembered: far longer than a node may be cut off and still count as one that watches.
pub(crate) const LAST: Duration = Duration::from_secs(3600);

/// The first part of every name: letters, digits, `-`, `_` and `.`, from 1 to 64 of them.
///
/// ```
/// use scoreboard_redis::Namespace;
/// assert!("game-1".parse::<Namespace>().is_ok());
/// assert!("{game}".parse::<Namespace>().is_err(), "braces would be taken for a hash tag");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(String);

impl Default for Namespace {
    fn default() -> Self {
        Self("scoreboard".to_owned())
    }
}

impl FromStr for Namespace {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidValue::new("Redis namespace", "must be 1 to 64 letters, digits, `-`, `_` or `.`"))
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Namespace {
    /// The sliding log of a subject that was [shortened](short).
    pub(crate) fn log(&self, subject: &str, policy: &str) -> String {
        format!("{self}:limit:{{{subject}}}:{policy}:log")
    }

    /// The bucket of a subject that was [shortened](short).
    pub(crate) fn bucket(&self, subject: &str, policy: &str) -> String {
        format!("{self}:limit:{{{subject}}}:{policy}:gcra")
    }

    pub(crate) fn outstanding(&self, user: UserId) -> String {
        format!("{self}:outstanding:{{{user}}}")
    }

    /// What may be taken once. Each is a secret's hash.
    pub(crate) fn one_time(&self, name: &[u8; 32]) -> String {
        format!("{self}:once:{{{}}}", hex::encode(name))
    }

    /// What is asked for, to see whether Redis answers.
    pub(crate) fn check(&self) -> String {
        format!("{self}:check")
    }

    /// Of the boards of one store.
    pub(crate) fn boards_of(&self, store: &str) -> BoardNames {
        let store = short(store);
        BoardNames { cache: format!("{self}:cache:{store}"), live: format!("{self}:live:{store}") }
    }

    /// Of the nodes on a store that was [shortened](short).
    pub(crate) fn peers(&self, store: &str) -> String {
        format!("{self}:peers:{store}")
    }

    pub(crate) fn peer(&self, name: &str) -> String {
        format!("{self}:peer:{name}")
    }
}

/// The names of what is told of one store's boards.
#[derive(Debug, Clone)]
pub(crate) struct BoardNames {
    cache: String,
    live: String,
}

impl BoardNames {
    pub(crate) fn floor(&self, board: &BoardId) -> String {
        format!("{}:{{{board}}}:floor", self.cache)
    }

    pub(crate) fn answer(&self, board: &BoardId, view: &str) -> String {
        format!("{}:{{{board}}}:view:{}", self.cache, short(view))
    }

    pub(crate) fn lease(&self, board: &BoardId, view: &str) -> String {
        format!("{}:{{{board}}}:lease:{}", self.cache, short(view))
    }

    pub(crate) fn last(&self, board: &BoardId) -> String {
        format!("{}:{{{board}}}:last", self.live)
    }

    pub(crate) fn channel(&self) -> &str {
        &self.live
    }
}

/// A store, a subject or a view as it stands in a key: short and plain ones as they are, all others by a hash. So a key is short whatever comes, holds one pair of
/// braces, and never an empty one, which would be no hash tag.
pub(crate) fn short(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}' | b'#');
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("#{}", hex::encode(&Sha256::digest(text)[..16]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_apart_and_short() {
        let long = "a".repeat(1000);
        let all = ["a", "A", "", " ", "a ", "{", "}", "{a}", "#", "ä", &long, &long[1..], "2001:db8::/64"];
        let encoded: std::collections::BTreeSet<String> = all.iter().map(|name| short(name)).collect();
        assert_eq!(encoded.len(), all.len());
        for name in encoded {
            assert!((1..=64).contains(&name.len()) && !name.contains(['{', '}']), "{name}");
        }
        // What looks like a hash is hashed itself.
        assert_ne!(short(&short("")), short(""));
    }

    #[test]
    fn a_floor_outlives_every_answer() {
        assert!(FLOOR >= MAX_ANSWER.mul_f64(1.1) + Duration::from_secs(60));
    }

    #[test]
    fn a_name_has_one_hash_tag() {
        let namespace: Namespace = "n".parse().unwrap();
        let board: BoardId = "main".parse().unwrap();
        let names = namespace.boards_of("{the} store");
        for name in [names.floor(&board), names.answer(&board, "top/{x}"), names.lease(&board, ""), names.last(&board)]
        {
            let tag = name.split_once('{').and_then(|(_, rest)| rest.split_once('}')).unwrap().0;
            assert_eq!(tag, "main", "{name}");
        }
    }

    #[test]
    fn what_would_break_a_name_is_no_namespace() {
        for bad in ["", "a:b", "{a}", "a b", "ä", &"a".repeat(65)] {
            assert!(bad.parse::<Namespace>().is_err(), "{bad}");
        }
    }
}
