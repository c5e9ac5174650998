//! Remembers when and from where keys, devices and browsers' sessions were last used, to be written behind in batches.
//!
//! Noting a use takes a look into memory and no more. What is remembered is bounded: by the keys and devices there are,
//! and for each value of a key by [`KEY_USERS_KEPT`], whatever its holder pretends to be.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use parking_lot::Mutex;
use zenml_auth_model::{
    ApiKey, ApiKeyId, Device, DeviceId, KeyUse, Origin, Session, SessionId, Timestamp, UsedFrom,
};

use crate::ports::{ApiKeyUse, DeviceUse, KEY_USERS_KEPT, SessionUse, Store, StoreError};

/// How often the uses of one device, or of one key by one user of it, are written at most, but for the first one, which
/// is not held back.
const WRITE_EVERY: Duration = Duration::from_secs(10);

/// How many uses are written in one transaction, so that it is short.
const BATCH: usize = 500;

/// A use, and up to when such uses are written.
struct Noted<T> {
    latest: T,
    written: Option<Timestamp>,
}

impl<T: At> Noted<T> {
    const fn new(latest: T) -> Self {
        Self {
            latest,
            written: None,
        }
    }

    fn is_due(&self, now: Timestamp, all: bool) -> bool {
        match self.written {
            None => true,
            Some(written) => written < self.latest.at() && (all || written + WRITE_EVERY <= now),
        }
    }

    /// What is written and not used any more need not be remembered.
    fn is_idle(&self, now: Timestamp) -> bool {
        self.written == Some(self.latest.at()) && now >= self.latest.at() + WRITE_EVERY
    }
}

/// Something that happened at a time.
trait At {
    fn at(&self) -> Timestamp;
}

impl At for KeyUse {
    fn at(&self) -> Timestamp {
        self.at
    }
}

impl At for DeviceUse {
    fn at(&self) -> Timestamp {
        self.at
    }
}

impl At for SessionUse {
    fn at(&self) -> Timestamp {
        self.at
    }
}

#[derive(Default)]
struct Memory {
    sessions: HashMap<SessionId, Noted<SessionUse>>,
    keys: HashMap<ApiKeyId, Vec<Noted<KeyUse>>>,
    devices: HashMap<DeviceId, Noted<DeviceUse>>,
}

/// What is to be written.
struct Due {
    sessions: Vec<SessionUse>,
    keys: Vec<ApiKeyUse>,
    devices: Vec<DeviceUse>,
}

/// The latest uses, written or not.
#[derive(Default)]
pub(super) struct Uses(Mutex<Memory>);

impl Uses {
    /// A value of a key, or a token made from it, was used.
    pub(super) fn key(&self, id: ApiKeyId, generation: u32, origin: &Origin, now: Timestamp) {
        let mut memory = self.0.lock();
        let users = memory.keys.entry(id).or_default();
        let known = users
            .iter_mut()
            .map(|user| &mut user.latest)
            .find(|known| known.generation == generation && known.from.is(origin));
        if let Some(known) = known {
            known.at = known.at.max(now);
            return;
        }
        make_room(users, generation);
        users.push(Noted::new(KeyUse {
            generation,
            at: now,
            from: UsedFrom::from(origin),
        }));
    }

    /// A device was used.
    pub(super) fn device(&self, id: DeviceId, origin: &Origin, now: Timestamp) {
        let mut memory = self.0.lock();
        let noted = memory.devices.entry(id).or_insert_with(|| {
            Noted::new(DeviceUse {
                id,
                at: now,
                from: UsedFrom::from(origin),
            })
        });
        if noted.latest.at <= now {
            noted.latest.at = now;
            if !noted.latest.from.is(origin) {
                noted.latest.from = UsedFrom::from(origin);
            }
        }
    }

    /// A browser's session was used.
    pub(super) fn session(&self, id: SessionId, now: Timestamp) {
        let mut memory = self.0.lock();
        let noted = memory
            .sessions
            .entry(id)
            .or_insert_with(|| Noted::new(SessionUse { id, at: now }));
        noted.latest.at = noted.latest.at.max(now);
    }

