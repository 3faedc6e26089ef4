//! Whose address a request comes from.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// A network whose hosts are believed when they say, by `X-Forwarded-For`, for whom they ask.
///
/// ```
/// use scoreboard_axum::Network;
/// let proxies: Network = "10.0.0.0/8".parse()?;
/// let one: Network = "192.0.2.7".parse()?;
/// assert_eq!(one.to_string(), "192.0.2.7/32");
/// # Ok::<(), scoreboard_axum::InvalidNetwork>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// What is no [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a network must be like `10.0.0.0/8`, `fd00::/8`, or one address")]
#[non_exhaustive]
pub struct InvalidNetwork;

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>().or_else(|_| address()).map(Self).map_err(|_| InvalidNetwork)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who is counted as one: an IPv4 address, or the /64 of an IPv6 one, for whoever has one of its addresses has all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddress(IpAddr);

impl ClientAddress {
    /// All clients of a server that was not told where they come from: limited together, never not at all.
    const UNKNOWN: Self = Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED));

    fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            v4 @ IpAddr::V4(_) => v4,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        })
    }

    /// The network around it, whose addresses often have one owner: the /24 of an IPv4 address, the /48 of an IPv6 one, for with IPv6 a whole
    /// /64 counts as one address already.
    pub(crate) fn network(self) -> IpNet {
        let length = if self.0.is_ipv4() { 24 } else { 48 };
        IpNet::new(self.0, length).expect("no prefix is longer than its address").trunc()
    }

    /// The client behind a connection; `None` for a trusted proxy, behind which there are many.
    pub(crate) fn of_peer(peer: SocketAddr, trusted: &[Network]) -> Option<Self> {
        let peer = peer.ip().to_canonical();
        (!is_trusted(peer, trusted)).then(|| Self::new(peer))
    }

    /// The client of a request: the peer, or whom it names if it is a trusted proxy.
    pub(crate) fn of(headers: &HeaderMap, extensions: &Extensions, trusted: &[Network]) -> Self {
        let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<SocketAddr>>() else {
            return Self::UNKNOWN;
        };
        let peer = peer.ip().to_canonical();
        if !is_trusted(peer, trusted) {
            return Self::new(peer);
        }
        // Each proxy appends whom it was asked by, so only what stands right of the first untrusted host is true.
        let forwarded = headers.get_all("x-forwarded-for").iter().rev();
        // By its bytes: what a client has put before the rest is not always text.
        let hops = forwarded.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
        let mut client = peer;
        for hop in hops {
            let Some(hop) = std::str::from_utf8(hop).ok().and_then(|hop| parse_hop(hop.trim())) else { break };
            client = hop;
            if !is_trusted(hop, trusted) {
                break;
            }
        }
        Self::new(client)
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.0.contains(&address))
}

/// An address, with or without a port.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let address =
        text.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip())).or_else(bracketed);
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut request = Request::builder();
        for value in forwarded {
            request = request.header("x-forwarded-for", value.as_bytes());
        }
        let mut request = request.body(()).unwrap();
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        request.extensions_mut().insert(ConnectInfo(peer));
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        ClientAddress::of(request.headers(), request.extensions(), &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(client("192.0.2.1", &["203.0.113.9"], &[]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["203.0.113.9"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
        // What the client itself wrote stands on the left.
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "203.0.113.9:4711"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, nonsense"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(client("::ffff:10.0.0.1", &["203.0.113.9"], &["10.0.0.0/8"]), "203.0.113.9");
        // Nobody passes for the proxy, or for somebody else, by what is no ASCII.
        assert_eq!(client("10.0.0.1", &["ä, 203.0.113.9"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "ä, 10.0.0.2"], &["10.0.0.0/8"]), "10.0.0.2");
    }

    #[test]
    fn a_network_is_what_lies_around() {
        let network = |address: &str| ClientAddress::new(address.parse().unwrap()).network().to_string();
        assert_eq!(network("192.0.2.200"), "192.0.2.0/24");
        assert_eq!(network("::ffff:192.0.2.200"), "192.0.2.0/24");
        assert_eq!(network("2001:db8:1:2::5"), "2001:db8:1::/48");
    }

    #[test]
    fn an_ipv6_client_is_its_64() {
        assert_eq!(client("2001:db8:1:2:3:4:5:6", &[], &[]), "2001:db8:1:2::");
        assert_eq!(client("::1", &["[2001:db8::5]:80"], &["::1"]), "2001:db8::");
        assert_eq!(client("::ffff:192.0.2.1", &[], &[]), "192.0.2.1");
    }
}
