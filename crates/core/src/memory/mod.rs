//! A store that keeps everything in memory, for tests and for embedders that need no durability.
//!
//! It passes the same contract suite as the SQL store. What it holds is gone with the process, and listings look at
//! every row, so it is meant for thousands of rows rather than millions.

mod attempts;
mod data;
mod fields;
mod key_uses;
mod listing;
mod rows;
mod table;

use async_trait::async_trait;
use parking_lot::Mutex;
use zenml_auth_model::query::{
    ApiKeyField, AuditField, DeviceField, Page, Query, ServiceAccountField, UserField,
};
use zenml_auth_model::{
    ApiKey, ApiKeyId, AuditEvent, ClientId, CodeMac, Device, DeviceGrant, DeviceId, GrantId, KeyUse,
    SecretHash, ServerIdentity, ServiceAccount, ServiceAccountId, Session, SessionId, SigningKey, Timestamp,
    User, UserId, Version,
};

use self::attempts::Attempts;
use self::data::Data;
use self::key_uses::KeyUses;
use self::table::Key;
use crate::epoch_log::EpochLog;
use crate::ports::{
    ApiKeyUse, ChangeSet, CommitError, DeviceUse, Epoch, FamiliarNetwork, Guard, PurgeBefore, Revocations,
    SessionUse, Store, StoreError,
};
use crate::rules::slow_down::Failures;

/// Keeps everything in memory.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use zenml_auth_core::memory::MemoryStore;
/// use zenml_auth_core::ports::{Change, ChangeSet, Guard, Store};
///
/// let store = MemoryStore::new();
/// let read = store.guard(Guard::SigningKeys).await?;
/// store.commit(ChangeSet::new().with(Change::Guard(Guard::SigningKeys, read))).await?;
/// assert_eq!(store.guard(Guard::SigningKeys).await?, read.next());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Default)]
pub struct MemoryStore {
    data: Mutex<Data>,
    epochs: EpochLog,
    /// Locked after the data.
    key_uses: Mutex<KeyUses>,
    /// Locked on its own.
    attempts: Mutex<Attempts>,
}

