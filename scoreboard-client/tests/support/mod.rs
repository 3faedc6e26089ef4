//! A server that says what a test tells it to, and hears what the client says.
#![allow(dead_code, reason = "each test uses its own part")]

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use scoreboard_client::{ClientConfig, Event, Moved, State, Subscription};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A client that comes back within moments.
pub(crate) fn hasty() -> ClientConfig {
    let moment = Duration::from_millis(20);
    ClientConfig { first_wait: moment, longest_wait: moment, restart_spread: moment, ..ClientConfig::default() }
}

pub(crate) struct Server(TcpListener);

/// One connection of a client.
pub(crate) struct Peer<S = TcpStream>(WebSocketStream<S>);

impl Server {
    pub(crate) async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.expect("a port is free"))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("it is bound")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        timeout(PATIENCE, self.0.accept()).await.expect("somebody connects").expect("it is accepted").0
    }

    /// The next connection, greeted.
    pub(crate) async fn accept(&self) -> Peer {
        let mut peer = Peer::of(self.tcp().await).await;
        peer.says(json!({"type": "connected", "connectionId": "x", "heartbeatSeconds": 25})).await;
        peer
    }

    /// Whether nobody connects for as long as a hasty client would not wait.
    pub(crate) async fn is_left_alone(&self) -> bool {
        timeout(Duration::from_millis(300), self.0.accept()).await.is_err()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) async fn of(stream: S) -> Self {
        #[expect(clippy::result_large_err, reason = "the library's")]
        let take = |request: &Request, mut response: Response| {
            let asked = request.headers()["sec-websocket-protocol"].clone();
            assert_eq!((asked.as_bytes(), request.uri().path()), (&b"scoreboard.v1"[..], "/api/scoreboard/ws"));
            response.headers_mut().insert("sec-websocket-protocol", asked);
            Ok(response)
        };
        Self(accept_hdr_async(stream, take).await.expect("a WebSocket is opened"))
    }

    /// What the client says next, besides pings; `None` once it has closed.
    pub(crate) async fn hears(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("the client says something") {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).expect("JSON");
                    if message["type"] != "ping" {
                        return Some(message);
                    }
                    self.says(json!({"type": "pong"})).await;
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// What the client says next, whatever it is; a ping waits for its answer.
    pub(crate) async fn hears_unanswered(&mut self) -> Value {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("the client says something") {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next subscription must be this one.
    pub(crate) async fn hears_subscribe(&mut self, board: &str, since: Option<u64>) {
        let heard = self.hears().await.expect("it is there");
        let since = since.map(|version| json!({"epoch": 1, "version": version}));
        let asked = (heard["type"].as_str(), heard["board"].as_str(), heard.get("since"));
        assert_eq!(asked, (Some("subscribe"), Some(board), since.as_ref()), "{heard}");
    }

    pub(crate) async fn says(&mut self, message: Value) {
        // A client that is gone hears nothing; what it then misses, the test finds.
        let _ = self.0.send(Message::text(message.to_string())).await;
    }

    pub(crate) async fn closes(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::from_static(reason) };
        self.0.close(Some(frame)).await.expect("it is told");
        while let Ok(Some(Ok(_))) = timeout(PATIENCE, self.0.next()).await {}
    }
}

/// A user of this number, whose id nobody has to know.
pub(crate) fn user(number: u8) -> String {
    format!("00000000-0000-8000-8000-0000000000{number:02}")
}

/// The whole board: these users, the first with 100 points.
pub(crate) fn snapshot(board: &str, version: u64, users: &[u8]) -> Value {
    let entries: Vec<_> = users
        .iter()
        .zip(1..)
        .map(|(&number, rank)| {
            json!({"rank": rank, "userId": user(number), "displayName": null, "score": 101 - rank, "updatedAt": "2026-01-01T00:00:00.000Z"})
        })
        .collect();
    json!({"type": "snapshot", "board": board, "season": 1, "epoch": 1, "version": version, "total": users.len(), "entries": entries})
}

/// The leader has one point more than 100 for each version.
pub(crate) fn update(board: &str, from: u64, version: u64, leader: u8, total: usize) -> Value {
    let change = json!({"op": "upsert", "rank": 1, "previousRank": 1, "userId": user(leader), "displayName": null, "score": 100 + version});
    json!({"type": "update", "board": board, "season": 1, "epoch": 1, "from": from, "version": version, "total": total, "changes": [change]})
}

pub(crate) async fn next(subscription: &mut Subscription) -> Option<Event> {
    timeout(PATIENCE, subscription.next()).await.expect("something happens")
}

/// The next view.
pub(crate) async fn moved(subscription: &mut Subscription) -> Moved {
    loop {
        match next(subscription).await.expect("it goes on") {
            Event::Moved(moved) => return moved,
            Event::State(_) => {}
        }
    }
}

/// The next state of this kind.
pub(crate) async fn state(subscription: &mut Subscription, wanted: impl Fn(&State) -> bool) -> State {
    loop {
        match next(subscription).await.expect("it goes on") {
            Event::State(state) if wanted(&state) => return state,
            _ => {}
        }
    }
}
