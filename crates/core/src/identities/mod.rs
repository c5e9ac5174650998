//! Identities in memory, and never a stale one: the revocation epoch at work.
//!
//! Every authenticated request needs a few rows. They are kept in memory ([`Snapshot`]) together with the epoch as of
//! which they are all true. A request is answered from there only after [`Identities::catch_up`] made sure of an
//! epoch that was read *after the request arrived* ([`Shared`]); when the epoch has moved, what was revoked is dropped
//! first. So whatever was committed before a request arrived is seen by that request, on every replica.

mod shared;
mod snapshot;
mod weight;

use std::sync::Arc;

use zenml_auth_model::{
    ApiKey, ApiKeyId, Device, DeviceId, ServiceAccount, ServiceAccountId, Session, SessionId, User, UserId,
};

use self::shared::Shared;
use self::snapshot::{Rows, Snapshot};
use self::weight::Weighed;
use crate::ports::{Store, StoreError};

/// Reads identities, from memory where that is as good as asking the store.
pub(crate) struct Identities {
    store: Arc<dyn Store>,
    snapshot: Snapshot,
    reads: Shared,
}

impl Identities {
    /// Nothing is kept yet; there is room for so many of a kind.
    pub(crate) fn remembering(store: Arc<dyn Store>, most: u32) -> Self {
        Self {
            store,
            snapshot: Snapshot::new(most),
            reads: Shared::default(),
        }
    }

    /// Makes sure that nothing is kept which a commit has revoked that returned before this call.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn catch_up(&self) -> Result<Current<'_>, StoreError> {
        match self.store.own_epoch() {
            Some(epoch) if epoch <= self.snapshot.epoch() => {}
            Some(_) | None => {
                self.reads.read(|| self.read_epoch()).await?;
            }
        }
        Ok(Current(self))
    }

    async fn read_epoch(&self) -> Result<(), StoreError> {
        let known = self.snapshot.epoch();
        // Also when it went back.
        if self.store.epoch().await? != known {
            let revocations = self.store.revoked_since(known).await?;
            self.snapshot.advance(&revocations);
        }
        Ok(())
    }
}

/// The identities as they are now, or have been since [`Identities::catch_up`] was called.
#[derive(Clone, Copy)]
pub(crate) struct Current<'a>(&'a Identities);

impl Current<'_> {
    pub(crate) async fn user(self, id: UserId) -> Result<Option<Arc<User>>, StoreError> {
        self.find(&self.0.snapshot.users, id, self.0.store.user(id)).await
    }

    pub(crate) async fn device(self, id: DeviceId) -> Result<Option<Arc<Device>>, StoreError> {
        self.find(&self.0.snapshot.devices, id, self.0.store.device(id))
            .await
    }

    pub(crate) async fn service_account(
        self,
        id: ServiceAccountId,
    ) -> Result<Option<Arc<ServiceAccount>>, StoreError> {
        let accounts = &self.0.snapshot.service_accounts;
        self.find(accounts, id, self.0.store.service_account(id)).await
    }

    pub(crate) async fn api_key(self, id: ApiKeyId) -> Result<Option<Arc<ApiKey>>, StoreError> {
        self.find(&self.0.snapshot.api_keys, id, self.0.store.api_key(id))
            .await
    }

    pub(crate) async fn session(self, id: SessionId) -> Result<Option<Arc<Session>>, StoreError> {
        self.find(&self.0.snapshot.sessions, id, self.0.store.session(id))
            .await
    }

    /// From memory, or else from the store; `load` does nothing until it is awaited.
    async fn find<K, V>(
        self,
        rows: &Rows<K, V>,
        id: K,
        load: impl Future<Output = Result<Option<V>, StoreError>> + Send,
    ) -> Result<Option<Arc<V>>, StoreError>
    where
        K: Eq + std::hash::Hash + Copy,
        V: Weighed,
    {
        if let Some(kept) = rows.get(&id) {
            return Ok(Some(kept));
        }
        // Before the read, so that the row is at least as new as this epoch.
        let epoch = self.0.snapshot.epoch();
        let Some(row) = load.await? else {
            return Ok(None);
        };
        let row = Arc::new(row);
        self.0.snapshot.keep(rows, id, Arc::clone(&row), epoch);
        Ok(Some(row))
    }
}
