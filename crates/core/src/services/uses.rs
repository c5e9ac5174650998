//! Remembers when keys and devices were last used, to be written behind in batches.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use parking_lot::Mutex;
use zenml_auth_model::{ApiKey, ApiKeyId, Device, DeviceId, Timestamp};

use crate::ports::{ApiKeyUse, DeviceUse, Store, StoreError};

/// How often the uses of one key or device are written at most, but for the first one, which is not held back.
const WRITE_EVERY: Duration = Duration::from_secs(10);

/// How many uses are written in one transaction, so that nobody waits for it.
const BATCH: usize = 500;

#[derive(Clone, Copy)]
struct Use {
    at: Timestamp,
    written: Option<Timestamp>,
}

impl Use {
    fn is_due(&self, now: Timestamp, all: bool) -> bool {
        match self.written {
            None => true,
            Some(written) => written < self.at && (all || written + WRITE_EVERY <= now),
        }
    }
}

#[derive(Default)]
struct Noted {
    keys: HashMap<ApiKeyId, Use>,
    devices: HashMap<DeviceId, Use>,
}

/// The latest uses, written or not.
#[derive(Default)]
pub(super) struct Uses(Mutex<Noted>);

impl Uses {
    /// A key was used.
    pub(super) fn key(&self, id: ApiKeyId, now: Timestamp) {
        note(&mut self.0.lock().keys, id, now);
    }

    /// A device was used.
    pub(super) fn device(&self, id: DeviceId, now: Timestamp) {
        note(&mut self.0.lock().devices, id, now);
    }

    /// Puts the latest use on a row that was read, written or not.
    pub(super) fn show_key(&self, key: &mut ApiKey) {
        show(&self.0.lock().keys, key.id, &mut key.last_login);
    }

    /// The same for a device.
    pub(super) fn show_device(&self, device: &mut Device) {
        show(&self.0.lock().devices, device.id, &mut device.last_login);
    }

    /// Writes the uses that are due; with `all`, whatever is not written. What can't be written stays for the next
    /// time.
    pub(super) async fn flush(&self, store: &dyn Store, now: Timestamp, all: bool) -> Result<(), StoreError> {
        let (keys, devices) = {
            let mut noted = self.0.lock();
            forget_idle(&mut noted.keys, now);
            forget_idle(&mut noted.devices, now);
            (due(&noted.keys, now, all), due(&noted.devices, now, all))
        };
        for batch in keys.chunks(BATCH) {
            let uses: Vec<_> = batch.iter().map(|&(id, at)| ApiKeyUse { id, at }).collect();
            store.note_uses(&uses, &[]).await?;
            written(&mut self.0.lock().keys, batch);
        }
        for batch in devices.chunks(BATCH) {
            let uses: Vec<_> = batch.iter().map(|&(id, at)| DeviceUse { id, at }).collect();
            store.note_uses(&[], &uses).await?;
            written(&mut self.0.lock().devices, batch);
        }
        Ok(())
    }
}

fn note<K: Eq + Hash>(uses: &mut HashMap<K, Use>, id: K, now: Timestamp) {
    let noted = uses.entry(id).or_insert(Use {
        at: now,
        written: None,
    });
    noted.at = noted.at.max(now);
}

fn show<K: Eq + Hash + Copy>(uses: &HashMap<K, Use>, id: K, last: &mut Option<Timestamp>) {
    *last = (*last).max(uses.get(&id).map(|noted| noted.at));
}

fn due<K: Copy>(uses: &HashMap<K, Use>, now: Timestamp, all: bool) -> Vec<(K, Timestamp)> {
    let due = uses.iter().filter(|(_, noted)| noted.is_due(now, all));
    due.map(|(id, noted)| (*id, noted.at)).collect()
}

fn written<K: Eq + Hash + Copy>(uses: &mut HashMap<K, Use>, batch: &[(K, Timestamp)]) {
    for (id, at) in batch {
        if let Some(noted) = uses.get_mut(id) {
            noted.written = Some(*at);
        }
    }
}

/// What is written and not used any more need not be remembered.
fn forget_idle<K: Eq + Hash>(uses: &mut HashMap<K, Use>, now: Timestamp) {
    uses.retain(|_, noted| noted.written != Some(noted.at) || now < noted.at + WRITE_EVERY);
}
