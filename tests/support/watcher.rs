//! One who watches the board `main` over a WebSocket, and checks that nothing is missing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a watcher holds, and when it was told what.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) epoch: u64,
    pub(crate) version: u64,
    /// Score and rank by user.
    pub(crate) rows: BTreeMap<String, (u64, i64)>,
    pub(crate) told: Vec<(u64, Instant)>,
    pub(crate) snapshots: usize,
}

impl Held {
    /// Takes in a `snapshot`, or an `update` that must join on.
    pub(crate) fn apply(&mut self, message: &Value) {
        let number = |name: &str| message[name].as_u64().expect("a number");
        let row = |entry: &Value| {
            let user = entry["userId"].as_str().expect("a user").to_owned();
            (user, (entry["rank"].as_u64().expect("a rank"), entry["score"].as_i64().expect("a score")))
        };
        match message["type"].as_str().expect("a type") {
            "snapshot" => {
                self.rows = message["entries"].as_array().expect("entries").iter().map(row).collect();
                self.snapshots += 1;
            }
            "update" => {
                assert_eq!((number("epoch"), number("from")), (self.epoch, self.version), "a gap: {message}");
                for change in message["changes"].as_array().expect("changes") {
                    let user = change["userId"].as_str().expect("a user");
                    let before = self.rows.remove(user).map(|(rank, _)| rank);
                    assert_eq!(before, change["previousRank"].as_u64(), "{message}");
                    if change["op"] == "upsert" {
                        self.rows.extend([row(change)]);
                    }
                }
            }
            other => panic!("{other}: {message}"),
        }
        (self.epoch, self.version) = (number("epoch"), number("version"));
        self.told.push((self.version, Instant::now()));
    }
}

/// Opens a connection and watches `main`, from what is held on.
pub(crate) async fn try_open(address: SocketAddr, held: &Held) -> Result<Socket, tungstenite::Error> {
    try_watch(address, held, json!({ "type": "subscribe", "board": "main" })).await
}

/// The same, of what this message asks for.
pub(crate) async fn try_watch(
    address: SocketAddr,
    held: &Held,
    mut subscribe: Value,
) -> Result<Socket, tungstenite::Error> {
    let (mut socket, _) = connect_async(format!("ws://{address}/api/scoreboard/ws")).await?;
    if held.snapshots > 0 {
        subscribe["since"] = json!({ "epoch": held.epoch, "version": held.version });
    }
    socket.send(Message::text(subscribe.to_string())).await?;
    Ok(socket)
}

/// The same, where nothing stands in the way.
pub(crate) async fn open(address: SocketAddr, held: &Held) -> Socket {
    timeout(PATIENCE, try_open(address, held)).await.expect("in time").expect("it is let in")
}
