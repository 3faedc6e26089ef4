//! The scoreboard HTTP API as an axum [`Router`](axum::Router), and what is needed to serve it.
//!
//! [`router`] is all of it: accounts, signed actions, boards, live updates, health, metrics, the API's description and a web page. It names
//! no concrete backend: a [`Scoreboard`](scoreboard_core::Scoreboard) and [`Accounts`](scoreboard_core::accounts::Accounts) come
//! from outside, over any store. The binary `scoreboard-server` of this package is one way to put them together.
//!
//! ```
//! use std::sync::Arc;
//! use axum::{Router, routing::get};
//! use scoreboard_axum::{App, Lifecycle, ServeConfig, router, serve};
//! use scoreboard_core::accounts::Accounts;
//! use scoreboard_core::memory::{MemoryAccountStore, MemoryScoreStore};
//! use scoreboard_core::{KeyRing, RandomIds, Scoreboard};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = KeyRing::random(&RandomIds);
//! let users = Arc::new(MemoryAccountStore::default());
//! let accounts = Accounts::builder(users.clone(), &keys).build();
//! let scoreboard =
//!     Scoreboard::builder(Arc::new(MemoryScoreStore::default())).with_keys(keys).with_names(users).build();
//!
//! let lifecycle = Lifecycle::default();
//! let app = App::new(scoreboard, accounts).with_lifecycle(lifecycle.clone());
//! let router = Router::new().route("/my-game", get(|| async { "my own" })).merge(router(app));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! lifecycle.ready();
//! # let ctrl_c = async {};
//! serve(listener, router, ServeConfig::default(), lifecycle, ctrl_c).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Mounting it
//!
//! - Merge it at the root: the page and the description name absolute paths. If `/` or `/docs` is yours, turn
//!   [`HttpConfig::page`] or [`HttpConfig::docs`] off.
//! - Whoever has no routes beside these serves [`service`], which costs each request less.
//! - [`serve`] bounds what `axum::serve` does not (slow headers, readers that stall, the number of connections, in all and of an address),
//!   refuses requests that do not name exactly one host, and ends live connections at
//!   a shutdown. In another server, pass the peer's address as
//!   [`ConnectInfo<SocketAddr>`](axum::extract::ConnectInfo), else all clients are limited as one, and call
//!   [`Lifecycle::drain`] at shutdown.
//! - Install a metrics recorder ([`prometheus`]) before the router is built.
//!
//! # What every request meets
//!
//! CORS, the address' quota, the body's size, the bearer token, the user's quota, and only then the body: see each route. All failures are
//! `application/problem+json`; none holds an internal detail, which is in the log under the request's id.

mod address;
mod admission;
mod answer;
mod app;
mod bearer;
mod body;
mod config;
mod cors;
mod dto;
mod edge;
mod head_timer;
mod health;
mod host;
mod lifecycle;
mod live;
mod metrics;
mod names;
mod openapi;
mod origin;
mod places;
mod pointer;
mod problem;
mod query;
mod rate_limit;
mod request_id;
mod router;
mod routes;
mod serve;
mod signed;
mod stalled;
mod state;
mod text;

pub use address::{InvalidNetwork, Network};
pub use app::App;
pub use config::{HttpConfig, Limits, LiveConfig};
pub use lifecycle::Lifecycle;
pub use metrics::prometheus;
pub use openapi::openapi;
pub use origin::{InvalidOrigin, Origin};
pub use router::{router, service};
pub use serve::{ServeConfig, serve};
