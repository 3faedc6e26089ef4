//! Servers whose clock a test moves. The clock is one for all that use the server, so its users take turns.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use scoreboard_core::Timestamp;
use scoreboard_core::testing::{Fixture, ManualClock};
use scoreboard_redis::{Redis, RedisOneTimeStore, RedisOutstanding, RedisRateLimiter};
use tokio::sync::{Mutex, MutexGuard};

use super::cluster::Cluster;
use super::server::{Process, folder, moved_clock};

/// A server, or a cluster, by a clock that stands still until it is moved.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) url: String,
    file: File,
    now: Timestamp,
    _servers: Servers,
}

#[derive(Debug)]
enum Servers {
    One(Process),
    Several(Cluster),
}

impl Moved {
    /// The moved server of this test binary, until the guard is dropped.
    pub(crate) async fn single() -> MutexGuard<'static, Self> {
        static SINGLE: OnceLock<Mutex<Moved>> = OnceLock::new();
        SINGLE.get_or_init(|| Mutex::new(Self::start(|set| Servers::One(Process::start_with(&[], set))))).lock().await
    }

    /// The moved cluster of this test binary, until the guard is dropped.
    pub(crate) async fn cluster() -> MutexGuard<'static, Self> {
        static CLUSTER: OnceLock<Mutex<Moved>> = OnceLock::new();
        CLUSTER.get_or_init(|| Mutex::new(Self::start(|set| Servers::Several(Cluster::start(set))))).lock().await
    }

    fn start(start: impl Fn(&[(&str, &str)]) -> Servers) -> Self {
        let folder = folder();
        let set = moved_clock(&folder);
        let set: Vec<(&str, &str)> = set.iter().map(|(name, value)| (*name, value.as_str())).collect();
        // By the time that it is until here, for a cluster is made in time.
        let servers = start(&set);
        let url = match &servers {
            Servers::One(process) => process.url(),
            Servers::Several(cluster) => cluster.url(),
        };
        let file = File::options().write(true).open(clock_file(&folder)).expect("it is there");
        // Servers and this process have what they need open by now.
        std::fs::remove_dir_all(&folder).expect("it goes");
        let mut moved = Self { url, file, now: ManualClock::START, _servers: servers };
        // Not before the servers were started: what they noted then must not lie in the future.
        moved.set(ManualClock::START.plus(Duration::from_secs(20 * 365 * 86_400)));
        moved
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Puts the clock at a moment, be it forwards or back; half a millisecond past it, so that nobody who rounds lands on another.
    pub(crate) fn set(&mut self, now: Timestamp) {
        self.now = now;
        self.file.write_all_at(&(now.as_millis() * 1000 + 500).to_ne_bytes(), 0).expect("it is written");
    }

    pub(crate) fn advance(&mut self, duration: Duration) {
        self.set(self.now.plus(duration));
    }
}

fn clock_file(folder: &Path) -> std::path::PathBuf {
    folder.join("clock")
}

/// An adapter that goes by its server's own clock.
pub(crate) trait ByItsClock: Send + Sync + 'static {
    fn on(redis: Redis) -> Self;
}

impl ByItsClock for RedisRateLimiter {
    fn on(redis: Redis) -> Self {
        Self::new(redis)
    }
}

impl ByItsClock for RedisOutstanding {
    fn on(redis: Redis) -> Self {
        Self::new(redis)
    }
}

impl ByItsClock for RedisOneTimeStore {
    fn on(redis: Redis) -> Self {
        Self::new(redis)
    }
}

/// A fixture of one: on a server, or on a cluster, whose clock the suite moves.
#[derive(Debug)]
pub(crate) struct OnMoved<A, const IS_CLUSTER: bool> {
    pub(crate) adapter: Arc<A>,
    server: parking_lot::Mutex<MutexGuard<'static, Moved>>,
}

impl<A: ByItsClock, const IS_CLUSTER: bool> Fixture for OnMoved<A, IS_CLUSTER> {
    async fn fresh() -> Self {
        let server = if IS_CLUSTER { Moved::cluster().await } else { Moved::single().await };
        Self { adapter: Arc::new(A::on(super::redis(&server.url))), server: parking_lot::Mutex::new(server) }
    }
}

impl<A, const IS_CLUSTER: bool> OnMoved<A, IS_CLUSTER> {
    pub(crate) fn now(&self) -> Timestamp {
        self.server.lock().now()
    }

    pub(crate) fn advance(&self, duration: Duration) {
        self.server.lock().advance(duration);
    }
}
