//! Rows in memory, all true as of one epoch.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use quick_cache::sync::Cache;
use zenml_auth_model::{
    ApiKey, ApiKeyId, Device, DeviceId, ServiceAccount, ServiceAccountId, Session, SessionId, User, UserId,
};

use super::weight::{ByTexts, Weighed};
use crate::ports::{Epoch, IdentityRef, Revocations, Revoked};

/// The kept rows of one kind.
pub(super) type Rows<K, V> = Cache<K, Arc<V>, ByTexts>;

/// Room for so many; those that are asked for least make room. A row with [long texts](Weighed) counts as several.
fn no_rows<K: Eq + Hash, V: Weighed>(most: u32) -> Rows<K, V> {
    Cache::with_weighter(
        usize::try_from(most).unwrap_or(usize::MAX),
        u64::from(most),
        ByTexts,
    )
}

/// Rows, all true as of [`Snapshot::epoch`].
pub(super) struct Snapshot {
    epoch: AtomicU64,
    /// Held shared while a row is added and alone while revoked ones are dropped, so that neither misses the other.
    gate: RwLock<()>,
    pub(super) users: Rows<UserId, User>,
    pub(super) devices: Rows<DeviceId, Device>,
    pub(super) service_accounts: Rows<ServiceAccountId, ServiceAccount>,
    pub(super) api_keys: Rows<ApiKeyId, ApiKey>,
    pub(super) sessions: Rows<SessionId, Session>,
}

impl Snapshot {
    pub(super) fn new(most: u32) -> Self {
        Self {
            epoch: AtomicU64::new(Epoch::UNKNOWN.get()),
            gate: RwLock::new(()),
            users: no_rows(most),
            devices: no_rows(most),
            service_accounts: no_rows(most),
            api_keys: no_rows(most),
            sessions: no_rows(most),
        }
    }

    /// The epoch as of which all rows are true.
    pub(super) fn epoch(&self) -> Epoch {
        Epoch::new(self.epoch.load(Ordering::SeqCst))
    }

    /// Drops what was revoked, and moves on to the epoch as of which that is everything. A task that was faster has
    /// dropped it already.
    ///
    /// An epoch that went back is that of a database that lost commits: it came back from a backup, or another server
    /// took over. What is kept may never have been, so all of it goes.
    pub(super) fn advance(&self, revocations: &Revocations) {
        let _alone = self.gate.write();
        let known = self.epoch();
        if revocations.epoch == known {
            return;
        }
        match &revocations.what {
            Revoked::These(revoked) if revocations.epoch > known => {
                revoked.iter().for_each(|identity| self.forget(*identity));
            }
            Revoked::These(_) | Revoked::Any => self.forget_all(),
        }
        self.epoch.store(revocations.epoch.get(), Ordering::SeqCst);
    }

    /// Keeps a row whose reading began when the epoch was `read_at` already. If it has moved since, the row may be
    /// one that was dropped in the meantime, and is not kept.
    pub(super) fn keep<K: Eq + Hash, V: Weighed>(
        &self,
        rows: &Rows<K, V>,
        id: K,
        row: Arc<V>,
        read_at: Epoch,
    ) {
        let _shared = self.gate.read();
        if read_at == self.epoch() && read_at != Epoch::UNKNOWN {
            rows.insert(id, row);
        }
    }

    fn forget(&self, identity: IdentityRef) {
        match identity {
            IdentityRef::User(id) => drop(self.users.remove(&id)),
            IdentityRef::Device(id) => drop(self.devices.remove(&id)),
            IdentityRef::ServiceAccount(id) => drop(self.service_accounts.remove(&id)),
            IdentityRef::ApiKey(id) => drop(self.api_keys.remove(&id)),
            IdentityRef::Session(id) => drop(self.sessions.remove(&id)),
        }
    }

    fn forget_all(&self) {
        self.users.clear();
        self.devices.clear();
        self.service_accounts.clear();
        self.api_keys.clear();
        self.sessions.clear();
    }
}

#[cfg(test)]
mod tests {
    use zenml_auth_model::{Name, SessionPurpose, Text, Timestamp, Version};

