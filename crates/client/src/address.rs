//! Where a server is.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use crate::proxy;

/// The address of a server: `http` or `https`, a host, perhaps a port and a path before the API's, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerAddress(String);

/// Why a text is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerAddressError {
    /// No `http://` or `https://`.
    #[error("{text:?} lacks http:// or https://")]
    NoScheme {
        /// What was given.
        text: String,
    },
    /// A text that is not a URL.
    #[error("{text:?} is not a URL: {reason}")]
    NotAUrl {
        /// What was given.
        text: String,
        /// What the parser says.
        reason: String,
    },
    /// A user name or a password in the URL, which would end up in files and logs. Not shown again.
    #[error("the URL holds a user name or a password")]
    HoldsCredentials,
}

impl ServerAddress {
    /// The address, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether the address is this machine's own. What is sent there may still leave the machine, through a proxy:
    /// [`exposure`](crate::exposure) tells.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        proxy::is_loopback(&self.0)
    }

    /// The URL of a path on this server.
    pub(crate) fn join(&self, path: &str, query: &str) -> String {
        if query.is_empty() {
            format!("{}{path}", self.0)
        } else {
            format!("{}{path}?{query}", self.0)
        }
    }

    /// A link that the server gave, made whole: ZenML's server gives it relative to its own address. Nothing but `http` and
    /// `https` is let through, as the link is going to be opened.
    pub(crate) fn resolve_link(&self, link: &str) -> Option<Url> {
        let url = if link.starts_with('/') && !link.starts_with("//") {
            Url::parse(&format!("{}{link}", self.0)).ok()?
        } else {
            Url::parse(link).ok()?
        };
        (matches!(url.scheme(), "http" | "https") && url.host_str().is_some()).then_some(url)
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ServerAddress {
    type Err = ServerAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let shown = || text.chars().filter(|c| !c.is_control()).collect::<String>();
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with("http://") && !lower.starts_with("https://") {
            return Err(ServerAddressError::NoScheme { text: shown() });
        }
        let mut url = Url::parse(text).map_err(|error| ServerAddressError::NotAUrl {
            text: shown(),
            reason: error.to_string(),
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ServerAddressError::HoldsCredentials);
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ServerAddress {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_brought_into_one_form() {
        assert_eq!(address("http://127.0.0.1:8237").as_str(), "http://127.0.0.1:8237");
        assert_eq!(
            address(" HTTPS://Example.com:443/ ").as_str(),
            "https://example.com"
        );
        assert_eq!(
            address("https://example.com/zenml//?a=b#c").as_str(),
            "https://example.com/zenml"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "localhost:8237",
            "example.com",
            "ftp://example.com",
            "file:///etc/passwd",
        ] {
            assert!(
                matches!(
                    text.parse::<ServerAddress>(),
                    Err(ServerAddressError::NoScheme { .. })
                ),
                "{text}"
            );
        }
        for text in ["http://", "https://:80", "http://exa mple.com", "http://x:99999"] {
            assert!(
                matches!(
                    text.parse::<ServerAddress>(),
                    Err(ServerAddressError::NotAUrl { .. })
                ),
                "{text}"
            );
        }
        let secret = "https://ann:hunter2@example.com"
            .parse::<ServerAddress>()
            .unwrap_err();
        assert!(!secret.to_string().contains("hunter2"));
    }

    #[test]
    fn one_s_own_machine_is_known() {
        for text in ["http://localhost:1", "http://127.0.0.1", "http://[::1]:8237"] {
            assert!(address(text).is_loopback(), "{text}");
        }
        assert!(!address("http://example.com").is_loopback());
    }

    #[test]
    fn links_are_made_whole() {
        let link = |text| {
            address("https://example.com/zenml")
                .resolve_link(text)
                .map(String::from)
        };
        assert_eq!(
            link("/devices/verify?a=b").as_deref(),
            Some("https://example.com/zenml/devices/verify?a=b")
        );
        assert_eq!(
            link("https://other.example.com/x").as_deref(),
            Some("https://other.example.com/x")
        );
        for hostile in [
            "javascript:alert(1)",
            "file:///etc/passwd",
            "//evil.example.com",
            "calc.exe",
            "",
        ] {
            assert_eq!(link(hostile), None, "{hostile}");
        }
        assert_eq!(
            link("/a\u{1b}[31m b").as_deref(),
            Some("https://example.com/zenml/a%1B[31m%20b")
        );
    }
}
