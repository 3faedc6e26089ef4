//! What the top-level tests share: the real server as a process, clients that speak HTTP to it, and seeds that repeat a run.
#![allow(dead_code, unused_imports, unused_macros, reason = "each test uses its own part")]

pub(crate) mod arena;
pub(crate) mod authenticator;
pub(crate) mod binary;
pub(crate) mod client;
pub(crate) mod fault_proxy;
pub(crate) mod follower;
pub(crate) mod history;
pub(crate) mod load;
pub(crate) mod metrics;
pub(crate) mod moved_clock;
pub(crate) mod pages;
pub(crate) mod place;
#[path = "../../scoreboard-postgres/tests/support/postgres/mod.rs"]
pub(crate) mod postgres;
pub(crate) mod postgres_wire;
pub(crate) mod proxy;
#[path = "../../scoreboard-redis/tests/support/server.rs"]
pub(crate) mod redis;
pub(crate) mod redis_wire;
pub(crate) mod resident;
pub(crate) mod scale;
pub(crate) mod seed;
pub(crate) mod server;
pub(crate) mod started;
pub(crate) mod user;
pub(crate) mod wait;
pub(crate) mod watcher;
pub(crate) mod webdriver;