    /// Puts the latest use on a session that was read, written or not.
    pub(super) fn show_session(&self, session: &mut Session) {
        if let Some(noted) = self.0.lock().sessions.get(&session.id) {
            session.last_active = session.last_active.max(noted.latest.at);
        }
    }

    /// Puts the latest use on a row that was read, written or not.
    pub(super) fn show_key(&self, key: &mut ApiKey) {
        let memory = self.0.lock();
        let users = memory.keys.get(&key.id).into_iter().flatten();
        if let Some(noted) = users.max_by_key(|user| user.latest.at)
            && key.last_login <= Some(noted.latest.at)
        {
            key.last_login = Some(noted.latest.at);
            key.last_used_from = noted.latest.from.clone();
        }
    }

    /// The same for a device.
    pub(super) fn show_device(&self, device: &mut Device) {
        if let Some(noted) = self.0.lock().devices.get(&device.id)
            && device.last_login <= Some(noted.latest.at)
        {
            device.last_login = Some(noted.latest.at);
            device.last_used_from = noted.latest.from.clone();
        }
    }

    /// Adds what is not written yet to the uses of a key that were read, and puts the latest first.
    pub(super) fn show_uses(&self, key: ApiKeyId, read: &mut Vec<KeyUse>) {
        let memory = self.0.lock();
        for Noted { latest, .. } in memory.keys.get(&key).into_iter().flatten() {
            let same =
                |known: &&mut KeyUse| known.generation == latest.generation && known.from == latest.from;
            match read.iter_mut().find(same) {
                Some(known) => known.at = known.at.max(latest.at),
                None => read.push(latest.clone()),
            }
        }
        read.sort_by_key(|user| std::cmp::Reverse(user.at));
    }

    /// Writes the uses that are due; with `all`, whatever is not written. Uses that can't be written stay for the next
    /// time.
    pub(super) async fn flush(&self, store: &dyn Store, now: Timestamp, all: bool) -> Result<(), StoreError> {
        let Due {
            sessions,
            keys,
            devices,
        } = self.0.lock().due(now, all);
        for batch in sessions.chunks(BATCH) {
            store.note_session_uses(batch).await?;
            let written = batch.iter().map(|written| (written.id, written.at));
            are_written(&mut self.0.lock().sessions, written);
        }
        for batch in keys.chunks(BATCH) {
            store.note_uses(batch, &[]).await?;
            self.keys_are_written(batch);
        }
        for batch in devices.chunks(BATCH) {
            store.note_uses(&[], batch).await?;
            let written = batch.iter().map(|written| (written.id, written.at));
            are_written(&mut self.0.lock().devices, written);
        }
        Ok(())
    }

    fn keys_are_written(&self, batch: &[ApiKeyUse]) {
        let mut memory = self.0.lock();
        for ApiKeyUse { id, latest } in batch {
            let users = memory.keys.get_mut(id).into_iter().flatten();
            let mut same = users.filter(|user| {
                user.latest.generation == latest.generation && user.latest.from == latest.from
            });
            if let Some(user) = same.next() {
                user.written = Some(latest.at);
            }
        }
    }
}

impl Memory {
    /// What is to be written now. Forgets what is idle.
    fn due(&mut self, now: Timestamp, all: bool) -> Due {
        self.keys.retain(|_, users| {
            users.retain(|user| !user.is_idle(now));
            !users.is_empty()
        });
        let keys = self.keys.iter().flat_map(|(&id, users)| {
            let due = users.iter().filter(|user| user.is_due(now, all));
            due.map(move |user| ApiKeyUse {
                id,
                latest: user.latest.clone(),
            })
        });
        Due {
            keys: keys.collect(),
            sessions: due(&mut self.sessions, now, all),
            devices: due(&mut self.devices, now, all),
        }
    }
}

/// Those of a kind that are to be written now. Forgets what is idle.
fn due<I, T: At + Clone>(noted: &mut HashMap<I, Noted<T>>, now: Timestamp, all: bool) -> Vec<T> {
    noted.retain(|_, noted| !noted.is_idle(now));
    let due = noted.values().filter(|noted| noted.is_due(now, all));
    due.map(|noted| noted.latest.clone()).collect()
}

