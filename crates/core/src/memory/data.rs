//! All tables together, and how changes are made to them.

use std::collections::{HashMap, HashSet};

use zenml_auth_model::{
    ApiKey, AuditEvent, Device, DeviceGrant, ServerIdentity, ServiceAccount, ServiceAccountId, Session,
    SigningKey, Timestamp, User, UserId, Version,
};

use super::rows::approver;
use super::table::Table;
use crate::ports::{Change, ChangeSet, CommitError, Guard, PurgeBefore, Unique};

/// Everything there is.
#[derive(Default)]
pub(super) struct Data {
    pub(super) server: Option<ServerIdentity>,
    guards: HashMap<Guard, Version>,
    pub(super) signing_keys: Table<SigningKey>,
    pub(super) users: Table<User>,
    pub(super) sessions: Table<Session>,
    pub(super) grants: Table<DeviceGrant>,
    pub(super) devices: Table<Device>,
    pub(super) service_accounts: Table<ServiceAccount>,
    pub(super) api_keys: Table<ApiKey>,
    pub(super) audit_events: Table<AuditEvent>,
}

/// Calls a method on every table.
macro_rules! every_table {
    ($data:ident.$method:ident()) => {
        $data.signing_keys.$method();
        $data.users.$method();
        $data.sessions.$method();
        $data.grants.$method();
        $data.devices.$method();
        $data.service_accounts.$method();
        $data.api_keys.$method();
        $data.audit_events.$method();
    };
}

impl Data {
    pub(super) fn guard(&self, guard: Guard) -> Version {
        self.guards.get(&guard).copied().unwrap_or(Version::FIRST)
    }

    /// Makes all of the changes or none.
    pub(super) fn commit(&mut self, changes: &ChangeSet) -> Result<(), CommitError> {
        let (server, guards) = (self.server.clone(), self.guards.clone());
        let result = changes
            .as_slice()
            .iter()
            .try_for_each(|change| self.apply(change));
        if result.is_ok() {
            every_table!(self.keep());
        } else {
            self.server = server;
            self.guards = guards;
            every_table!(self.take_back());
        }
        result
    }

    fn apply(&mut self, change: &Change) -> Result<(), CommitError> {
        match change {
            Change::InsertServer(server) => {
                if self.server.is_some() {
                    return Err(CommitError::Taken(Unique::Server));
                }
                self.server = Some(server.clone());
                Ok(())
            }
            Change::UpdateServer(server) => match &mut self.server {
                Some(kept) if kept.id == server.id => {
                    kept.secret = server.secret.clone();
                    Ok(())
                }
                _ => Err(CommitError::Stale),
            },
            Change::InsertSigningKey(key) => self.signing_keys.insert(key.clone()),
            Change::UpdateSigningKey(key) => self.signing_keys.update(key.clone()),
            Change::DeleteSigningKey(id, version) => self.signing_keys.delete(*id, *version),
            Change::InsertUser(user) => self.users.insert(user.clone()),
            Change::UpdateUser(user) => self.users.update(user.clone()),
            Change::DeleteUser(id, version) => {
                self.users.delete(*id, *version)?;
                self.sessions
                    .remove_where(usize::MAX, |session| session.user_id == *id);
                self.devices
                    .remove_where(usize::MAX, |device| device.user_id == *id);
                self.grants
                    .remove_where(usize::MAX, |grant| approver(grant) == Some(*id));
                Ok(())
            }
            Change::InsertSession(session) => {
                self.sessions.insert(session.clone())?;
                self.needs_user(session.user_id)
            }
            Change::DeleteSession(id, version) => self.sessions.delete(*id, *version),
            Change::InsertGrant(grant) => {
                self.grants.insert(grant.clone())?;
                approver(grant).map_or(Ok(()), |id| self.needs_user(id))
            }
            Change::UpdateGrant(grant) => {
                self.grants.update(grant.clone())?;
                approver(grant).map_or(Ok(()), |id| self.needs_user(id))
            }
            Change::InsertDevice(device) => {
                self.devices.insert(device.clone())?;
                self.needs_user(device.user_id)
            }
            Change::UpdateDevice(device) => {
                self.devices.update(device.clone())?;
                self.needs_user(device.user_id)
            }
            Change::DeleteDevice(id, version) => self.devices.delete(*id, *version),
            Change::InsertServiceAccount(account) => self.service_accounts.insert(account.clone()),
            Change::UpdateServiceAccount(account) => self.service_accounts.update(account.clone()),
            Change::DeleteServiceAccount(id, version) => {
                self.service_accounts.delete(*id, *version)?;
                self.api_keys
                    .remove_where(usize::MAX, |key| key.service_account_id == *id);
                Ok(())
            }
            Change::InsertApiKey(key) => {
                self.api_keys.insert(key.clone())?;
                self.needs_service_account(key.service_account_id)
            }
            Change::UpdateApiKey(key) => {
                self.api_keys.update(key.clone())?;
                self.needs_service_account(key.service_account_id)
            }
            Change::DeleteApiKey(id, version) => self.api_keys.delete(*id, *version),
            Change::Guard(guard, version) => {
                if self.guard(*guard) != *version {
                    return Err(CommitError::Stale);
                }
                self.guards.insert(*guard, version.next());
                Ok(())
            }
            Change::Audit(event) => self.audit_events.insert(event.clone()),
        }
    }

    fn needs_user(&self, id: UserId) -> Result<(), CommitError> {
        if self.users.contains(id) {
            Ok(())
        } else {
            Err(CommitError::ParentMissing)
        }
    }

    fn needs_service_account(&self, id: ServiceAccountId) -> Result<(), CommitError> {
        if self.service_accounts.contains(id) {
            Ok(())
        } else {
            Err(CommitError::ParentMissing)
        }
    }

    pub(super) fn purge(&mut self, before: PurgeBefore, limit: usize) -> usize {
        let removed = self
            .grants
            .remove_where(limit, |grant| grant.expires < before.grants)
            + self
                .sessions
                .remove_where(limit, |session| session.expires < before.sessions)
            + self.signing_keys.remove_where(limit, |key| {
                key.retired_until
                    .is_some_and(|retired_until| retired_until < before.signing_keys)
            });
        every_table!(self.keep());
        removed
    }

    /// Removes the oldest entries.
    pub(super) fn purge_audit(&mut self, before: Timestamp, limit: usize) -> usize {
        let mut old: Vec<_> = self
            .audit_events
            .rows()
            .filter(|event| event.at < before)
            .map(|event| (event.at, event.id))
            .collect();
        old.sort_unstable();
        old.truncate(limit);
        let doomed: HashSet<_> = old.into_iter().map(|(_, id)| id).collect();
        let removed = self
            .audit_events
            .remove_where(usize::MAX, |event| doomed.contains(&event.id));
        self.audit_events.keep();
        removed
    }
}
