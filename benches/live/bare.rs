//! What it is measured against: an axum handler that sends one text to all who are connected, each time it is told to. A process of its own,
//! as the server is.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use axum::routing::{any, post};
use axum::serve::ListenerExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, Receiver, error::RecvError};

use crate::support::server::free_address;
use crate::support::wait::until;

/// Makes this program be that server.
pub(crate) const ARGUMENT: &str = "bare-server";

/// How many texts wait for one who is slow; then he skips.
const WAITING: usize = 16;

/// The running process. Dropped, it is gone.
pub(crate) struct BareServer {
    address: SocketAddr,
    child: Child,
}

impl BareServer {
    /// Starts one behind this wrapper, that sends this text.
    pub(crate) async fn start(wrapper: &[&str; 3], text: &str) -> Self {
        let address = free_address();
        let own = std::env::current_exe().expect("a process knows its executable");
        let [program, words @ ..] = wrapper;
        let mut command = Command::new(program);
        command.args(words).arg(own).args([ARGUMENT, &address.to_string(), text]).stdin(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let server = Self { address, child };
        let connected = async || TcpStream::connect(address).await.ok();
        until("the bare server listens", Duration::from_secs(10), connected).await;
        server
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for BareServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until it is killed, on a runtime like the server's.
pub(crate) fn serve(address: SocketAddr, text: String) {
    let text = Utf8Bytes::from(text);
    let (sender, _) = broadcast::channel::<Utf8Bytes>(WAITING);
    let watched = sender.clone();
    let watch = async move |upgrade: WebSocketUpgrade| {
        let receiver = watched.subscribe();
        upgrade.on_upgrade(move |socket| watch(socket, receiver))
    };
    let tick = async move || {
        let _ = sender.send(text.clone());
    };
    let router = Router::new().route("/api/scoreboard/ws", any(watch)).route("/tick", post(tick));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await.expect("the address was free a moment ago");
        // As the server's: what is sent goes at once, and does not wait to be one packet with what is sent next.
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("TCP knows TCP_NODELAY"));
        axum::serve(listener, router).await.expect("it serves until it is killed");
    });
}

async fn watch(mut socket: WebSocket, mut texts: Receiver<Utf8Bytes>) {
    loop {
        tokio::select! {
            text = texts.recv() => match text {
                Ok(text) => if socket.send(Message::Text(text)).await.is_err() { return },
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            received = socket.recv() => if !matches!(received, Some(Ok(_))) { return },
        }
    }
}
