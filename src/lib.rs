//! Verified, live scoreboards for game servers.
//!
//! This is the facade: all of [`scoreboard_core`] under one name, and the adapters behind features.
//!
//! | feature | gives |
//! | --- | --- |
//! | (none) | the pipeline, the traits and the in-memory adapters |
//! | `accounts` | `scoreboard::accounts`: users, passwords, sessions, access tokens |
//! | `sqlite` | `scoreboard::sqlite`: every store on one embedded file |
//! | `postgres` | `scoreboard::postgres`: every store on one PostgreSQL database |
//! | `notify` | `scoreboard::notify`: mail by SMTP, and signed webhooks, for what users are told |
//! | `redis` | `scoreboard::redis`: limits, cached answers and announcements that several servers share |
//! | `axum` | `scoreboard::axum`: the HTTP API as a router |
//! | `client` | `scoreboard::client`: a client that follows live boards; with `client-tls` also over TLS |
//! | `testing` | `scoreboard::testing`: the conformance kit for adapters |

#![warn(missing_docs)]

pub use scoreboard_core::*;

#[cfg(feature = "axum")]
pub use scoreboard_axum as axum;
#[cfg(feature = "client")]
pub use scoreboard_client as client;
#[cfg(feature = "notify")]
pub use scoreboard_notify as notify;
#[cfg(feature = "postgres")]
pub use scoreboard_postgres as postgres;
#[cfg(feature = "redis")]
pub use scoreboard_redis as redis;
#[cfg(feature = "sqlite")]
pub use scoreboard_sqlite as sqlite;
