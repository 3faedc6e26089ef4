//! How many watch, in all and from one address.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::num::NonZeroU64;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::address::ClientAddress;
use crate::{Lifecycle, LiveConfig};

/// Counts the live connections, and refuses those for which there is no room.
#[derive(Debug)]
pub(crate) struct Connections {
    max: usize,
    max_per_address: usize,
    open: Mutex<Open>,
    /// By a key of this process: nobody aims at another's number.
    guests: RandomState,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<ClientAddress, usize>,
    /// How many there ever were.
    seen: u32,
}

/// How a connection watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    ServerSentEvents,
}

impl Transport {
    const fn gauge(self) -> &'static str {
        match self {
            Self::WebSocket => "scoreboard_ws_connections",
            Self::ServerSentEvents => "scoreboard_sse_connections",
        }
    }
}

/// A place among the live connections, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    connections: Arc<Connections>,
    address: ClientAddress,
    transport: Transport,
    number: u32,
    /// The server waits for it before it ends.
    _token: TaskTrackerToken,
}

impl Connections {
    pub(crate) fn new(config: &LiveConfig) -> Self {
        let LiveConfig { max_connections: max, max_connections_per_address: max_per_address, .. } = *config;
        Self { max, max_per_address, open: Mutex::default(), guests: RandomState::new() }
    }

    /// A place, if there is one.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: ClientAddress,
        transport: Transport,
        lifecycle: &Lifecycle,
    ) -> Option<Connection> {
        let number = {
            let mut open = self.open.lock();
            let from_here = open.by_address.get(&address).copied().unwrap_or_default();
            if open.total >= self.max || from_here >= self.max_per_address {
                metrics::counter!("scoreboard_live_refusals_total").increment(1);
                return None;
            }
            open.total += 1;
            open.by_address.insert(address, from_here + 1);
            open.seen = open.seen.wrapping_add(1);
            open.seen
        };
        metrics::gauge!(transport.gauge()).increment(1.0);
        Some(Connection { connections: self.clone(), address, transport, number, _token: lifecycle.live_token() })
    }

    pub(crate) fn is_full(&self) -> bool {
        self.open.lock().total >= self.max
    }
}

impl Connection {
    /// A number from 0 to 1 that is this connection's own. However many there are, they lie evenly, one after the other and all
    /// together: multiples of the golden ratio do. What must not happen to all connections at once is timed by it.
    pub(crate) fn share(&self) -> f64 {
        const GOLDEN: u32 = 0x9E37_79B9;
        f64::from(self.number.wrapping_mul(GOLDEN)) / f64::from(u32::MAX)
    }

    /// A number that all connections of this address share, and hardly any other.
    pub(crate) fn guest(&self) -> NonZeroU64 {
        NonZeroU64::new(self.connections.guests.hash_one(self.address)).unwrap_or(NonZeroU64::MIN)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.total -= 1;
        if let Some(from_here) = open.by_address.get_mut(&self.address) {
            *from_here -= 1;
            if *from_here == 0 {
                open.by_address.remove(&self.address);
            }
        }
        metrics::gauge!(self.transport.gauge()).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::ConnectInfo;
    use axum::http::{Extensions, HeaderMap};

    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let config = LiveConfig { max_connections: 3, max_connections_per_address: 2, ..LiveConfig::default() };
        let (connections, lifecycle) = (Arc::new(Connections::new(&config)), Lifecycle::default());
        let address = |peer: [u8; 4]| {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(std::net::SocketAddr::from((peer, 1))));
            ClientAddress::of(&HeaderMap::new(), &extensions, &[])
        };
        let admit = |peer| connections.admit(address(peer), Transport::WebSocket, &lifecycle);
        let first = admit([1, 1, 1, 1]).unwrap();
        let _second = admit([1, 1, 1, 1]).unwrap();
        assert!(admit([1, 1, 1, 1]).is_none());
        let _third = admit([2, 2, 2, 2]).unwrap();
        assert!(connections.is_full() && admit([3, 3, 3, 3]).is_none());
        drop(first);
        assert!(admit([1, 1, 1, 1]).is_some());
    }

    #[test]
    fn shares_lie_evenly() {
        let connections = Arc::new(Connections::new(&LiveConfig::default()));
        let lifecycle = Lifecycle::default();
        let address = ClientAddress::of(&HeaderMap::new(), &Extensions::new(), &[]);
        let all: Vec<_> =
            (0..1000).map(|_| connections.admit(address, Transport::WebSocket, &lifecycle).unwrap()).collect();
        let mut bins = [0; 10];
        for connection in &all {
            bins[((connection.share() * 10.0) as usize).min(9)] += 1;
        }
        assert!(bins.iter().all(|&bin| (95..=105).contains(&bin)), "{bins:?}");
    }
}