/// Remembers up to when the uses of a kind are written.
fn are_written<I: Eq + Hash, T>(
    noted: &mut HashMap<I, Noted<T>>,
    written: impl Iterator<Item = (I, Timestamp)>,
) {
    for (id, at) in written {
        if let Some(noted) = noted.get_mut(&id) {
            noted.written = Some(at);
        }
    }
}

/// Forgets the user of this value of a key whose last use is the longest ago, if as many are remembered as may be.
fn make_room(users: &mut Vec<Noted<KeyUse>>, generation: u32) {
    let of_value = || {
        let all = users.iter().enumerate();
        all.filter(|(_, user)| user.latest.generation == generation)
    };
    if of_value().count() < KEY_USERS_KEPT {
        return;
    }
    let oldest = of_value().min_by_key(|(_, user)| user.latest.at);
    if let Some((index, _)) = oldest {
        users.swap_remove(index);
    }
}

#[cfg(test)]
mod tests {
    use zenml_auth_model::Text;

    use super::*;
    use crate::memory::MemoryStore;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn at(seconds: u64) -> Timestamp {
        NOW + Duration::from_secs(seconds)
    }

    fn from(number: u8) -> Origin {
        Origin {
            address: Some([192, 0, 2, number].into()),
            request_id: None,
            user_agent: Some(Text::new(format!("agent {number}")).unwrap()),
        }
    }

    fn key() -> ApiKeyId {
        ApiKeyId::from_random([1; 16])
    }

    fn shown(uses: &Uses) -> Vec<KeyUse> {
        let mut read = Vec::new();
        uses.show_uses(key(), &mut read);
        read
    }

    #[test]
    fn users_of_a_value_are_told_apart() {
        let uses = Uses::default();
        uses.key(key(), 1, &from(1), at(0));
        uses.key(key(), 1, &from(2), at(1));
        uses.key(key(), 2, &from(1), at(2));
        uses.key(key(), 1, &from(1), at(3));
        uses.key(key(), 1, &from(1), at(2));
        let told: Vec<_> = shown(&uses)
            .into_iter()
            .map(|user| (user.generation, user.at, user.from))
            .collect();
        let [one, two] = [from(1), from(2)].map(|origin| UsedFrom::from(&origin));
        assert_eq!(told, [(1, at(3), one.clone()), (2, at(2), one), (1, at(1), two)]);
    }

    #[test]
    fn a_holder_of_a_key_cannot_fill_the_memory() {
        let uses = Uses::default();
        uses.key(key(), 1, &from(255), NOW);
        for number in 0..200 {
            uses.key(key(), 2, &from(number), at(u64::from(number)));
        }
        let told = shown(&uses);
        assert_eq!(told.len(), KEY_USERS_KEPT + 1);
        assert_eq!(told[0].from, UsedFrom::from(&from(199)), "the latest stay");
        assert!(
            told.iter().any(|user| user.generation == 1),
            "each value for itself"
        );
    }

    #[tokio::test]
    async fn each_user_is_written_at_once_and_then_from_time_to_time() {
        let (uses, store) = (Uses::default(), MemoryStore::new());
        let due = |now, all| uses.0.lock().due(now, all).keys.len();
        uses.key(key(), 1, &from(1), at(0));
        uses.key(key(), 1, &from(2), at(0));
        assert_eq!(due(at(0), false), 2);
        uses.flush(&store, at(0), false).await.unwrap();
        uses.key(key(), 1, &from(1), at(1));
        uses.key(key(), 1, &from(3), at(1));
        assert_eq!((due(at(1), false), due(at(1), true)), (1, 2));
        uses.flush(&store, at(1), false).await.unwrap();
        assert_eq!(due(at(9), false), 0);
        assert_eq!(due(at(10), false), 1);
        uses.flush(&store, at(10), false).await.unwrap();
        assert_eq!(due(at(11), true), 0);
        assert!(shown(&uses).is_empty(), "what is written and idle is forgotten");
    }
}
