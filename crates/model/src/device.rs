//! Machines that a person has connected.

use crate::{ClientId, DeviceId, Text, Timestamp, UsedFrom, UserId, Version};

/// What a machine says of itself in its user agent, and the address it came from. Shown to the person who
/// decides, never relied upon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceTraits {
    /// `Host/…`: the machine's name.
    pub hostname: Option<Text>,
    /// `OS/…`: the operating system, such as `Linux`.
    pub os: Option<Text>,
    /// The network address of the request.
    pub ip_address: Option<Text>,
    /// `Python/…`: the Python version, for the Python client.
    pub python_version: Option<Text>,
    /// `ZenML/…`: the client's version.
    pub zenml_version: Option<Text>,
}

/// Whether a device may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceState {
    /// Its token is good until the device expires.
    Active,
    /// Switched off by its owner; its token is refused until the lock is lifted.
    Locked,
}

/// A machine that a person connected and chose to trust or not. There is one per client **and** person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device's id: that of the grant through which it first came.
    pub id: DeviceId,
    /// Whose it is.
    pub user_id: UserId,
    /// The client installation on the machine.
    pub client_id: ClientId,
    /// Whether it may be used.
    pub state: DeviceState,
    /// Whether its owner trusts it, and so lets it stay connected for longer.
    pub trusted: bool,
    /// When the latest connection ends.
    pub expires: Timestamp,
    /// What it says of itself.
    pub traits: DeviceTraits,
    /// Counts connections: each one ends the token of the one before, and so does signing out.
    pub token_gen: u32,
    /// When it last connected or was last used.
    pub last_login: Option<Timestamp>,
    /// From where it last connected or was last used.
    pub last_used_from: UsedFrom,
    /// When it first connected.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// For compare-and-swap.
    pub version: Version,
}
