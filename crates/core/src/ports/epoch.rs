//! The revocation epoch: how a cache of identities knows that they are still as they were.

use zenml_auth_model::{ApiKeyId, DeviceId, ServiceAccountId, SessionId, UserId};

use super::{Change, ChangeSet};

/// Counts the commits that may have taken rights away. It only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// Before everything: a cache that knows only this knows nothing.
    pub const UNKNOWN: Self = Self(0);
    /// The epoch of a store in which nothing was revoked yet.
    pub const FIRST: Self = Self(1);

    /// The epoch of this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A row that authenticates somebody for as long as it stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentityRef {
    /// A person.
    User(UserId),
    /// A device.
    Device(DeviceId),
    /// A workload.
    ServiceAccount(ServiceAccountId),
    /// An API key.
    ApiKey(ApiKeyId),
    /// A sign-in.
    Session(SessionId),
}

/// What was revoked between two epochs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocations {
    /// The epoch up to which this is everything.
    pub epoch: Epoch,
    /// What was changed or deleted.
    pub what: Revoked,
}

/// The identities that may have lost rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// These, and what belongs to them.
    These(Vec<IdentityRef>),
    /// It is too long ago to tell: any of them.
    Any,
}

impl ChangeSet {
    /// The identities that these changes may take rights from: all that they change or delete. What goes with a
    /// deleted row is not named, as it is of no use without it. A new row can't take anything away.
    #[must_use]
    pub fn revoked(&self) -> Vec<IdentityRef> {
        self.as_slice().iter().filter_map(Change::revoked).collect()
    }
}

impl Change {
    fn revoked(&self) -> Option<IdentityRef> {
        match self {
            Self::UpdateUser(user) => Some(IdentityRef::User(user.id)),
            Self::DeleteUser(id, _) => Some(IdentityRef::User(*id)),
            Self::UpdateDevice(device) => Some(IdentityRef::Device(device.id)),
            Self::DeleteDevice(id, _) => Some(IdentityRef::Device(*id)),
            Self::UpdateServiceAccount(account) => Some(IdentityRef::ServiceAccount(account.id)),
            Self::DeleteServiceAccount(id, _) => Some(IdentityRef::ServiceAccount(*id)),
            Self::UpdateApiKey(key) => Some(IdentityRef::ApiKey(key.id)),
            Self::DeleteApiKey(id, _) => Some(IdentityRef::ApiKey(*id)),
            Self::DeleteSession(id, _) => Some(IdentityRef::Session(*id)),
            Self::InsertServer(_)
            | Self::UpdateServer(_)
            | Self::InsertSigningKey(_)
            | Self::UpdateSigningKey(_)
            | Self::DeleteSigningKey(..)
            | Self::InsertUser(_)
            | Self::InsertSession(_)
            | Self::InsertGrant(_)
            | Self::UpdateGrant(_)
            | Self::InsertDevice(_)
            | Self::InsertServiceAccount(_)
            | Self::InsertApiKey(_)
            | Self::Guard(..)
            | Self::Audit(_) => None,
        }
    }
}
