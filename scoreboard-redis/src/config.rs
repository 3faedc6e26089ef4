//! Which Redis, and how it is spoken to.

use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::{IdSource, InvalidValue, RandomIds};

use crate::address::Server;
use crate::keys::Namespace;

/// Which Redis to use, and how patient to be with it.
///
/// ```
/// use scoreboard_redis::Config;
/// let config = Config { connections: 32, ..Config::from_url("redis://scores:secret@localhost/0")? };
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// Where Redis is.
    pub server: Server,
    /// What every key and channel starts with, so that several scoreboards share one Redis.
    pub namespace: Namespace,
    /// How many connections are open at most; at least 1. Each serves one call at a time; one more listens for announcements. To a
    /// cluster, each is a connection to every master.
    pub connections: usize,
    /// How long a call may take in all: waiting for a connection, and for the answer.
    pub call_timeout: Duration,
    /// How long each step of making a new connection may take: asking a sentinel or a node, and connecting. It is made beside the call, which
    /// does not wait longer for that.
    pub connect_timeout: Duration,
    /// So many calls that fail one after the other open the breaker; at least 1.
    pub breaker_failures: u32,
    /// While the breaker is open, one call in this time is let through to see whether Redis is back.
    pub probe_interval: Duration,
    /// Where names that no other process has come from, and how far times are spread.
    pub ids: Arc<dyn IdSource>,
    /// Certificates (PEM) to trust in the place of the machine's own, for `rediss`.
    pub tls_roots: Option<Vec<u8>>,
}

impl Config {
    /// The Redis that a URL names, with 16 connections, 50 milliseconds for a call, a second for a new connection, and a breaker that
    /// opens after 5 failures and probes each second. The namespace is `scoreboard`.
    ///
    /// | URL | is |
    /// | --- | --- |
    /// | `redis://user:password@host:6379/0` | one server; user, password, port and database may be left out |
    /// | `redis+unix:///run/redis.sock` | one server, on a local socket |
    /// | `redis+sentinel://user:password@host:26379,host/master/0` | the master that these sentinels know by this name; user and password are the master's, the sentinels have none |
    /// | `redis+cluster://user:password@host:6379,host` | the cluster that one of these belongs to |
    ///
    /// With `rediss` for `redis` each is spoken to by TLS. What stands in a user's name or a password beside letters and digits is
    /// percent-encoded.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the URL has another form. It holds nothing of the URL.
    pub fn from_url(url: &str) -> Result<Self, InvalidValue> {
        Ok(Self {
            server: Server::from_url(url)?,
            namespace: Namespace::default(),
            connections: 16,
            call_timeout: Duration::from_millis(50),
            connect_timeout: Duration::from_secs(1),
            breaker_failures: 5,
            probe_interval: Duration::from_secs(1),
            ids: Arc::new(RandomIds),
            tls_roots: None,
        })
    }
}
