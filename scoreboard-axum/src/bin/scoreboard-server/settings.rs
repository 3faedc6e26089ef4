//! Every setting, with its default and its bounds.

use std::num::NonZeroU32;

use scoreboard_core::InvalidValue;
use serde::{Deserialize, Serialize};

mod accounts;
mod check;
mod fraud;
mod layers;
mod limit;
mod list;
mod messages;
mod outside;
mod show;

pub(crate) use accounts::Accounts;
pub(crate) use fraud::{Alerts, Fraud, Holds};
pub(crate) use layers::{Effective, Flag};
pub(crate) use limit::Limit;
pub(crate) use messages::{Mail, Sms};
pub(crate) use outside::Outside;

use list::one_or_many;

/// What an operator may set. Each field is a setting of its name, `limits.update` being `update` of `limits`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Address and port to listen on.
    pub(crate) listen: String,
    /// Where everything is kept: the scheme picks the adapter.
    pub(crate) database_url: String,
    /// Streaming replicas of the database, for reads.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) replica_urls: Vec<String>,
    /// Where users, sessions and game servers' keys are kept; empty for the database itself.
    pub(crate) accounts_url: String,
    /// Where incidents are kept; empty for the database itself.
    pub(crate) analytics_url: String,
    /// The key file; empty for the one beside a database file.
    pub(crate) keys: String,
    /// Where the page is for users: links in mails lead there.
    pub(crate) public_url: String,
    /// Origins whose pages may call this server from a browser, besides its own.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) allowed_origins: Vec<String>,
    /// Addresses or networks of proxies whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) trusted_proxies: Vec<String>,
    /// How logs look.
    pub(crate) log: LogFormat,
    /// For how long at a stop requests are still taken, so that a proxy in front learns that this server is not ready any more.
    pub(crate) notice_seconds: u64,
    /// Over how long the live connections are closed at a stop.
    pub(crate) drain_seconds: u64,
    pub(crate) limits: Limits,
    pub(crate) http: Http,
    pub(crate) store: Store,
    pub(crate) ranks: Ranks,
    pub(crate) cache: Cache,
    pub(crate) redis: Redis,
    pub(crate) live: Live,
    pub(crate) accounts: Accounts,
    pub(crate) outside: Outside,
    pub(crate) mail: Mail,
    pub(crate) sms: Sms,
    pub(crate) fraud: Fraud,
    pub(crate) alerts: Alerts,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            database_url: "sqlite://scoreboard.db".to_owned(),
            replica_urls: Vec::new(),
            accounts_url: String::new(),
            analytics_url: String::new(),
            keys: String::new(),
            public_url: "http://127.0.0.1:8080/".to_owned(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            log: LogFormat::default(),
            notice_seconds: 0,
            drain_seconds: 10,
            limits: Limits::default(),
            http: Http::default(),
            store: Store::default(),
            ranks: Ranks::default(),
            cache: Cache::default(),
            redis: Redis::default(),
            live: Live::default(),
            accounts: Accounts::default(),
            outside: Outside::default(),
            mail: Mail::default(),
            sms: Sms::default(),
            fraud: Fraud::default(),
            alerts: Alerts::default(),
        }
    }
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One line of JSON an event.
    Json,
    /// For people.
    Text,
}

impl TryFrom<String> for LogFormat {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(InvalidValue::new("log", "must be `json`, `text` or `auto`")),
        }
    }
}

/// How often things may be done: like `10/min`, or `off`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Updates handed in, a user.
    pub(crate) update: Limit,
    /// Actions started, a user.
    pub(crate) generate_action: Limit,
    /// Accounts made, an address.
    pub(crate) register: Limit,
    /// Logins tried, an address; refreshes and codes by themselves as many.
    pub(crate) login: Limit,
    /// Messages sent, an address that asks for them, and a recipient.
    pub(crate) mail: Limit,
    /// Reads, a user or, without one, an address.
    pub(crate) read: Limit,
    /// Requests of any kind, an address.
    pub(crate) address: Limit,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            update: Limit::preset("10/min"),
            generate_action: Limit::preset("60/min"),
            register: Limit::preset("60/h"),
            login: Limit::preset("30/min"),
            mail: Limit::preset("20/h"),
            read: Limit::preset("1200/min"),
            address: Limit::preset("6000/min"),
        }
    }
}

