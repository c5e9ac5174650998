//! Remembers when keys and devices were last used, to be written behind in batches.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use zenml_auth_model::{ApiKeyId, DeviceId, Timestamp};

use crate::ports::{ApiKeyUse, DeviceUse, Store, StoreError};

/// How fresh a noted use has to be for another one not to matter: listings show seconds at best.
const FRESH: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Default)]
struct Pending {
    keys: HashMap<ApiKeyId, Timestamp>,
    devices: HashMap<DeviceId, Timestamp>,
}

/// Uses that are not written yet.
#[derive(Default)]
pub(super) struct Uses(Mutex<Pending>);

impl Uses {
    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A key was used; `noted` is what the store says already.
    pub(super) fn key(&self, id: ApiKeyId, noted: Option<Timestamp>, now: Timestamp) {
        if noted.is_none_or(|noted| noted + FRESH <= now) {
            self.pending().keys.insert(id, now);
        }
    }

    /// A device was used; `noted` is what the store says already.
    pub(super) fn device(&self, id: DeviceId, noted: Option<Timestamp>, now: Timestamp) {
        if noted.is_none_or(|noted| noted + FRESH <= now) {
            self.pending().devices.insert(id, now);
        }
    }

    /// Writes what is pending. When that fails, it stays pending.
    pub(super) async fn flush(&self, store: &dyn Store) -> Result<(), StoreError> {
        let taken = std::mem::take(&mut *self.pending());
        if taken.keys.is_empty() && taken.devices.is_empty() {
            return Ok(());
        }
        let keys: Vec<_> = taken
            .keys
            .iter()
            .map(|(id, at)| ApiKeyUse { id: *id, at: *at })
            .collect();
        let devices: Vec<_> = taken
            .devices
            .iter()
            .map(|(id, at)| DeviceUse { id: *id, at: *at })
            .collect();
        let written = store.note_uses(&keys, &devices).await;
        if written.is_err() {
            let mut pending = self.pending();
            for (id, at) in taken.keys {
                let latest = pending.keys.entry(id).or_insert(at);
                *latest = (*latest).max(at);
            }
            for (id, at) in taken.devices {
                let latest = pending.devices.entry(id).or_insert(at);
                *latest = (*latest).max(at);
            }
        }
        written
    }
}
