//! A client that watches over a WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::serving::Served;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Watcher(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Watcher {
    pub(crate) async fn connect(served: &Served) -> Self {
        let mut watcher = Self::try_connect(served, &[]).await.unwrap();
        let connected = watcher.next().await;
        assert_eq!((&connected["type"], &connected["heartbeatSeconds"]), (&json!("connected"), &json!(25)));
        assert!(connected["connectionId"].is_string());
        watcher
    }

    pub(crate) async fn try_connect(served: &Served, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = format!("ws://{}/api/scoreboard/ws", served.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        timeout(PATIENCE, connect_async(request)).await.unwrap().map(|(socket, _)| Self(socket))
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next JSON message; pings are answered on the way.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("a message comes").unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    /// Nothing comes, though the server answers what it was told to say.
    pub(crate) async fn assert_silent(&mut self, patience: Duration) {
        if let Ok(message) = timeout(patience, self.next()).await {
            panic!("unexpected: {message}");
        }
    }

    /// Whatever comes until the connection is closed, and the code.
    pub(crate) async fn closed(&mut self) -> (Vec<Value>, u16) {
        let mut messages = Vec::new();
        loop {
            match timeout(Duration::from_secs(20), self.0.next()).await.expect("the end comes") {
                Some(Ok(Message::Text(text))) => messages.push(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    return (messages, frame.map_or(0, |frame| CloseCode::into(frame.code)));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("broken: {error}"),
                None => return (messages, 0),
            }
        }
    }
}

/// A watcher's copy of a board, kept by what it is told.
#[derive(Default, Debug)]
pub(crate) struct Copy {
    pub(crate) rows: Vec<(u64, String, i64)>,
    pub(crate) version: u64,
}

impl Copy {
    pub(crate) fn apply(&mut self, message: &Value) {
        let row = |entry: &Value| {
            let user = entry["userId"].as_str().unwrap().to_owned();
            (entry["rank"].as_u64().unwrap(), user, entry["score"].as_i64().unwrap())
        };
        if message["type"] == "snapshot" {
            self.rows = message["entries"].as_array().unwrap().iter().map(row).collect();
        } else {
            assert_eq!((&message["type"], &message["from"]), (&json!("update"), &json!(self.version)));
            for change in message["changes"].as_array().unwrap() {
                let user = change["userId"].as_str().unwrap();
                self.rows.retain(|(_, held, _)| held != user);
                if change["op"] == "upsert" {
                    self.rows.push(row(change));
                }
            }
            self.rows.sort();
        }
        self.version = message["version"].as_u64().unwrap();
    }
}
