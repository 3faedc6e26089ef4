//! What is said over a live connection.

use std::fmt;

use scoreboard_core::{BoardId, Position, UserId};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::body::Object;
use crate::problem::Problem;

/// The longest message of a client, in bytes.
pub(crate) const MAX_MESSAGE: usize = 4 * 1024;

/// How many entries a watcher sees who does not say.
const DEFAULT_LIMIT: usize = 10;

/// What a client says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum ClientMessage {
    /// Watch a board; instead of before, if it is watched already.
    Subscribe {
        #[serde(default = "BoardId::main")]
        board: BoardId,
        /// What the client holds.
        #[serde(default, deserialize_with = "position")]
        since: Option<Position>,
        #[serde(default = "default_limit", deserialize_with = "limit")]
        limit: usize,
    },
    /// Watch a board no more.
    Unsubscribe {
        #[serde(default = "BoardId::main")]
        board: BoardId,
    },
    /// Answered by a pong.
    Ping {},
    /// Say who is here, for what only that user is told.
    Authenticate { ticket: Ticket },
}

/// The text of a ticket, which no log shows.
#[derive(PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Ticket(pub(crate) String);

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(…)")
    }
}

impl ClientMessage {
    /// Reads a message: one object, and nothing behind it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_MESSAGE {
            return None;
        }
        serde_json::from_str(text).ok().map(|Object(message)| message)
    }
}

const fn default_limit() -> usize {
    DEFAULT_LIMIT
}

fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let limit = usize::deserialize(deserializer)?;
    let allowed = (1..=100).contains(&limit);
    if allowed { Ok(limit) } else { Err(serde::de::Error::custom("must be a number from 1 to 100")) }
}

fn position<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Position>, D::Error> {
    Ok(Option::<Object<Position>>::deserialize(deserializer)?.map(|Object(position)| position))
}

/// What a server says besides what happens on boards.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub(crate) enum ServerMessage<'a> {
    /// The first message of a connection.
    Connected {
        /// Names the connection in the server's log.
        connection_id: &'a str,
        /// How long the server hears nothing before it asks for a sign of life.
        heartbeat_seconds: u64,
    },
    /// A ticket was good: the connection is this user's from now on.
    Authenticated {
        /// Who.
        user_id: UserId,
    },
    /// A message was refused, or a subscription has ended.
    Error {
        /// As in a problem.
        code: &'static str,
        /// What happened.
        detail: &'a str,
        /// Whose subscription it was, if it was one.
        #[serde(skip_serializing_if = "Option::is_none")]
        board: Option<&'a BoardId>,
    },
    /// The answer to a ping.
    Pong,
}

impl<'a> ServerMessage<'a> {
    pub(crate) fn error(problem: &'a Problem, board: Option<&'a BoardId>) -> Self {
        Self::Error { code: problem.code().as_str(), detail: problem.detail(), board }
    }
}

#[cfg(test)]
mod tests {
    use scoreboard_core::{Epoch, Version};

    use super::*;

    #[test]
    fn messages_are_read_strictly() {
        let since = Some(Position { epoch: Epoch::new(1), version: Version::new(2) });
        let board = BoardId::main();
        let subscribe = ClientMessage::Subscribe { board: board.clone(), since, limit: 5 };
        let text = r#"{"type":"subscribe","board":"main","since":{"epoch":1,"version":2},"limit":5}"#;
        assert_eq!(ClientMessage::read(text), Some(subscribe));
        assert_eq!(
            ClientMessage::read(r#"{"type":"subscribe"}"#),
            Some(ClientMessage::Subscribe { board: board.clone(), since: None, limit: 10 })
        );
        assert_eq!(
            ClientMessage::read(r#"{"board":"main","type":"unsubscribe"}"#),
            Some(ClientMessage::Unsubscribe { board })
        );
        assert_eq!(ClientMessage::read(r#"{"type":"ping"}"#), Some(ClientMessage::Ping {}));
        let authenticate = ClientMessage::read(r#"{"type":"authenticate","ticket":"secret"}"#).unwrap();
        assert_eq!(authenticate, ClientMessage::Authenticate { ticket: Ticket("secret".to_owned()) });
        assert!(!format!("{authenticate:?}").contains("secret"));
        for bad in [
            "",
            "null",
            "1",
            "[]",
            r#"["ping"]"#,
            r#"{"type":"ping"} x"#,
            r#"{"type":"ping","x":1}"#,
            r#"{"type":"ping","type":"ping"}"#,
            r#"{"type":"PING"}"#,
            r#"{"type":"dance"}"#,
            r#"{"type":1}"#,
            r#"{"board":"main"}"#,
            r#"{"type":"subscribe","board":"Not A Slug"}"#,
            r#"{"type":"subscribe","board":"main","board":"main"}"#,
            r#"{"type":"subscribe","limit":0}"#,
            r#"{"type":"subscribe","limit":101}"#,
            r#"{"type":"subscribe","limit":1.5}"#,
            r#"{"type":"subscribe","limit":"5"}"#,
            r#"{"type":"subscribe","since":[1,2]}"#,
            r#"{"type":"subscribe","since":{"epoch":1}}"#,
            r#"{"type":"subscribe","since":{"epoch":1,"version":-2}}"#,
            r#"{"type":"authenticate"}"#,
            r#"{"type":"authenticate","ticket":null}"#,
            r#"{"type":"authenticate","ticket":["secret"]}"#,
            r#"{"type":"authenticate","ticket":"secret","userId":"x"}"#,
            &format!("{{\"type\":\"ping\"{}}}", " ".repeat(MAX_MESSAGE)),
            &"[".repeat(4000),
        ] {
            assert_eq!(ClientMessage::read(bad), None, "{bad}");
        }
    }
}
