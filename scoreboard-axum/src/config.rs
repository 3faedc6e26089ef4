//! The numbers of the HTTP side.

use std::time::Duration;

use scoreboard_core::Quota;

use crate::{Network, Origin};

/// How the API is served. A plain struct: begin with the default and change what differs.
///
/// ```
/// let mut config = scoreboard_axum::HttpConfig::default();
/// config.limits.read = Some("100/s".parse()?);
/// config.allowed_origins.push("https://play.example.org".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpConfig {
    /// The quotas.
    pub limits: Limits,
    /// Pages on other origins that may use the API from a browser. Default: none; the server's own pages always may.
    pub allowed_origins: Vec<Origin>,
    /// Proxies whose `X-Forwarded-For` is believed. Default: none.
    pub trusted_proxies: Vec<Network>,
    /// How long a request's body may take to arrive; then 408. Default: 10 s.
    pub body_timeout: Duration,
    /// How long a request may take in all; then 503. Default: 15 s.
    pub request_timeout: Duration,
    /// The numbers of the live connections.
    pub live: LiveConfig,
    /// Whether `/` is the web page, with its files under `/assets/`, and the JavaScript client under `/client/`. Default: yes.
    pub page: bool,
    /// Whether `/docs` shows the API. Default: yes.
    pub docs: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(15),
            live: LiveConfig::default(),
            page: true,
            docs: true,
        }
    }
}

/// How often one may do what. All are counted by the generic cell rate algorithm, whatever [`Quota::algorithm`] says: a burst of
/// the whole quota is allowed, then an even rate. `None` means no limit.
///
/// The quota of updates is the scoreboard's own: [`scoreboard_core::Config::update_quota`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Actions that a user starts. Default: 60 a minute.
    pub generate_action: Option<Quota>,
    /// Accounts made from an address. Default: 60 an hour.
    pub register: Option<Quota>,
    /// Logins tried from an address, and as many refreshes, and codes of a second factor, each counted by themselves. Default: 30 a minute.
    ///
    /// With it go ten times as many logins from the network of an address (its /24, or its /48), and, after three tries at one account, a wait
    /// before each further one, from wherever it comes: 1 s, then 2 s, 4 s … up to 15 minutes. A device that has signed in to the account before is counted for itself.
    pub login: Option<Quota>,
    /// Messages that an address, or a user, makes the server send, and as many to one recipient who is named by a stranger. Default: 20 an
    /// hour.
    pub mail: Option<Quota>,
    /// Reads, tickets, and live connections opened, by a user or, without one, from an address. Default: 1200 a minute.
    pub read: Option<Quota>,
    /// All requests from an address, so that nobody without a token is unlimited. Default: 6000 a minute.
    pub address: Option<Quota>,
}

impl Limits {
    /// The names of the quotas before which strangers stand: of registrations, logins, refreshes, codes and mail. A server that loses the limiter
    /// which it shares with others had better be stricter with these than with the rest:
    /// [`FallbackLimiter::halving`](scoreboard_core::FallbackLimiter::halving).
    ///
    /// The waits before tries at one account are not among them: halved, they would be longer than they may be.
    pub const OF_STRANGERS: &[&str] = &["register", "login", "login_network", "refresh", "codes", "mail"];
}

impl Default for Limits {
    fn default() -> Self {
        let quota = |text: &str| Some(text.parse().expect("a quota"));
        Self {
            generate_action: quota("60/min"),
            register: quota("60/h"),
            login: quota("30/min"),
            mail: quota("20/h"),
            read: quota("1200/min"),
            address: quota("6000/min"),
        }
    }
}

/// The bounds of the live connections: WebSocket and server-sent events together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveConfig {
    /// How many at once; then 503. Default: 20,000.
    pub max_connections: usize,
    /// How many at once from one address; then 503. Default: 6,000, for many players can share one address.
    pub max_connections_per_address: usize,
    /// How many boards one connection may watch. Default: 8.
    pub max_boards: usize,
    /// How many messages a client may send in any minute. Default: 100.
    pub messages_per_minute: u32,
    /// How long after the last sign of life the server asks for one, up to a fifth less. Default: 25 s.
    pub heartbeat: Duration,
    /// How long the answer may take. Default: 8 s.
    pub heartbeat_answer: Duration,
    /// How long after it was opened a WebSocket may wait with its first subscription or ticket; then it is closed. Default: 10 s.
    pub first_message: Duration,
    /// How long one message may take to be taken by a client; then it is closed as too slow. Default: 5 s.
    pub write_timeout: Duration,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_connections_per_address: 6_000,
            max_boards: 8,
            messages_per_minute: 100,
            heartbeat: Duration::from_secs(25),
            heartbeat_answer: Duration::from_secs(8),
            first_message: Duration::from_secs(10),
            write_timeout: Duration::from_secs(5),
        }
    }
}