impl MemoryStore {
    /// A store with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(&self, changes: ChangeSet) -> Result<(), CommitError> {
        let mut data = self.data.lock();
        data.commit(&changes)?;
        self.key_uses.lock().keep(|id| data.api_keys.contains(id));
        self.epochs.revoke(changes.revoked());
        Ok(())
    }

    async fn epoch(&self) -> Result<Epoch, StoreError> {
        Ok(self.epochs.epoch())
    }

    fn own_epoch(&self) -> Option<Epoch> {
        Some(self.epochs.epoch())
    }

    async fn revoked_since(&self, since: Epoch) -> Result<Revocations, StoreError> {
        Ok(self.epochs.since(since))
    }

    async fn guard(&self, guard: Guard) -> Result<Version, StoreError> {
        Ok(self.data.lock().guard(guard))
    }

    async fn server(&self) -> Result<Option<ServerIdentity>, StoreError> {
        Ok(self.data.lock().server.clone())
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        let mut keys: Vec<SigningKey> = self.data.lock().signing_keys.rows().cloned().collect();
        keys.sort_unstable_by_key(|key| (key.created, key.id));
        Ok(keys)
    }

    async fn last_end(&self) -> Result<Option<Timestamp>, StoreError> {
        let data = self.data.lock();
        let devices = data.devices.rows().map(|device| device.expires);
        let sessions = data.sessions.rows().map(|session| session.expires);
        Ok(devices.chain(sessions).max())
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.data.lock().users.get(id).cloned())
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<User>, StoreError> {
        Ok(self
            .data
            .lock()
            .users
            .by_key(&Key::Name(name.to_owned()))
            .cloned())
    }

    async fn list_users(
        &self,
        query: &Query<UserField>,
        only: Option<UserId>,
    ) -> Result<Page<User>, StoreError> {
        let data = self.data.lock();
        let users = data
            .users
            .rows()
            .filter(|user| only.is_none_or(|id| user.id == id));
        Ok(listing::page(
            users,
            query,
            |user| user.id.as_uuid(),
            fields::user,
        ))
    }

    async fn count_administrators(&self) -> Result<u64, StoreError> {
        let data = self.data.lock();
        let administrators = data
            .users
            .rows()
            .filter(|user| user.is_admin && user.active && user.password.is_some())
            .count();
        Ok(u64::try_from(administrators).unwrap_or(u64::MAX))
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(self.data.lock().sessions.get(id).cloned())
    }

    async fn session_by_cookie(&self, cookie: &SecretHash) -> Result<Option<Session>, StoreError> {
        Ok(self
            .data
            .lock()
            .sessions
            .by_key(&Key::Cookie(*cookie.as_bytes()))
            .cloned())
    }

    async fn grant(&self, id: GrantId) -> Result<Option<DeviceGrant>, StoreError> {
        Ok(self.data.lock().grants.get(id).cloned())
    }

    async fn grant_by_user_code(&self, code: &CodeMac) -> Result<Option<DeviceGrant>, StoreError> {
        Ok(self
            .data
            .lock()
            .grants
            .by_key(&Key::UserCode(*code.as_bytes()))
            .cloned())
    }

    async fn client_is_known(&self, client: ClientId) -> Result<bool, StoreError> {
        let data = self.data.lock();
        Ok(data.grants.rows().any(|grant| grant.client_id == client)
            || data.devices.rows().any(|device| device.client_id == client))
    }

    async fn client_has_device(&self, client: ClientId) -> Result<bool, StoreError> {
        let data = self.data.lock();
        Ok(data.devices.rows().any(|device| device.client_id == client))
    }

    async fn device(&self, id: DeviceId) -> Result<Option<Device>, StoreError> {
        Ok(self.data.lock().devices.get(id).cloned())
    }

    async fn device_of(&self, client: ClientId, user: UserId) -> Result<Option<Device>, StoreError> {
        Ok(self
            .data
            .lock()
            .devices
            .by_key(&Key::Pair(client.as_uuid(), user.as_uuid()))
            .cloned())
    }

    async fn list_devices(
        &self,
        query: &Query<DeviceField>,
        owner: UserId,
    ) -> Result<Page<Device>, StoreError> {
        let data = self.data.lock();
        let devices = data.devices.rows().filter(|device| device.user_id == owner);
        Ok(listing::page(
            devices,
            query,
            |device| device.id.as_uuid(),
            fields::device,
        ))
    }

    async fn service_account(&self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError> {
        Ok(self.data.lock().service_accounts.get(id).cloned())
    }

    async fn service_account_by_name(&self, name: &str) -> Result<Option<ServiceAccount>, StoreError> {
        Ok(self
            .data
            .lock()
            .service_accounts
            .by_key(&Key::Name(name.to_owned()))
            .cloned())
    }

    async fn list_service_accounts(
        &self,
        query: &Query<ServiceAccountField>,
    ) -> Result<Page<ServiceAccount>, StoreError> {
        let data = self.data.lock();
        let accounts = data.service_accounts.rows();
        Ok(listing::page(
            accounts,
            query,
            |account| account.id.as_uuid(),
            fields::service_account,
        ))
    }

    async fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.data.lock().api_keys.get(id).cloned())
    }

    async fn api_key_by_name(
        &self,
        account: ServiceAccountId,
        name: &str,
    ) -> Result<Option<ApiKey>, StoreError> {
        let key = Key::NameIn(account.as_uuid(), name.to_owned());
        Ok(self.data.lock().api_keys.by_key(&key).cloned())
    }

    async fn list_api_keys(
        &self,
        query: &Query<ApiKeyField>,
        account: ServiceAccountId,
    ) -> Result<Page<ApiKey>, StoreError> {
        let data = self.data.lock();
        let keys = data
            .api_keys
            .rows()
            .filter(|key| key.service_account_id == account);
        Ok(listing::page(
            keys,
            query,
            |key| key.id.as_uuid(),
            fields::api_key,
        ))
    }

    async fn api_key_uses(&self, id: ApiKeyId) -> Result<Vec<KeyUse>, StoreError> {
        let data = self.data.lock();
        if data.api_keys.contains(id) {
            Ok(self.key_uses.lock().of(id))
        } else {
            Ok(Vec::new())
        }
    }

    async fn list_audit_events(&self, query: &Query<AuditField>) -> Result<Page<AuditEvent>, StoreError> {
        let data = self.data.lock();
        let events = data.audit_events.rows();
        Ok(listing::page(
            events,
            query,
            |event| event.id.as_uuid(),
            fields::audit_event,
        ))
    }

    async fn note_uses(&self, keys: &[ApiKeyUse], devices: &[DeviceUse]) -> Result<(), StoreError> {
        let mut data = self.data.lock();
        for ApiKeyUse { id, latest } in keys {
            data.api_keys.note(*id, |key| {
                if key.last_login <= Some(latest.at) {
                    key.last_login = Some(latest.at);
                    key.last_used_from = latest.from.clone();
                }
            });
        }
        for DeviceUse { id, at, from } in devices {
            data.devices.note(*id, |device| {
                if device.last_login <= Some(*at) {
                    device.last_login = Some(*at);
                    device.last_used_from = from.clone();
                }
            });
        }
        let mut uses = self.key_uses.lock();
        uses.note(keys);
        uses.keep(|id| data.api_keys.contains(id));
        Ok(())
    }

    async fn note_session_uses(&self, sessions: &[SessionUse]) -> Result<(), StoreError> {
        let mut data = self.data.lock();
        for SessionUse { id, at } in sessions {
            data.sessions
                .note(*id, |session| session.last_active = session.last_active.max(*at));
        }
        Ok(())
    }

    async fn failures(&self, key: &SecretHash) -> Result<Option<Failures>, StoreError> {
        Ok(self.attempts.lock().failures(key))
    }

    async fn count_failure(
        &self,
        key: &SecretHash,
        at: Timestamp,
        forgotten_before: Timestamp,
    ) -> Result<(), StoreError> {
        self.attempts.lock().count_failure(key, at, forgotten_before);
        Ok(())
    }

    async fn forget_failures(&self, key: &SecretHash) -> Result<(), StoreError> {
        self.attempts.lock().forget_failures(key);
        Ok(())
    }

    async fn network_seen(&self, id: &SecretHash) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.attempts.lock().network_seen(id))
    }

    async fn note_network(&self, network: &FamiliarNetwork) -> Result<(), StoreError> {
        self.attempts.lock().note_network(network);
        Ok(())
    }

    async fn purge(&self, before: PurgeBefore, limit: u32) -> Result<u64, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let removed = self.data.lock().purge(before, limit) + self.attempts.lock().purge(before, limit);
        Ok(u64::try_from(removed).unwrap_or(u64::MAX))
    }

    async fn purge_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let removed = self.data.lock().purge_audit(before, limit);
        Ok(u64::try_from(removed).unwrap_or(u64::MAX))
    }
}
