//! Watching boards: over a WebSocket, or as server-sent events.

mod alarm;
mod connections;
mod events;
mod feed;
mod feeds;
mod heartbeat;
mod identity;
mod message;
mod socket;
mod unreadable;
mod wire;

pub(crate) use connections::{Connection, Connections, Transport};
pub(crate) use events::{events, later};
pub(crate) use feed::feed_of;
pub(crate) use message::{DEFAULT_LIMIT, DEFAULT_RADIUS, ServerMessage};
pub(crate) use socket::{HARD_MAX_MESSAGE, watch};