/// How requests are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    /// The most connections at once; WebSockets are counted apart, by `live.max_connections`.
    pub(crate) max_connections: usize,
    /// The most connections of one address; trusted proxies are not bound by it.
    pub(crate) max_connections_per_address: usize,
    /// How long a client may take to send the head of a request.
    pub(crate) header_timeout_seconds: u64,
    /// How long a client may take nothing of an answer.
    pub(crate) write_timeout_seconds: u64,
    /// How long a client may take to send a body.
    pub(crate) body_timeout_seconds: u64,
    /// How long an answer may take; then it is 503.
    pub(crate) request_timeout_seconds: u64,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_connections_per_address: 6000,
            header_timeout_seconds: 10,
            write_timeout_seconds: 20,
            body_timeout_seconds: 10,
            request_timeout_seconds: 15,
        }
    }
}

/// How the database is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Store {
    /// The most changes in one transaction; 1 turns grouping off.
    pub(crate) max_batch: usize,
    /// The most updates that may wait for a transaction; one more is refused.
    pub(crate) queue: usize,
    /// How many reads run at once on a file.
    pub(crate) readers: u32,
    /// How many connections there are to a database server, beside one that batches of updates are written on.
    pub(crate) connections: u32,
    /// How long a call to a database server takes at most; then it has failed.
    pub(crate) timeout_ms: u64,
    /// How many days a part of the log on a database server spans; it is archived as a whole.
    pub(crate) log_part_days: u64,
    /// Whether a database server must keep what it acknowledges.
    pub(crate) durability: Durability,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            max_batch: 512,
            queue: 4096,
            readers: 4,
            connections: 10,
            timeout_ms: 1800,
            log_part_days: 28,
            durability: Durability::default(),
        }
    }
}

/// What is asked of a database server's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub(crate) enum Durability {
    /// One that may lose what it acknowledged is refused.
    #[default]
    Required,
    /// It is used all the same, and said so.
    Unsafe,
}

impl TryFrom<String> for Durability {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        match text.as_str() {
            "required" => Ok(Self::Required),
            "unsafe" => Ok(Self::Unsafe),
            _ => Err(InvalidValue::new("durability", "must be `required` or `unsafe`")),
        }
    }
}

/// Ranks in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ranks {
    /// How much memory they may take, about 48 bytes for a user; a board that does not fit is answered by the database, which counts rows
    /// for a rank deep down. 0 turns them off.
    pub(crate) megabytes: usize,
    /// The boards that have them; empty for all.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) boards: Vec<String>,
}

impl Default for Ranks {
    fn default() -> Self {
        Self { megabytes: 1024, boards: Vec::new() }
    }
}

/// How answers are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Cache {
    /// How much memory they may take.
    pub(crate) megabytes: usize,
    /// How long one may be kept.
    pub(crate) lifetime_seconds: u64,
    /// For how long one is given out, marked as stale, while the database cannot be read.
    pub(crate) stale_seconds: u64,
    /// How often the monitor looks at it; at most so often it does something about each trouble.
    pub(crate) monitor_seconds: u64,
    /// It is a trouble if fewer of a hundred answers are in it; 0 for never.
    pub(crate) min_hit_percent: u8,
    /// It is a trouble if it takes more of its memory; 100 for never.
    pub(crate) max_memory_percent: u8,
    /// It is a trouble if most answers that are not in it take longer.
    pub(crate) max_answer_ms: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            megabytes: 64,
            lifetime_seconds: 30,
            stale_seconds: 300,
            monitor_seconds: 30,
            min_hit_percent: 80,
            max_memory_percent: 90,
            max_answer_ms: 100,
        }
    }
}

/// The Redis that several servers share, for one limit over all, answers that one has loaded for all, and announcements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Redis {
    /// Where it is: `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`; empty for none.
    pub(crate) url: String,
    /// What its keys start with, so that several scoreboards share one Redis.
    pub(crate) namespace: String,
    /// The most connections.
    pub(crate) connections: usize,
    /// How long a call may take; then it is done without.
    pub(crate) timeout_ms: u64,
    /// How many servers there are: while Redis is away, each counts its part of every quota.
    pub(crate) nodes: NonZeroU32,
}

impl Default for Redis {
    fn default() -> Self {
        let nodes = NonZeroU32::MIN;
        Self { url: String::new(), namespace: "scoreboard".to_owned(), connections: 16, timeout_ms: 50, nodes }
    }
}

/// How changes are sent live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Live {
    /// How long changes are gathered before they are sent as one.
    pub(crate) batch_interval_ms: u64,
    /// How often the log is looked at where nothing is announced.
    pub(crate) poll_interval_ms: u64,
    /// The most live connections.
    pub(crate) max_connections: usize,
    /// The most live connections of one address.
    pub(crate) max_connections_per_address: usize,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            batch_interval_ms: 50,
            poll_interval_ms: 5000,
            max_connections: 20_000,
            max_connections_per_address: 6000,
        }
    }
}
