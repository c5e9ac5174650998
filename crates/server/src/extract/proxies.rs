//! Which proxies' word is taken on where a request came from.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

/// The networks of proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Believes proxies in these networks.
    #[must_use]
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address of whoever asks: the peer's own, or, when the peer is a trusted proxy, the last one in
    /// `X-Forwarded-For` that is not. What stands before it may be made up by the client.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut nearest = peer.to_canonical();
        let forwarded = headers.get_all("x-forwarded-for");
        let mut hops: Vec<&str> = forwarded
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        while self.contains(nearest) {
            let Some(address) = hops.pop().and_then(parse_hop) else {
                break;
            };
            nearest = address;
        }
        nearest
    }
}

/// An address as proxies write it: plain, with a port, or in brackets.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    inner.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn address(proxies: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let proxies = TrustedProxies::new(proxies.iter().map(|text| text.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
        }
        proxies
            .client_address(peer.parse().unwrap(), &headers)
            .to_string()
    }

    #[test]
    fn strangers_are_not_believed() {
        assert_eq!(address(&[], "192.0.2.7", &["10.0.0.1"]), "192.0.2.7");
        assert_eq!(address(&["10.0.0.0/8"], "192.0.2.7", &["10.0.0.1"]), "192.0.2.7");
    }

    #[test]
    fn the_last_untrusted_hop_counts() {
        let proxies = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(address(&proxies, "10.0.0.1", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(
            address(&proxies, "10.0.0.1", &["203.0.113.9, 192.0.2.7, 10.0.0.2"]),
            "192.0.2.7"
        );
        assert_eq!(
            address(&proxies, "10.0.0.1", &["203.0.113.9", "192.0.2.7:4711"]),
            "192.0.2.7"
        );
        assert_eq!(
            address(&proxies, "::ffff:10.0.0.1", &["[2001:db8::1]"]),
            "2001:db8::1"
        );
    }

    #[test]
    fn nonsense_stops_at_the_proxy() {
        assert_eq!(
            address(&["10.0.0.0/8"], "10.0.0.1", &["192.0.2.7, unknown"]),
            "10.0.0.1"
        );
        assert_eq!(address(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(address(&["10.0.0.0/8"], "10.0.0.1", &[""]), "10.0.0.1");
    }
}
