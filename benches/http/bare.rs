//! What it is measured against: an axum handler that decodes the same body and does nothing. A process of its own, as the
//! server is.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::routing::{get, post};
use axum::{Json, Router};
use scoreboard::SignedAction;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};

use crate::support::server::free_address;
use crate::support::wait::until;

/// Makes this program be that server.
pub(crate) const ARGUMENT: &str = "bare-server";

/// The running process. Dropped, it is gone.
pub(crate) struct BareServer {
    address: SocketAddr,
    child: Child,
}

impl BareServer {
    /// Starts one behind this wrapper.
    pub(crate) async fn start(wrapper: &[&str; 3]) -> Self {
        let address = free_address();
        let own = std::env::current_exe().expect("a process knows its executable");
        let [program, words @ ..] = wrapper;
        let mut command = Command::new(program);
        command.args(words).arg(own).args([ARGUMENT, &address.to_string()]).stdin(Stdio::null());
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Update {
    action: SignedAction,
}

#[derive(Serialize)]
struct Small {
    points: i64,
}

/// Serves until it is killed, on a runtime like the server's.
pub(crate) fn serve(address: SocketAddr) {
    let update = async |Json(Update { action }): Json<Update>| Json(Small { points: action.claims.points.get() });
    let read = async || Json(Small { points: 1 });
    let router = Router::new().route("/api/scoreboard/update", post(update)).route("/api/scoreboard", get(read));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await.expect("the address was free a moment ago");
        axum::serve(listener, router).await.expect("it serves until it is killed");
    });
}
