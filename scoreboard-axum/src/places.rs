//! How many connections there are, in all and from one address.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::address::ClientAddress;
use crate::{Network, ServeConfig};

/// The places of a server.
#[derive(Debug)]
pub(crate) struct Places {
    max: usize,
    max_per_address: usize,
    trusted: Vec<Network>,
    taken: Mutex<Taken>,
}

/// No larger than the number of connections.
#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<ClientAddress, usize>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    /// `None` for a proxy, which is not counted by address.
    address: Option<ClientAddress>,
}

impl Places {
    pub(crate) fn new(config: &ServeConfig) -> Self {
        Self {
            max: config.max_connections,
            max_per_address: config.max_connections_per_address,
            trusted: config.trusted_proxies.clone(),
            taken: Mutex::default(),
        }
    }

    /// A place, if there is one.
    pub(crate) fn take(self: &Arc<Self>, peer: SocketAddr) -> Option<Place> {
        let address = ClientAddress::of_peer(peer, &self.trusted);
        let mut taken = self.taken.lock();
        if taken.total >= self.max {
            return None;
        }
        if let Some(address) = address {
            let from_here = taken.by_address.get(&address).copied().unwrap_or_default();
            if from_here >= self.max_per_address {
                return None;
            }
            taken.by_address.insert(address, from_here + 1);
        }
        taken.total += 1;
        Some(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock();
        taken.total -= 1;
        let Some(address) = self.address else { return };
        if let Some(from_here) = taken.by_address.get_mut(&address) {
            *from_here -= 1;
            if *from_here == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_by_address_and_given_back() {
        let mut config = ServeConfig::default();
        (config.max_connections, config.max_connections_per_address) = (4, 2);
        config.trusted_proxies.push("10.0.0.0/8".parse().unwrap());
        let places = Arc::new(Places::new(&config));
        let take = |peer: &str| places.take(SocketAddr::new(peer.parse().unwrap(), 1));
        let first = take("192.0.2.1").unwrap();
        let second = take("192.0.2.1").unwrap();
        assert!(take("192.0.2.1").is_none() && take("::ffff:192.0.2.1").is_none());
        let proxied = [take("10.0.0.1").unwrap(), take("10.0.0.1").unwrap()];
        assert!(take("10.0.0.1").is_none() && take("192.0.2.2").is_none(), "all are taken");
        drop(first);
        let third = take("10.0.0.1").unwrap();
        assert!(take("192.0.2.2").is_none());
        drop(third);
        drop((second, proxied));
        assert!(places.taken.lock().by_address.is_empty());
        assert_eq!(places.taken.lock().total, 0);
        let other = [take("2001:db8::1"), take("2001:db8::2"), take("2001:db8::3")];
        assert!(other[1].is_some() && other[2].is_none(), "an IPv6 client is its /64");
    }
}
