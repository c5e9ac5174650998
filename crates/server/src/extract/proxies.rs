//! Which proxies' word is taken on where a request came from.

use std::net::{IpAddr, SocketAddr};
use std::str;

use http::HeaderMap;
use ipnet::IpNet;

/// The header in which trusted proxies say where a request came from. Only one is read: a proxy that writes one of them
/// often passes the other on as the client sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`: addresses with commas in between.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The networks of proxies that are believed, and where they say it.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    header: ForwardedHeader,
}

impl TrustedProxies {
    /// Believes the `X-Forwarded-For` of proxies in these networks. IPv4 networks are written as such, not as mapped ones
    /// of IPv6: that is how addresses are compared.
    #[must_use]
    pub const fn new(networks: Vec<IpNet>) -> Self {
        Self {
            networks,
            header: ForwardedHeader::XForwardedFor,
        }
    }

    /// Believes another header instead.
    #[must_use]
    pub const fn reading(mut self, header: ForwardedHeader) -> Self {
        self.header = header;
        self
    }

    fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// The address of the client: the peer's own, or, when the peer is a trusted proxy, the last one in the header that
    /// is not. Each trusted proxy adds the address of its own peer at the end; what stands before the first address that
    /// is no trusted proxy may be made up by the client. So the header is read hop by hop from its end, as bytes, and
    /// reading ends at the first text that is not an address.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        match self.header {
            ForwardedHeader::XForwardedFor => {
                let lines = headers.get_all("x-forwarded-for").iter().rev();
                let hops = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
                self.walk(peer, hops.map(parse_node))
            }
            ForwardedHeader::Forwarded => {
                let lines = headers.get_all("forwarded").iter().rev();
                let hops = lines.flat_map(|line| Elements(Some(line.as_bytes())));
                self.walk(peer, hops.map(parse_element))
            }
        }
    }

    fn walk(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut nearest = peer;
        for hop in hops {
            let Some(address) = hop else { break };
            nearest = address;
            if !self.contains(nearest) {
                break;
            }
        }
        nearest
    }
}

/// An address as proxies write it: plain, with a port, in brackets, with a zone. What is hidden (`_secret`) or `unknown`
/// is none.
fn parse_node(bytes: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(bytes.trim_ascii()).ok()?;
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let (address, rest) = match text.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        // With a port that is hidden, too; or of IPv6 with a zone.
        None => match text.split_once(":_") {
            Some((address, port)) if is_hidden(port) => (address, ""),
            _ => (text, ""),
        },
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok() || port.strip_prefix('_').is_some_and(is_hidden);
    if !rest.is_empty() && !rest.strip_prefix(':').is_some_and(is_port) {
        return None;
    }
    let address = match address.split_once('%') {
        Some((address, zone)) if is_hidden(zone) => address,
        _ => address,
    };
    address
        .parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
}

/// Whether it is made of the characters of RFC 7239 §6.3.
fn is_hidden(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The elements of a `Forwarded` header, from its end. Read from its start, a quote that the client left open would
/// swallow what proxies added behind it.
struct Elements<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let left = self.0?;
        let mut is_quoted = false;
        let comma = left.iter().rposition(|byte| {
            is_quoted ^= *byte == b'"';
            *byte == b',' && !is_quoted
        });
        let (rest, element) = match comma {
            Some(comma) => (left.get(..comma), left.get(comma + 1..)?),
            None => (None, left),
        };
        self.0 = rest;
        Some(element)
    }
}

