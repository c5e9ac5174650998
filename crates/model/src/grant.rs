//! Device authorization requests (RFC 8628).

use std::time::Duration;

use crate::{ClientId, CodeMac, DeviceId, DeviceTraits, GrantId, SecretHash, Timestamp, UserId, Version};

/// Why a request was denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DenialReason {
    /// The person said no.
    ByUser,
    /// Too many wrong user codes were tried on it.
    TooManyAttempts,
}

/// How far a request has come. Expiry is not a state: it follows from [`DeviceGrant::expires`] and the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantState {
    /// Nobody has decided yet.
    Pending,
    /// A person let the machine in, and it has not fetched its token yet.
    Approved {
        /// Who.
        by: UserId,
        /// [`User::credentials_gen`](crate::User::credentials_gen) at that time: a password that is changed before
        /// the token is fetched takes the approval back.
        credentials_gen: u32,
        /// Whether they trust the machine.
        trusted: bool,
        /// When.
        at: Timestamp,
    },
    /// It will get no token.
    Denied {
        /// Why.
        reason: DenialReason,
        /// When.
        at: Timestamp,
    },
    /// The machine has its token; the device code is spent.
    Exchanged {
        /// Who had let it in.
        by: UserId,
        /// The device that it became, or was already.
        device: DeviceId,
        /// When.
        at: Timestamp,
    },
}

/// How often the machine may ask (RFC 8628 §3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polling {
    /// The least time between two polls; grows with each poll that comes too early.
    pub interval: Duration,
    /// When it last asked.
    pub last: Option<Timestamp>,
}

/// A device authorization request: a device code it polls with, a user code a person confirms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceGrant {
    /// The request's id; becomes the device's id when the device is new.
    pub id: GrantId,
    /// The client installation that asks.
    pub client_id: ClientId,
    /// The hash of the device code.
    pub device_code: SecretHash,
    /// The MAC of the user code.
    pub user_code: CodeMac,
    /// What the machine says of itself.
    pub traits: DeviceTraits,
    /// How often it may ask.
    pub polling: Polling,
    /// How many wrong user codes were tried on it.
    pub failed_attempts: u32,
    /// How far it has come.
    pub state: GrantState,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed by a decision.
    pub updated: Timestamp,
    /// When it ends, unless it was exchanged before.
    pub expires: Timestamp,
    /// For compare-and-swap.
    pub version: Version,
}
