//! Which proxy the way to a server leads through, and who can read what is sent on it.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use crate::address::ServerAddress;

/// Whether the environment says that no server is reached through a proxy. The HTTP library takes the `*` for any name,
/// but for no address.
pub(crate) fn are_off() -> bool {
    ["NO_PROXY", "no_proxy"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .any(|value| value.trim() == "*")
}

/// The proxy that the environment names for this server, without the credentials it may hold; `None` when the way is
/// direct. It is found as the HTTP library finds it, which makes no exception for this machine's own addresses.
pub(crate) fn of(address: &ServerAddress) -> Option<String> {
    if are_off() {
        return None;
    }
    named_by(&Matcher::from_env(), address)
}

fn named_by(matcher: &Matcher, address: &ServerAddress) -> Option<String> {
    let proxy = matcher.intercept(&address.as_str().parse().ok()?)?;
    let uri = proxy.uri();
    let host = uri.host()?;
    let port = uri.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{host}{port}", uri.scheme_str().unwrap_or("http")))
}

/// How others come to read what is sent to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exposure {
    /// It goes over the network unencrypted.
    Network,
    /// The server is on this machine, but a proxy on another one gets what is sent, unencrypted.
    Proxy(String),
}

/// Whether others can read what is sent to a server, with the proxies that the environment names. An `https://` server is
/// safe behind any proxy: the proxy passes on a tunnel (`CONNECT`) and sees what is encrypted.
#[must_use]
pub fn exposure(address: &ServerAddress) -> Option<Exposure> {
    exposure_through(address, of(address))
}

fn exposure_through(address: &ServerAddress, proxy: Option<String>) -> Option<Exposure> {
    if address.is_https() {
        return None;
    }
    if !address.is_loopback() {
        return Some(Exposure::Network);
    }
    proxy.filter(|proxy| !is_loopback(proxy)).map(Exposure::Proxy)
}

/// Whether a URL leads to this machine itself.
pub(crate) fn is_loopback(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| match url.host_str() {
        Some(host) if host.eq_ignore_ascii_case("localhost") => true,
        Some(host) => {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "http://proxy.example.com:3128";

    fn exposed(address: &str, matcher: &Matcher) -> Option<Exposure> {
        let address = address.parse().unwrap();
        exposure_through(&address, named_by(matcher, &address))
    }

    #[test]
    fn a_proxy_elsewhere_reads_what_is_sent_to_this_machine() {
        for matcher in [
            Matcher::builder().http(PROXY).build(),
            Matcher::builder().all(PROXY).build(),
            Matcher::builder().http(PROXY).no("example.com").build(),
        ] {
            for address in [
                "http://127.0.0.1:8237",
                "http://localhost:8237",
                "http://[::1]:8237",
            ] {
                assert_eq!(
                    exposed(address, &matcher),
                    Some(Exposure::Proxy(PROXY.to_owned())),
                    "{address} {matcher:?}"
                );
            }
        }
        let socks = Matcher::builder().all("socks5h://proxy.example.com:1080").build();
        assert!(exposed("http://127.0.0.1:8237", &socks).is_some());
    }

    #[test]
    fn a_proxy_that_is_not_used_or_here_reads_nothing() {
        for matcher in [
            Matcher::builder().build(),
            Matcher::builder().https(PROXY).build(),
            Matcher::builder()
                .http(PROXY)
                .no("localhost, 127.0.0.1, ::1")
                .build(),
            Matcher::builder()
                .all(PROXY)
                .no("127.0.0.0/8, ::1, localhost")
                .build(),
            Matcher::builder().http("127.0.0.1:3128").build(),
            Matcher::builder()
                .http("http://ann:hunter2@LOCALHOST:3128")
                .build(),
            Matcher::builder().all("socks5://[::1]:1080").build(),
        ] {
            for address in [
                "http://127.0.0.1:8237",
                "http://localhost:8237",
                "http://[::1]:8237",
            ] {
                assert_eq!(exposed(address, &matcher), None, "{address} {matcher:?}");
            }
        }
    }

    #[test]
    fn the_network_reads_what_is_not_encrypted_whatever_the_proxy() {
        for matcher in [
            Matcher::builder().build(),
            Matcher::builder().http(PROXY).build(),
            Matcher::builder().http("http://127.0.0.1:3128").build(),
        ] {
            assert_eq!(
                exposed("http://zenml.example.com", &matcher),
                Some(Exposure::Network)
            );
        }
    }

    #[test]
    fn a_proxy_sees_a_tunnel_to_an_encrypted_server() {
        let matcher = Matcher::builder().all(PROXY).build();
        for address in ["https://zenml.example.com", "https://127.0.0.1:8237"] {
            assert_eq!(exposed(address, &matcher), None, "{address}");
        }
    }
}