/// The address in an element such as `for="[2001:db8::1]:4711";proto=https`.
fn parse_element(element: &[u8]) -> Option<IpAddr> {
    // Nothing that has to be escaped belongs into an address, and nothing else is read.
    if element.contains(&b'\\') {
        return None;
    }
    let mut is_quoted = false;
    let mut node = None;
    let pairs = element.split(|byte| {
        is_quoted ^= *byte == b'"';
        *byte == b';' && !is_quoted
    });
    for pair in pairs {
        let pair = pair.trim_ascii();
        if !pair
            .get(..4)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"for="))
        {
            continue;
        }
        let value = pair.get(4..)?;
        let value = match value {
            [b'"', inner @ .., b'"'] => inner,
            _ => value,
        };
        // Each parameter comes once (RFC 7239 §4).
        if node.replace(value).is_some() {
            return None;
        }
    }
    node.and_then(parse_node)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    const X: (&str, ForwardedHeader) = ("x-forwarded-for", ForwardedHeader::XForwardedFor);
    const FORWARDED: (&str, ForwardedHeader) = ("forwarded", ForwardedHeader::Forwarded);

    fn read(
        (name, header): (&'static str, ForwardedHeader),
        proxies: &[&str],
        peer: &str,
        lines: &[&[u8]],
    ) -> String {
        let networks = proxies.iter().map(|text| text.parse().unwrap()).collect();
        let proxies = TrustedProxies::new(networks).reading(header);
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_bytes(line).unwrap(),
            );
        }
        proxies
            .client_address(peer.parse().unwrap(), &headers)
            .to_string()
    }

    fn address(proxies: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let lines: Vec<&[u8]> = forwarded.iter().map(|line| line.as_bytes()).collect();
        read(X, proxies, peer, &lines)
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
    fn an_odd_byte_before_it_changes_nothing() {
        let line = |line: &[u8]| read(X, &["10.0.0.0/8"], "10.0.0.1", &[line]);
        assert_eq!(line(b"\xff, 192.0.2.7"), "192.0.2.7");
        assert_eq!(line(b"\xe4\xf6, 203.0.113.9, 192.0.2.7, 10.0.0.2"), "192.0.2.7");
        let two: [&[u8]; 2] = [b"\xff", b"192.0.2.7"];
        assert_eq!(read(X, &["10.0.0.0/8"], "10.0.0.1", &two), "192.0.2.7");
        let first: [&[u8]; 2] = [b"192.0.2.7", b"\xff"];
        assert_eq!(read(X, &["10.0.0.0/8"], "10.0.0.1", &first), "10.0.0.1");
    }

    #[test]
    fn what_is_no_address_ends_the_walk() {
        for nonsense in [
            "unknown",
            "_hidden",
            "",
            "192.0.2",
            "192.0.2.7:99999",
            "[::1",
            "[::1]x",
            "a%b",
        ] {
            let line = format!("192.0.2.7, {nonsense}, 10.0.0.2");
            assert_eq!(
                address(&["10.0.0.0/8"], "10.0.0.1", &[&line]),
                "10.0.0.2",
                "{nonsense}"
            );
        }
        assert_eq!(address(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(address(&["10.0.0.0/8"], "10.0.0.1", &[""]), "10.0.0.1");
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        for (text, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:80", "192.0.2.7"),
            ("192.0.2.7:_x", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("[2001:db8::1]:_x", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("[::ffff:192.0.2.7]:80", "192.0.2.7"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%eth0]:80", "fe80::1"),
        ] {
            let proxies = ["10.0.0.0/8"];
            assert_eq!(address(&proxies, "10.0.0.1", &[text]), expected, "{text}");
            let element = format!("proto=https;FOR=\"{text}\"; by=10.0.0.1");
            let lines: [&[u8]; 1] = [element.as_bytes()];
            assert_eq!(read(FORWARDED, &proxies, "10.0.0.1", &lines), expected, "{text}");
        }
    }

    #[test]
    fn forwarded_is_read_as_the_rfc_says() {
        let read = |lines: &[&str]| {
            let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            read(FORWARDED, &["10.0.0.0/8"], "10.0.0.1", &lines)
        };
        assert_eq!(read(&["for=203.0.113.9, for=192.0.2.7;proto=https"]), "192.0.2.7");
        assert_eq!(read(&["for=192.0.2.7", "for=10.0.0.2"]), "192.0.2.7");
        assert_eq!(
            read(&["for=192.0.2.7, for=10.0.0.2;host=\"a,b;for=1.2.3.4\""]),
            "192.0.2.7"
        );
        // A quote that the client left open.
        assert_eq!(read(&["for=\"203.0.113.9, for=192.0.2.7"]), "192.0.2.7");
        for nonsense in [
            "proto=https",
            "for=unknown",
            "for=\"_hidden\"",
            "for=1.2.3.4;for=1.2.3.5",
            "for=\"1.2.3.\\4\"",
            "for",
            "",
        ] {
            assert_eq!(
                read(&[&format!("for=192.0.2.7, {nonsense}")]),
                "10.0.0.1",
                "{nonsense}"
            );
        }
    }

    #[test]
    fn only_the_header_that_was_chosen_is_believed() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("192.0.2.1"));
        headers.insert("forwarded", HeaderValue::from_static("for=192.0.2.2"));
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(proxies.client_address(peer, &headers).to_string(), "192.0.2.1");
        let proxies = proxies.reading(ForwardedHeader::Forwarded);
        assert_eq!(proxies.client_address(peer, &headers).to_string(), "192.0.2.2");
    }

    proptest! {
        /// Whatever a client sends, through however many trusted proxies, each of which adds its peer to the last line
        /// or in a line of its own: the address is the one that the first of them saw.
        #[test]
        fn the_client_never_chooses_its_address(
            made_up in proptest::collection::vec(
                proptest::collection::vec(
                    prop_oneof![
                        Just(b",".to_vec()), Just(b"\"".to_vec()), Just(b"\\".to_vec()), Just(b";".to_vec()),
                        Just(b"for=".to_vec()), Just(b"10.0.0.9".to_vec()), Just(b"1.2.3.4".to_vec()),
                        Just(b"[::1]:1".to_vec()), (0x80u8..=0xff).prop_map(|byte| vec![byte]),
                        (0x20u8..=0x7e).prop_map(|byte| vec![byte]),
                    ],
                    0..12,
                ),
                0..3,
            ),
            proxies in proptest::collection::vec((1u8..=250, any::<bool>()), 1..4),
            is_v6: bool,
            has_port: bool,
            is_forwarded: bool,
        ) {
            let kind = if is_forwarded { FORWARDED } else { X };
            let client: IpAddr = if is_v6 { "2001:db8::7" } else { "192.0.2.7" }.parse().unwrap();
            let write = |address: IpAddr| {
                let text = match (address.is_ipv6(), has_port) {
                    (true, true) => format!("[{address}]:4711"),
                    (false, true) => format!("{address}:4711"),
                    (true, false) if is_forwarded => format!("[{address}]"),
                    (_, false) => address.to_string(),
                };
                if is_forwarded { format!("for=\"{text}\"") } else { text }
            };
            let mut lines: Vec<Vec<u8>> = made_up.into_iter().map(|parts| parts.concat()).collect();
            let mut peer = client;
            for (last, in_own_line) in proxies {
                let hop = write(peer).into_bytes();
                match lines.last_mut() {
                    Some(line) if !in_own_line => line.extend([b", ".as_slice(), &hop].concat()),
                    _ => lines.push(hop),
                }
                peer = IpAddr::from([10, 0, 0, last]);
            }
            let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(read(kind, &["10.0.0.0/8"], &peer.to_string(), &lines), client.to_string());
        }
    }
}
