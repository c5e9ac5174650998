//! From where keys and devices are used.

use std::net::IpAddr;

use crate::{Origin, Text, Timestamp};

/// From where something was used, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct UsedFrom {
    /// The network address.
    pub address: Option<IpAddr>,
    /// What the program said of itself: its `User-Agent`. Anybody can say anything there.
    pub agent: Option<Text>,
}

impl UsedFrom {
    /// Whether a request came from there.
    #[must_use]
    pub fn is(&self, origin: &Origin) -> bool {
        self.address == origin.address && self.agent == origin.user_agent
    }
}

impl From<&Origin> for UsedFrom {
    fn from(origin: &Origin) -> Self {
        Self {
            address: origin.address,
            agent: origin.user_agent.clone(),
        }
    }
}

/// The latest use of one value of an API key, or of a token made from it, by one who uses it: one address with one
/// `User-Agent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// Which value: its [`KeyGeneration::number`](crate::KeyGeneration::number).
    pub generation: u32,
    /// When it was last used from there.
    pub at: Timestamp,
    /// From where.
    pub from: UsedFrom,
}
