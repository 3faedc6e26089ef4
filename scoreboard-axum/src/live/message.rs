//! What is said over a live connection.

use std::fmt;

use scoreboard_core::{BoardId, LiveWindow, Position, UserId, WindowKind};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::body::Object;
use crate::problem::Problem;

/// The longest message of a client, in bytes: room for a list of a hundred users, of 39 bytes each.
pub(crate) const MAX_MESSAGE: usize = 8 * 1024;

/// How many entries a watcher sees who does not say.
pub(crate) const DEFAULT_LIMIT: usize = 10;

/// How many entries a watcher sees on each side of a user who does not say.
pub(crate) const DEFAULT_RADIUS: usize = 5;

/// What a client says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum ClientMessage {
    /// Watch a part of a board; instead of before, if a part of that kind is watched already.
    Subscribe(Subscribe),
    /// Watch a part of a board no more.
    Unsubscribe {
        #[serde(default = "BoardId::main")]
        board: BoardId,
        #[serde(default)]
        window: WindowKind,
    },
    /// Answered by a pong.
    Ping {},
    /// Say who is here, for what only that user is told.
    Authenticate { ticket: Ticket },
}

/// What is to be watched.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "SubscribeFields")]
pub(crate) struct Subscribe {
    pub(crate) board: BoardId,
    pub(crate) window: LiveWindow,
    /// What the client holds.
    pub(crate) since: Option<Position>,
}

/// The same as it is said: which fields there are depends on the window.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SubscribeFields {
    #[serde(default = "BoardId::main")]
    board: BoardId,
    #[serde(default)]
    window: WindowKind,
    #[serde(default, deserialize_with = "position")]
    since: Option<Position>,
    #[serde(default, deserialize_with = "said")]
    limit: Option<usize>,
    #[serde(default, deserialize_with = "said")]
    user_id: Option<UserId>,
    #[serde(default, deserialize_with = "said")]
    radius: Option<usize>,
    #[serde(default, deserialize_with = "said")]
    user_ids: Option<Vec<UserId>>,
}

impl TryFrom<SubscribeFields> for Subscribe {
    type Error = &'static str;

    fn try_from(fields: SubscribeFields) -> Result<Self, Self::Error> {
        let SubscribeFields { board, window, since, limit, user_id, radius, user_ids } = fields;
        let window = match (window, limit, user_id, radius, user_ids) {
            (WindowKind::Top, limit, None, None, None) => {
                let limit = limit.unwrap_or(DEFAULT_LIMIT);
                (1..=100).contains(&limit).then(|| LiveWindow::top(limit))
            }
            (WindowKind::Around, None, Some(user), radius, None) => {
                let radius = radius.unwrap_or(DEFAULT_RADIUS);
                (1..=50).contains(&radius).then(|| LiveWindow::around(user, radius))
            }
            (WindowKind::Users, None, None, None, Some(users)) if users.len() <= LiveWindow::MAX_USERS => {
                LiveWindow::users(users).ok()
            }
            _ => None,
        };
        let window = window.ok_or("the window, or a field that belongs to it, is missing, foreign or out of bounds")?;
        Ok(Self { board, window, since })
    }
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

/// What is there is a value: `null` is none.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
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
        /// Which window of that board; absent where it is the top.
        #[serde(skip_serializing_if = "WindowKind::is_top")]
        window: WindowKind,
    },
    /// The answer to a ping.
    Pong,
}

impl<'a> ServerMessage<'a> {
    pub(crate) fn error(problem: &'a Problem) -> Self {
        Self::Error { code: problem.code().as_str(), detail: problem.detail(), board: None, window: WindowKind::Top }
    }

    pub(crate) fn error_of(problem: &'a Problem, board: &'a BoardId, window: WindowKind) -> Self {
        Self::Error { code: problem.code().as_str(), detail: problem.detail(), board: Some(board), window }
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
        let subscribe =
            |window, since| Some(ClientMessage::Subscribe(Subscribe { board: board.clone(), window, since }));
        let text = r#"{"type":"subscribe","board":"main","since":{"epoch":1,"version":2},"limit":5}"#;
        assert_eq!(ClientMessage::read(text), subscribe(LiveWindow::top(5), since));
        let (ada, bob) = (UserId::for_name("test", "ada"), UserId::for_name("test", "bob"));
        let list = LiveWindow::users([ada, bob]).unwrap();
        for (rest, window) in [
            (String::new(), LiveWindow::top(10)),
            (r#","window":"top","limit":100"#.to_owned(), LiveWindow::top(100)),
            (format!(r#","window":"around","userId":"{ada}""#), LiveWindow::around(ada, 5)),
            (format!(r#","radius":50,"userId":"{ada}","window":"around""#), LiveWindow::around(ada, 50)),
            (format!(r#","window":"users","userIds":["{bob}","{ada}"]"#), list),
        ] {
            let text = format!(r#"{{"type":"subscribe"{rest}}}"#);
            assert_eq!(ClientMessage::read(&text), subscribe(window, None), "{text}");
        }
        for (text, window) in [
            (r#"{"board":"main","type":"unsubscribe"}"#, WindowKind::Top),
            (r#"{"type":"unsubscribe","window":"around"}"#, WindowKind::Around),
        ] {
            assert_eq!(ClientMessage::read(text), Some(ClientMessage::Unsubscribe { board: board.clone(), window }));
        }
        assert_eq!(ClientMessage::read(r#"{"type":"ping"}"#), Some(ClientMessage::Ping {}));
        let authenticate = ClientMessage::read(r#"{"type":"authenticate","ticket":"secret"}"#).unwrap();
        assert_eq!(authenticate, ClientMessage::Authenticate { ticket: Ticket("secret".to_owned()) });
        assert!(!format!("{authenticate:?}").contains("secret"));
        let list = |users: usize| format!("[{}]", vec![format!("\"{ada}\""); users].join(","));
        let longest = format!(r#"{{"type":"subscribe","window":"users","userIds":{}}}"#, list(100));
        assert!(ClientMessage::read(&longest).is_some());
        for rest in [
            format!(r#""userId":"{ada}""#),
            format!(r#""userIds":["{ada}"]"#),
            r#""radius":5"#.to_owned(),
            r#""limit":null"#.to_owned(),
            r#""window":"middle""#.to_owned(),
            r#""window":null"#.to_owned(),
            r#""window":"around""#.to_owned(),
            r#""window":"around","userId":null"#.to_owned(),
            r#""window":"around","userId":"ada""#.to_owned(),
            format!(r#""window":"around","userId":"{ada}","userId":"{ada}""#),
            format!(r#""window":"around","userId":"{ada}","limit":5"#),
            format!(r#""window":"around","userId":"{ada}","radius":0"#),
            format!(r#""window":"around","userId":"{ada}","radius":51"#),
            r#""window":"users""#.to_owned(),
            r#""window":"users","userIds":[]"#.to_owned(),
            format!(r#""window":"users","userIds":{},"radius":5"#, list(2)),
            format!(r#""window":"users","userIds":{}"#, list(101)),
        ] {
            let text = format!(r#"{{"type":"subscribe",{rest}}}"#);
            assert_eq!(ClientMessage::read(&text), None, "{text}");
        }
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
