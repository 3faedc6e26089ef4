//! Follows boards of a scoreboard server live, and keeps them exact: a snapshot, then every update in order.
//!
//! A connection that is lost is taken up again from the version that is held. What does not join on is never guessed: the board is asked
//! for anew. It is the Rust side of what `scoreboard-client.js` does for pages, by the same rules.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use scoreboard_client::{Client, Event, State};
//! use scoreboard_core::BoardId;
//!
//! let client = Client::connect("http://127.0.0.1:8080")?;
//! let mut main = client.subscribe(&BoardId::main(), 10)?;
//! while let Some(event) = main.next().await {
//!     match event {
//!         Event::Moved(moved) => println!("{}: {:?}", moved.view.position, moved.view.entries),
//!         Event::State(State::Offline(offline)) => println!("offline: {}", offline.cause),
//!         Event::State(State::Refused(refusal)) => println!("{refusal}"),
//!         Event::State(_) => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What holds
//!
//! - A [`View`] is the whole of what is followed at one position, as the server had it: the top, numbered from 1 without a gap; a user with those
//!   next to them; or some users, wherever they stand. None is made of messages that do not belong together.
//! - Nothing queues. A subscription holds the newest view, and who is slow to ask skips ahead to it: [`Moved::changes`] then tells what lies
//!   between the view that was given before and this one, whatever happened in between.
//! - Who was away goes on from the version that is held. Where the server cannot tell what was missed, it sends the view whole, and
//!   [`Moved::recovered`] says so.
//! - A loss is followed by another try, after a wait with full jitter. Close codes from 4500 to 4999 are final, after 1012 the wait is spread
//!   over five seconds at least, anything else comes again.
//! - A server that falls silent is given up after a heartbeat without an answer. Messages, frames and what waits to be written are
//!   bounded ([`ClientConfig`]).
//! - One connection serves all boards of a [`Client`], each in up to three ways ([`Client::subscribe`],
//!   [`subscribe_around`](Client::subscribe_around), [`subscribe_users`](Client::subscribe_users)). It is opened with the first subscription, and closed behind the last.
//!
//! What is sent and received is told by the WebSocket library through the crate `log` at level `trace`, tickets included: do not keep that
//! level where tickets are used.
//!
//! | feature | gives | costs |
//! | --- | --- | --- |
//! | (none) | `http://` and `ws://` | |
//! | `tls` | `https://` and `wss://`, by rustls | rustls, and a C compiler for its cryptography |

mod address;
mod backoff;
mod builder;
mod client;
mod config;
mod connection;
mod echo;
mod error;
mod fold;
mod follower;
mod heartbeat;
mod message;
mod private;
mod session;
mod shared;
mod state;
mod subscription;
mod ticket;
#[cfg(feature = "tls")]
mod tls;
mod view;
mod worker;

pub use builder::Builder;
pub use client::Client;
pub use config::ClientConfig;
pub use error::{ConnectError, SubscribeError};
pub use private::{Private, PrivateMessages};
pub use state::{Cause, Offline, Refusal, State};
pub use subscription::{Event, Moved, Subscription};
pub use ticket::{TicketError, TicketSource};
pub use view::{View, ViewEntry};
