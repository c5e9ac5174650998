//! How the values of settings are written.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;
use zenml_auth_core::settings::Rate;
use zenml_auth_storage::TlsMode;

use crate::extract::proxies::ForwardedHeader;

/// A time span such as `30d`, `24h`, `5m` or `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span = humantime::parse_duration(text)
            .map_err(|error| format!("{error} (write a time span as 30d, 24h, 5m or 10s)"))?;
        if span < Duration::from_secs(1) {
            return Err("a time span has to be at least one second".to_owned());
        }
        if span > Duration::from_secs(10 * 366 * 24 * 60 * 60) {
            return Err("a time span has to be at most ten years".to_owned());
        }
        Ok(Self(span))
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A time span that may be none, of ten minutes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pause(pub Duration);

impl FromStr for Pause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span = humantime::parse_duration(text)
            .map_err(|error| format!("{error} (write a time span as 5s, or 0s for none)"))?;
        if span > Duration::from_secs(600) {
            return Err("this time span has to be at most ten minutes".to_owned());
        }
        Ok(Self(span))
    }
}

impl TryFrom<String> for Pause {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Room on a disk, such as `16MiB`; at most a tebibyte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let size: ByteSize = text
            .parse()
            .map_err(|_| format!("{text:?} is no size (write one as 16MiB, or 0 for none)"))?;
        if size > ByteSize::tib(1) {
            return Err("a size has to be at most 1TiB".to_owned());
        }
        Ok(Self(size.as_u64()))
    }
}

impl TryFrom<String> for Size {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A number of failures in a time span, such as `10/15m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct RateText(pub Rate);

impl FromStr for RateText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || format!("{text:?} is no rate; write one as 10/15m: at most 10 in 15 minutes");
        let (count, span) = text.split_once('/').ok_or_else(refused)?;
        let burst: u32 = count.trim().parse().map_err(|_| refused())?;
        if burst == 0 {
            return Err(
                "a rate has to let at least one through; use --rate-limit off for none at all".to_owned(),
            );
        }
        let Span(per) = span.trim().parse()?;
        Ok(Self(Rate { burst, per }))
    }
}

impl TryFrom<String> for RateText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// How long something is kept: a time span, or `forever`, which may also be written `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Keep(pub Option<Duration>);

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if matches!(text, "0" | "forever") {
            return Ok(Self(None));
        }
        let Span(span) = text
            .parse()
            .map_err(|error| format!("{error}; to keep everything, write forever"))?;
        Ok(Self(Some(span)))
    }
}

impl TryFrom<String> for Keep {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Networks or single addresses, with commas, blanks or line breaks in between. IPv4 is kept as IPv4, also if it is written
/// as IPv6.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Networks(pub Vec<IpNet>);

impl FromStr for Networks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split(|it: char| it == ',' || it.is_whitespace());
        parts
            .filter(|part| !part.is_empty())
            .map(|part| {
                part.parse::<IpNet>()
                    .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                    .map(canonical)
                    .map_err(|_| {
                        format!("{part:?} is no network and no address; write one as 10.1.2.0/24 or 10.1.2.3")
                    })
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl TryFrom<String> for Networks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// An IPv4 network that is written as one of IPv6, as IPv4: that is how addresses are compared.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else {
        return network;
    };
    match (
        mapped.network().to_ipv4_mapped(),
        mapped.prefix_len().checked_sub(96),
    ) {
        (Some(address), Some(length)) => Ipv4Net::new(address, length).map_or(network, IpNet::V4),
        _ => network,
    }
}

/// The header in which trusted proxies say where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeaderName {
    /// `X-Forwarded-For`
    XForwardedFor,
    /// `Forwarded` (RFC 7239)
    Forwarded,
}

impl From<ForwardedHeaderName> for ForwardedHeader {
    fn from(name: ForwardedHeaderName) -> Self {
        match name {
            ForwardedHeaderName::XForwardedFor => Self::XForwardedFor,
            ForwardedHeaderName::Forwarded => Self::Forwarded,
        }
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// How connections to a database server are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Not at all.
    Disable,
    /// With TLS if the server has it.
    Prefer,
    /// With TLS, to any server that answers.
    Require,
    /// With the certificate of a trusted authority, whatever name is on it.
    VerifyCa,
    /// With the certificate of a trusted authority for the host that was asked for.
    VerifyFull,
}

impl From<Tls> for TlsMode {
    fn from(tls: Tls) -> Self {
        match tls {
            Tls::Disable => Self::Disable,
            Tls::Prefer => Self::Prefer,
            Tls::Require => Self::Require,
            Tls::VerifyCa => Self::VerifyCa,
            Tls::VerifyFull => Self::VerifyFull,
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_rates_are_read() {
        assert_eq!("30d".parse(), Ok(Span(Duration::from_secs(30 * 86_400))));
        assert_eq!("1h 30m".parse(), Ok(Span(Duration::from_secs(5400))));
        assert_eq!(
            "10/15m".parse(),
            Ok(RateText(Rate {
                burst: 10,
                per: Duration::from_secs(900)
            }))
        );
    }

    #[test]
    fn what_is_kept_for_ever_is_read() {
        assert_eq!("forever".parse(), Ok(Keep(None)));
        assert_eq!("0".parse(), Ok(Keep(None)));
        assert_eq!("90d".parse(), Ok(Keep(Some(Duration::from_secs(90 * 86_400)))));
        for text in ["", "0d", "never", "-1"] {
            assert!(text.parse::<Keep>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!("16MiB".parse(), Ok(Size(16 << 20)));
        assert_eq!("1 GiB".parse(), Ok(Size(1 << 30)));
        assert_eq!("0".parse(), Ok(Size(0)));
        for text in ["", "MiB", "-1MiB", "2TiB", "much"] {
            assert!(text.parse::<Size>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn networks_are_read_as_people_write_them() {
        let read = |text: &str| {
            let networks = text.parse::<Networks>().unwrap().0;
            networks
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(read("10.0.0.0/8"), "10.0.0.0/8");
        assert_eq!(read("192.0.2.7"), "192.0.2.7/32");
        assert_eq!(read("::1"), "::1/128");
        assert_eq!(
            read(" 10.0.0.0/8,192.0.2.7 ,\n fd00::/8\r\n\t::1,, "),
            "10.0.0.0/8 192.0.2.7/32 fd00::/8 ::1/128"
        );
        assert_eq!(
            read("::ffff:10.0.0.0/104 ::ffff:192.0.2.7 ::ffff:0:0/96 ::/8"),
            "10.0.0.0/8 192.0.2.7/32 0.0.0.0/0 ::/8"
        );
        assert_eq!(read(""), "");
        for text in [
            "10.0.0.0/33",
            "10.0.0",
            "proxy",
            "10.0.0.1:80",
            "10.0.0.1;10.0.0.2",
        ] {
            assert!(text.parse::<Networks>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_pause_may_be_none_but_not_long() {
        assert_eq!("0s".parse(), Ok(Pause(Duration::ZERO)));
        assert_eq!("7s".parse(), Ok(Pause(Duration::from_secs(7))));
        for text in ["", "5", "-1s", "11m"] {
            assert!(text.parse::<Pause>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "30", "-1d", "0s", "10ms", "1000y", "soon"] {
            assert!(text.parse::<Span>().is_err(), "{text:?}");
        }
        for text in ["", "10", "0/15m", "10/", "ten/15m", "10/15", "-1/15m"] {
            assert!(text.parse::<RateText>().is_err(), "{text:?}");
        }
    }
}
