//! Changes as values: an operation decides what to change, and a store carries it out in one transaction.

use zenml_auth_model::{
    ApiKey, ApiKeyId, AuditEvent, Device, DeviceGrant, DeviceId, DeviceState, ServerIdentity, ServiceAccount,
    ServiceAccountId, Session, SessionId, SigningKey, SigningKeyId, User, UserId, Version,
};

use super::StoreError;

/// A rule over several rows. A decision by it names the version that was read; the store moves it on, so that
/// two decisions by the same rule can't both go through unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// There is always an active administrator with a password.
    Administrators,
    /// Exactly one signing key signs, and signing keys and the server's secret are sealed alike.
    SigningKeys,
}

impl Guard {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Administrators, Self::SigningKeys];

    /// The name to store it under.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrators => "administrators",
            Self::SigningKeys => "signing_keys",
        }
    }
}

/// One change of one row.
///
/// An update carries the row as it should be, with the version that was **read**; the store writes the next one. The
/// latest use of a device or API key is the exception: a later one that
/// [`Store::note_uses`](super::Store::note_uses) has noted in the meantime stays, as it moved no version on.
#[derive(Debug, Clone)]
pub enum Change {
    /// Sets the server up; refused with [`Unique::Server`] when it is already.
    InsertServer(ServerIdentity),
    /// Changes how the server's secret is kept, and with it the secret if it is another; nothing else of the server
    /// changes. It has no version of its own: the same set of changes has to move [`Guard::SigningKeys`].
    UpdateServer(ServerIdentity),
    /// Adds a signing key.
    InsertSigningKey(SigningKey),
    /// Changes a signing key.
    UpdateSigningKey(SigningKey),
    /// Deletes a signing key: tokens that it signed are refused from when the keys are loaded the next time.
    DeleteSigningKey(SigningKeyId, Version),
    /// Adds a user.
    InsertUser(User),
    /// Changes a user.
    UpdateUser(User),
    /// Deletes a user, with their sessions, devices and the requests they approved.
    DeleteUser(UserId, Version),
    /// Adds a session.
    InsertSession(Session),
    /// Ends a session.
    DeleteSession(SessionId, Version),
    /// Adds a machine's request.
    InsertGrant(DeviceGrant),
    /// Changes a machine's request.
    UpdateGrant(DeviceGrant),
    /// Adds a device.
    InsertDevice(Device),
    /// Changes a device.
    UpdateDevice(Device),
    /// Deletes a device.
    DeleteDevice(DeviceId, Version),
    /// Adds a service account.
    InsertServiceAccount(ServiceAccount),
    /// Changes a service account.
    UpdateServiceAccount(ServiceAccount),
    /// Deletes a service account, with its keys.
    DeleteServiceAccount(ServiceAccountId, Version),
    /// Adds an API key.
    InsertApiKey(ApiKey),
    /// Changes an API key.
    UpdateApiKey(ApiKey),
    /// Deletes an API key.
    DeleteApiKey(ApiKeyId, Version),
    /// Moves a guard on from the version that was read.
    Guard(Guard, Version),
    /// Appends to the audit trail.
    Audit(AuditEvent),
}

/// Changes that are made together or not at all, in this order.
#[derive(Debug, Clone, Default)]
pub struct ChangeSet {
    changes: Vec<Change>,
}

impl ChangeSet {
    /// No changes yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { changes: Vec::new() }
    }

    /// The same set with one more change at its end.
    #[must_use]
    pub fn with(mut self, change: Change) -> Self {
        self.changes.push(change);
        self
    }

    /// The changes, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Change] {
        &self.changes
    }

    /// What these changes need when the disk is full.
    #[must_use]
    pub fn need(&self) -> Need {
        let needs = self.changes.iter().filter_map(Change::need);
        needs.min().unwrap_or(Need::Ordinary)
    }
}

/// What a set of changes needs when the disk is full. A store that keeps some room for that case gives it to those that
/// need it, and to no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// It waits until there is room: it adds something, or gives it back.
    Ordinary,
    /// It may be what somebody needs to take rights away: a sign-in, another password, another value of a key. Anybody can do so
    /// over and over, so it gets a part of the room only.
    MayTakeAway,
    /// It takes rights away, and adds nothing.
    TakesAway,
}

impl Need {
    const fn of_switch(is_on: bool) -> Self {
        if is_on { Self::Ordinary } else { Self::TakesAway }
    }
}

