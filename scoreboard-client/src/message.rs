//! What is said over a live connection, in both directions.

use std::borrow::Cow;

use scoreboard_core::{BoardId, LiveEvent, LiveWindow, Position, UserId, WindowExtent, WindowKind};
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
        #[serde(flatten)]
        part: Part<'a>,
        /// What is held, to be told what was missed.
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<Position>,
    },
    Unsubscribe {
        board: &'a BoardId,
        #[serde(skip_serializing_if = "WindowKind::is_top")]
        window: WindowKind,
    },
    Ping {},
    Authenticate {
        ticket: &'a str,
    },
}

/// Which part of a board is meant. Of the top, messages say nothing but how much of it.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(crate) enum Part<'a> {
    Top { limit: usize },
    Around { window: WindowKind, user_id: UserId, radius: usize },
    Users { window: WindowKind, user_ids: &'a [UserId] },
}

impl<'a> From<&'a LiveWindow> for Part<'a> {
    fn from(part: &'a LiveWindow) -> Self {
        let window = part.kind();
        match part.extent() {
            WindowExtent::Top { limit } => Self::Top { limit: *limit },
            WindowExtent::Around { user, radius } => Self::Around { window, user_id: *user, radius: *radius },
            WindowExtent::Users(users) => Self::Users { window, user_ids: users },
        }
    }
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
    /// The answer to a ping.
    Pong,
    /// The ticket that was shown is good.
    Authenticated,
    /// For the connection's user alone.
    Private(Value),
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Refused {
    pub(crate) code: String,
    pub(crate) detail: String,
    #[serde(default)]
    pub(crate) board: Option<BoardId>,
    #[serde(default)]
    pub(crate) window: WindowKind,
}

impl Refused {
    /// Whether the same may be asked for again.
    pub(crate) fn passes(&self) -> bool {
        ["unavailable", "rate_limited", "internal"].contains(&self.code.as_str())
    }
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
            "pong" => Self::Pong,
            "authenticated" => Self::Authenticated,
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
        let nil = "00000000-0000-0000-0000-000000000000";
        let (top, around) = (LiveWindow::top(5), LiveWindow::around(UserId::MIN, 3));
        let users = LiveWindow::users([UserId::MIN]).expect("one");
        for (window, since, rest) in [
            (&top, None, r#""limit":5"#.to_owned()),
            (&top, since, r#""limit":5,"since":{"epoch":1,"version":2}"#.to_owned()),
            (&around, None, format!(r#""window":"around","userId":"{nil}","radius":3"#)),
            (&users, since, format!(r#""window":"users","userIds":["{nil}"],"since":{{"epoch":1,"version":2}}"#)),
        ] {
            let message = ClientMessage::Subscribe { board, part: window.into(), since };
            let text = format!(r#"{{"type":"subscribe","board":"main",{rest}}}"#);
            assert_eq!(serde_json::to_string(&message).expect("it is encoded"), text);
        }
        let [top, around] = [WindowKind::Top, WindowKind::Around];
        for (message, text) in [
            (ClientMessage::Unsubscribe { board, window: top }, r#"{"type":"unsubscribe","board":"main"}"#),
            (
                ClientMessage::Unsubscribe { board, window: around },
                r#"{"type":"unsubscribe","board":"main","window":"around"}"#,
            ),
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
        assert_eq!(ServerMessage::read(r#"{"type":"pong"}"#), Some(ServerMessage::Pong));
        for (bears, window) in [("", WindowKind::Top), (r#","window":"users""#, WindowKind::Users)] {
            let (code, detail, board) = ("not_found".to_owned(), "no".to_owned(), Some(BoardId::main()));
            let refused = Refused { code, detail, board, window };
            let text = format!(r#"{{"type":"error","code":"not_found","detail":"no","board":"main"{bears}}}"#);
            assert_eq!(ServerMessage::read(&text), Some(ServerMessage::Refused(refused)));
        }
        let overtaken = json!({"type": "overtaken", "by": "Ada"});
        assert_eq!(ServerMessage::read(&overtaken.to_string()), Some(ServerMessage::Private(overtaken)));
        let nonsense = format!("{}{}", r#"{"type":"later","x":"#, "[".repeat(10_000));
        for bad in ["", "1", "[]", "{}", r#"{"type":1}"#, r#"{"type":"update"}"#, r#"{"type":"error"}"#, &nonsense] {
            assert_eq!(ServerMessage::read(bad), None, "{bad}");
        }
    }
}
