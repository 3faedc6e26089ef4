//! Redis for the tests: what is shared by a test binary, and a namespace of its own for each fixture.

#![allow(dead_code, reason = "no test file uses all of it")]

pub(crate) mod clocks;
pub(crate) mod cluster;
pub(crate) mod peers;
pub(crate) mod server;
#[path = "../../../tests/support/started.rs"]
mod started;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cluster::Cluster;
use scoreboard_redis::{Config, Redis};
use server::Process;

/// What names the store of all nodes, unless the test is about another.
pub(crate) const STORE: &str = "store";

/// A URL of one server: `TEST_REDIS_URL`, or one that is started here and goes with the tests.
pub(crate) fn single() -> &'static str {
    static GIVEN: OnceLock<(String, Option<Process>)> = OnceLock::new();
    let (url, _) = GIVEN.get_or_init(|| match std::env::var("TEST_REDIS_URL") {
        Ok(url) => (url, None),
        Err(_) => {
            let process = Process::start(&[]);
            (process.url(), Some(process))
        }
    });
    url
}

/// The one cluster of this test binary.
pub(crate) fn shared_cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(&[]))
}

/// A namespace that no other fixture has, on this server. Patient, for the machine is busy with other tests: what is quick to give up is
/// tested where it is the point.
pub(crate) fn config(url: &str) -> Config {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    Config {
        namespace: name.parse().expect("a namespace"),
        call_timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(5),
        ..Config::from_url(url).expect("a URL")
    }
}

pub(crate) fn redis(url: &str) -> Redis {
    Redis::new(&config(url)).expect("a handle")
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &scoreboard_core::BackendError) -> String {
    scoreboard_core::Chain(error).to_string()
}