impl Change {
    /// `None` for what goes with others.
    fn need(&self) -> Option<Need> {
        Some(match self {
            Self::DeleteUser(..)
            | Self::DeleteSession(..)
            | Self::DeleteDevice(..)
            | Self::DeleteServiceAccount(..)
            | Self::DeleteApiKey(..)
            | Self::DeleteSigningKey(..) => Need::TakesAway,
            Self::UpdateDevice(device) => {
                // Signing out ends a connection at the moment of the change.
                let has_signed_out = device.expires == device.updated;
                Need::of_switch(device.state == DeviceState::Active && !has_signed_out)
            }
            Self::UpdateServiceAccount(account) => Need::of_switch(account.active),
            Self::UpdateUser(User { active: false, .. })
            | Self::UpdateApiKey(ApiKey { active: false, .. }) => Need::TakesAway,
            Self::InsertSession(_) | Self::UpdateUser(_) | Self::UpdateApiKey(_) => Need::MayTakeAway,
            Self::InsertServer(_)
            | Self::UpdateServer(_)
            | Self::InsertSigningKey(_)
            | Self::UpdateSigningKey(_)
            | Self::InsertUser(_)
            | Self::InsertGrant(_)
            | Self::UpdateGrant(_)
            | Self::InsertDevice(_)
            | Self::InsertServiceAccount(_)
            | Self::InsertApiKey(_) => Need::Ordinary,
            Self::Guard(..) | Self::Audit(_) => return None,
        })
    }
}

/// What there can be only one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unique {
    /// The server itself.
    Server,
    /// A user's name.
    UserName,
    /// A service account's name.
    ServiceAccountName,
    /// An API key's name within its service account.
    ApiKeyName,
    /// The device of one person on one client.
    DeviceOfClient,
    /// A user code or the cookie of a session.
    Code,
    /// An id.
    Id,
}

/// Why a set of changes was not made. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A row has moved on, or is gone, since it was read. Load, decide and commit again.
    #[error("the data has changed in the meantime")]
    Stale,
    /// There is one of these already.
    #[error("there is already such a {0:?}")]
    Taken(Unique),
    /// The row that a new row belongs to is gone.
    #[error("what the new item belongs to does not exist")]
    ParentMissing,
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zenml_auth_model::Action;
    use zenml_auth_testkit::builders::Builders;

    use super::*;
    use crate::rules::device;

    #[test]
    fn what_a_change_needs_on_a_full_disk_is_read_off_it() {
        let build = Builders::new();
        let (user, account) = (build.user("ann"), build.service_account("ci"));
        let (device, key) = (build.device(&user), build.api_key(&account, "key"));
        let session = build.session(&user);
        let audit = || Change::Audit(build.audit_event(Action::UserUpdated));
        let need = |change: Change| ChangeSet::new().with(change).with(audit()).need();
        let version = Version::FIRST;
        let later = device.updated + Duration::from_secs(1);
        let after_its_end = device.expires + Duration::from_secs(1);
        let locked = device::lock(device.clone(), later).unwrap();
        let unlocked = |at| device::unlock(locked.clone(), at).unwrap();

        for takes in [
            Change::DeleteUser(user.id, version),
            Change::DeleteDevice(device.id, version),
            Change::DeleteServiceAccount(account.id, version),
            Change::DeleteApiKey(key.id, version),
            Change::DeleteSession(session.id, version),
            Change::DeleteSigningKey(build.signing_key().id, version),
            Change::UpdateUser(User {
                active: false,
                ..user.clone()
            }),
            Change::UpdateDevice(Device {
                state: DeviceState::Locked,
                ..device.clone()
            }),
            Change::UpdateDevice(device::sign_out(device.clone(), later)),
            Change::UpdateServiceAccount(ServiceAccount {
                active: false,
                ..account.clone()
            }),
            Change::UpdateApiKey(ApiKey {
                active: false,
                ..key.clone()
            }),
        ] {
            assert_eq!(need(takes.clone()), Need::TakesAway, "{takes:?}");
        }
        for may_take in [
            Change::InsertSession(session),
            Change::UpdateUser(user.clone()),
            Change::UpdateApiKey(key.clone()),
        ] {
            assert_eq!(need(may_take.clone()), Need::MayTakeAway, "{may_take:?}");
        }
        for adds in [
            audit(),
            Change::UpdateDevice(unlocked(later)),
            Change::UpdateDevice(unlocked(after_its_end)),
            Change::UpdateServiceAccount(account.clone()),
            Change::InsertUser(user.clone()),
            Change::InsertDevice(device),
            Change::InsertServiceAccount(account),
            Change::InsertApiKey(key),
            Change::InsertGrant(build.grant()),
            Change::UpdateGrant(build.grant()),
        ] {
            assert_eq!(need(adds.clone()), Need::Ordinary, "{adds:?}");
            let hidden = ChangeSet::new()
                .with(Change::DeleteUser(user.id, version))
                .with(adds);
            let is_audit = matches!(hidden.as_slice(), [_, Change::Audit(_)]);
            assert_eq!(hidden.need() == Need::Ordinary, !is_audit, "{hidden:?}");
        }
        assert_eq!(ChangeSet::new().need(), Need::Ordinary);
    }
}