    use super::*;
    use crate::settings::REMEMBERED;

    fn session(number: u8) -> Arc<Session> {
        Arc::new(Session {
            id: SessionId::from_random([number; 16]),
            user_id: UserId::from_random([number; 16]),
            purpose: SessionPurpose::Api,
            credentials_gen: 1,
            created: Timestamp::UNIX_EPOCH,
            authenticated: Timestamp::UNIX_EPOCH,
            last_active: Timestamp::UNIX_EPOCH,
            expires: Timestamp::MAX,
            version: Version::FIRST,
        })
    }

    fn at(epoch: u64, what: Revoked) -> Revocations {
        Revocations {
            epoch: Epoch::new(epoch),
            what,
        }
    }

    fn keep(snapshot: &Snapshot, number: u8, read_at: u64) -> SessionId {
        let row = session(number);
        let id = row.id;
        snapshot.keep(&snapshot.sessions, id, row, Epoch::new(read_at));
        id
    }

    #[test]
    fn rows_with_long_texts_take_the_place_of_several() {
        let snapshot = Snapshot::new(REMEMBERED);
        snapshot.advance(&at(5, Revoked::Any));
        let bytes = 100 * 1024;
        for number in 0..1_000_u32 {
            let mut id = [0; 16];
            id[..4].copy_from_slice(&number.to_be_bytes());
            let user = User {
                id: UserId::from_random(id),
                name: Name::new("person").unwrap(),
                full_name: Text::default(),
                email: None,
                email_opted_in: None,
                active: true,
                is_admin: false,
                password: None,
                password_changed: None,
                invitation: None,
                credentials_gen: 1,
                metadata: Some("x".repeat(bytes)),
                default_project_id: None,
                avatar_url: None,
                created: Timestamp::UNIX_EPOCH,
                updated: Timestamp::UNIX_EPOCH,
                version: Version::FIRST,
            };
            snapshot.keep(&snapshot.users, user.id, Arc::new(user), Epoch::new(5));
        }
        let kept = snapshot.users.len();
        assert!(kept * bytes <= REMEMBERED as usize * 1024, "{kept}");
    }

    #[test]
    fn only_what_was_revoked_is_dropped() {
        let snapshot = Snapshot::new(REMEMBERED);
        snapshot.advance(&at(5, Revoked::Any));
        let (one, two) = (keep(&snapshot, 1, 5), keep(&snapshot, 2, 5));
        snapshot.advance(&at(6, Revoked::These(vec![IdentityRef::Session(one)])));
        assert!(snapshot.sessions.get(&one).is_none());
        assert!(snapshot.sessions.get(&two).is_some());
        snapshot.advance(&at(7, Revoked::Any));
        assert!(snapshot.sessions.get(&two).is_none());
    }

    #[test]
    fn what_was_read_before_a_revocation_is_not_kept_after_it() {
        let snapshot = Snapshot::new(REMEMBERED);
        snapshot.advance(&at(5, Revoked::Any));
        snapshot.advance(&at(6, Revoked::These(Vec::new())));
        let id = keep(&snapshot, 1, 5);
        assert!(snapshot.sessions.get(&id).is_none());
    }

    #[test]
    fn nothing_is_kept_before_an_epoch_is_known() {
        let snapshot = Snapshot::new(REMEMBERED);
        let id = keep(&snapshot, 1, Epoch::UNKNOWN.get());
        assert!(snapshot.sessions.get(&id).is_none());
    }

    #[test]
    fn everything_is_dropped_when_the_epoch_went_back() {
        let snapshot = Snapshot::new(REMEMBERED);
        snapshot.advance(&at(7, Revoked::Any));
        let id = keep(&snapshot, 1, 7);
        snapshot.advance(&at(6, Revoked::These(Vec::new())));
        assert_eq!(snapshot.epoch(), Epoch::new(6));
        assert!(snapshot.sessions.get(&id).is_none());
        let id = keep(&snapshot, 1, 7);
        assert!(snapshot.sessions.get(&id).is_none(), "it was read before");
        let id = keep(&snapshot, 1, 6);
        assert!(snapshot.sessions.get(&id).is_some());
    }
}
