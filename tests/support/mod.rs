//! What the top-level tests share: the real server as a process, clients that speak HTTP to it, and seeds that repeat a run.
#![allow(dead_code, reason = "each test uses its own part")]

pub(crate) mod binary;
pub(crate) mod client;
pub(crate) mod seed;
pub(crate) mod server;
pub(crate) mod user;
pub(crate) mod wait;
pub(crate) mod webdriver;
