//! What is said over a live connection, in both directions.

use std::borrow::Cow;

use scoreboard_core::{BoardId, LiveEvent, Position};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The subprotocol that is spoken.
pub(crate) const PROTOCOL: &str = "scoreboard.v1";

/// What a client says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum ClientMessage<'a> {
    Subscribe {
        board: &'a BoardId,
        limit: usize,
        /// What is held, to be told what was missed.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<Position>,
    },
    Unsubscribe {
        board: &'a BoardId,
    },
    Ping {},
    Authenticate {
        ticket: &'a str,
    },
}

/// What a server says.
#[derive(Debug, PartialEq)]
pub(crate) enum ServerMessage {
    /// The first message of a connection.
    Connected { heartbeat_seconds: u64 },
    /// What happened on a board.
    Event(LiveEvent),
    /// A message was refused, or a subscription has ended.
    Refused(Refused),
    /// A sign of life, and no more.
    Alive,
    /// For the connection's user alone.
    Private(Value),
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Refused {
    pub(crate) code: String,
    pub(crate) detail: String,
    #[serde(default)]
    pub(crate) board: Option<BoardId>,
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connected {
    #[serde(default)]
    heartbeat_seconds: u64,
}

impl ServerMessage {
    /// Reads a message; `None` if it is none. What it does not know is a private message: the protocol may grow.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let Kind { kind } = serde_json::from_str(text).ok()?;
        Some(match &*kind {
            "snapshot" | "update" => Self::Event(serde_json::from_str(text).ok()?),
            "connected" => {
                let Connected { heartbeat_seconds } = serde_json::from_str(text).ok()?;
                Self::Connected { heartbeat_seconds }
            }
            "error" => Self::Refused(serde_json::from_str(text).ok()?),
            "pong" | "authenticated" => Self::Alive,
            _ => Self::Private(serde_json::from_str(text).ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use scoreboard_core::{Epoch, Version};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_asked_is_what_the_server_reads() {
        let board = &BoardId::main();
        let since = Some(Position { epoch: Epoch::new(1), version: Version::new(2) });
        for (message, text) in [
            (
                ClientMessage::Subscribe { board, limit: 5, since: None },
                r#"{"type":"subscribe","board":"main","limit":5}"#,
            ),
            (
                ClientMessage::Subscribe { board, limit: 5, since },
                r#"{"type":"subscribe","board":"main","limit":5,"since":{"epoch":1,"version":2}}"#,
            ),
            (ClientMessage::Unsubscribe { board }, r#"{"type":"unsubscribe","board":"main"}"#),
            (ClientMessage::Ping {}, r#"{"type":"ping"}"#),
            (ClientMessage::Authenticate { ticket: "t" }, r#"{"type":"authenticate","ticket":"t"}"#),
        ] {
            assert_eq!(serde_json::to_string(&message).expect("it is encoded"), text);
        }
    }

    #[test]
    fn what_the_server_says_is_told_apart() {
        let connected = r#"{"type":"connected","connectionId":"x","heartbeatSeconds":25,"later":{}}"#;
        assert_eq!(ServerMessage::read(connected), Some(ServerMessage::Connected { heartbeat_seconds: 25 }));
        assert_eq!(ServerMessage::read(r#"{"type":"pong"}"#), Some(ServerMessage::Alive));
        let refused = Refused { code: "not_found".to_owned(), detail: "no".to_owned(), board: Some(BoardId::main()) };
        let text = r#"{"type":"error","code":"not_found","detail":"no","board":"main"}"#;
        assert_eq!(ServerMessage::read(text), Some(ServerMessage::Refused(refused)));
        let overtaken = json!({"type": "overtaken", "by": "Ada"});
        assert_eq!(ServerMessage::read(&overtaken.to_string()), Some(ServerMessage::Private(overtaken)));
        let nonsense = format!("{}{}", r#"{"type":"later","x":"#, "[".repeat(10_000));
        for bad in ["", "1", "[]", "{}", r#"{"type":1}"#, r#"{"type":"update"}"#, r#"{"type":"error"}"#, &nonsense] {
            assert_eq!(ServerMessage::read(bad), None, "{bad}");
        }
    }
}
