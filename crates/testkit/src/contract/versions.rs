//! Compare-and-swap: who decided on something old is refused.

use std::sync::Arc;

use zenml_auth_core::ports::{Change, CommitError, Guard, Store};
use zenml_auth_model::{
    ApiKey, ApiKeyId, Device, DeviceGrant, DeviceId, GrantId, GrantState, ServiceAccount, ServiceAccountId,
    Session, SessionId, SigningKey, SigningKeyId, User, UserId, Version,
};

use super::{attempt, make, make_all, refused};
use crate::builders::{Builders, NOW, text_of};

/// One row of each kind that has a version, with what belongs to it.
struct Rows {
    user: User,
    session: Session,
    grant: DeviceGrant,
    device: Device,
    account: ServiceAccount,
    key: ApiKey,
    signing_key: SigningKey,
}

impl Rows {
    async fn stored_in(store: &dyn Store) -> Self {
        let build = Builders::new();
        let (user, account) = (build.user("alice"), build.service_account("ci"));
        let rows = Self {
            session: build.session(&user),
            grant: build.grant(),
            device: build.device(&user),
            key: build.api_key(&account, "key"),
            signing_key: build.signing_key(),
            user,
            account,
        };
        let changes = [
            Change::InsertUser(rows.user.clone()),
            Change::InsertSession(rows.session.clone()),
            Change::InsertGrant(rows.grant.clone()),
            Change::InsertDevice(rows.device.clone()),
            Change::InsertServiceAccount(rows.account.clone()),
            Change::InsertApiKey(rows.key.clone()),
            Change::InsertSigningKey(rows.signing_key.clone()),
        ];
        make_all(store, changes).await;
        rows
    }

    /// Updates of all rows that can be updated, decided on the given version.
    fn updates(&self, version: Version) -> Vec<Change> {
        let text = text_of("updated");
        vec![
            Change::UpdateUser(User {
                version,
                full_name: text.clone(),
                ..self.user.clone()
            }),
            Change::UpdateGrant(DeviceGrant {
                version,
                failed_attempts: 1,
                ..self.grant.clone()
            }),
            Change::UpdateDevice(Device {
                version,
                trusted: false,
                ..self.device.clone()
            }),
            Change::UpdateServiceAccount(ServiceAccount {
                version,
                description: text.clone(),
                ..self.account.clone()
            }),
            Change::UpdateApiKey(ApiKey {
                version,
                description: text,
                ..self.key.clone()
            }),
            Change::UpdateSigningKey(SigningKey {
                version,
                retired_until: Some(NOW),
                ..self.signing_key.clone()
            }),
        ]
    }

    /// Deletions of all rows that can be deleted, those that belong to others first.
    fn deletions(&self, version: Version) -> Vec<Change> {
        vec![
            Change::DeleteSession(self.session.id, version),
            Change::DeleteDevice(self.device.id, version),
            Change::DeleteApiKey(self.key.id, version),
            Change::DeleteServiceAccount(self.account.id, version),
            Change::DeleteUser(self.user.id, version),
            Change::DeleteSigningKey(self.signing_key.id, version),
        ]
    }

    /// The rows as they are now.
    async fn now_in(&self, store: &dyn Store) -> Self {
        Self {
            user: store.user(self.user.id).await.unwrap().unwrap(),
            session: store.session(self.session.id).await.unwrap().unwrap(),
            grant: store.grant(self.grant.id).await.unwrap().unwrap(),
            device: store.device(self.device.id).await.unwrap().unwrap(),
            account: store.service_account(self.account.id).await.unwrap().unwrap(),
            key: store.api_key(self.key.id).await.unwrap().unwrap(),
            signing_key: store.signing_keys().await.unwrap().pop().unwrap(),
        }
    }

    /// The versions of the rows that [`Rows::updates`] updates.
    fn versions(&self) -> [Version; 6] {
        [
            self.user.version,
            self.grant.version,
            self.device.version,
            self.account.version,
            self.key.version,
            self.signing_key.version,
        ]
    }
}

fn assert_stale(result: &Result<(), CommitError>) {
    assert!(matches!(result, Err(CommitError::Stale)), "not stale: {result:?}");
}

pub(super) async fn updates_move_the_version_on(store: Arc<dyn Store>) {
    let rows = Rows::stored_in(&*store).await;
    let mut version = Version::FIRST;
    for _ in 0..3 {
        make_all(&*store, rows.updates(version)).await;
        version = version.next();
        assert_eq!(rows.now_in(&*store).await.versions(), [version; 6]);
    }
}

pub(super) async fn stale_updates_are_refused(store: Arc<dyn Store>) {
    let rows = Rows::stored_in(&*store).await;
    make_all(&*store, rows.updates(Version::FIRST)).await;
    for wrong in [Version::FIRST, Version::new(3), Version::new(0)] {
        for update in rows.updates(wrong) {
            assert_stale(&attempt(&*store, update).await);
        }
    }
    let now = rows.now_in(&*store).await;
    assert_eq!(now.versions(), [Version::new(2); 6]);
    assert_eq!(now.user.full_name, text_of("updated"));
}

pub(super) async fn stale_deletions_are_refused(store: Arc<dyn Store>) {
    let rows = Rows::stored_in(&*store).await;
    for wrong in [Version::new(0), Version::new(2)] {
        for deletion in rows.deletions(wrong) {
            assert_stale(&attempt(&*store, deletion).await);
        }
    }
    rows.now_in(&*store).await;
    for deletion in rows.deletions(Version::FIRST) {
        make(&*store, deletion).await;
    }
    assert_eq!(store.user(rows.user.id).await.unwrap(), None);
    assert_eq!(store.service_account(rows.account.id).await.unwrap(), None);
    assert_eq!(store.session(rows.session.id).await.unwrap(), None);
    assert_eq!(store.signing_keys().await.unwrap(), []);
}

pub(super) async fn what_is_gone_is_stale(store: Arc<dyn Store>) {
    let rows = Rows::stored_in(&*store).await;
    make_all(&*store, rows.deletions(Version::FIRST)).await;
    for deletion in rows.deletions(Version::FIRST) {
        assert_stale(&attempt(&*store, deletion).await);
    }
    let gone = [
        Change::UpdateUser(rows.user),
        Change::UpdateDevice(rows.device),
        Change::UpdateServiceAccount(rows.account),
        Change::UpdateApiKey(rows.key),
        Change::UpdateSigningKey(rows.signing_key.clone()),
    ];
    for update in gone {
        assert_stale(&attempt(&*store, update).await);
    }
    // What never was there is no different.
    let build = Builders::new();
    let never = [
        Change::UpdateSigningKey(SigningKey {
            id: SigningKeyId::from_uuid(build.uuid()),
            ..rows.signing_key
        }),
        Change::UpdateGrant(DeviceGrant {
            id: GrantId::from_uuid(build.uuid()),
            device_code: build.hash(),
            user_code: build.mac(),
            ..rows.grant
        }),
        Change::DeleteUser(UserId::from_uuid(build.uuid()), Version::FIRST),
        Change::DeleteSession(SessionId::from_uuid(build.uuid()), Version::FIRST),
        Change::DeleteDevice(DeviceId::from_uuid(build.uuid()), Version::FIRST),
        Change::DeleteServiceAccount(ServiceAccountId::from_uuid(build.uuid()), Version::FIRST),
        Change::DeleteApiKey(ApiKeyId::from_uuid(build.uuid()), Version::FIRST),
        Change::DeleteSigningKey(SigningKeyId::from_uuid(build.uuid()), Version::FIRST),
    ];
    for change in never {
        assert_stale(&attempt(&*store, change).await);
    }
}

pub(super) async fn guards_move_on(store: Arc<dyn Store>) {
    for guard in Guard::ALL {
        let first = store.guard(*guard).await.unwrap();
        make(&*store, Change::Guard(*guard, first)).await;
        let second = store.guard(*guard).await.unwrap();
        assert_eq!(second, first.next());
        assert_stale(&attempt(&*store, Change::Guard(*guard, first)).await);
        assert_stale(&attempt(&*store, Change::Guard(*guard, second.next())).await);
        make_all(
            &*store,
            [
                Change::Guard(*guard, second),
                Change::Guard(*guard, second.next()),
            ],
        )
        .await;
        assert_eq!(store.guard(*guard).await.unwrap(), second.next().next());
    }
    // Each guard has moved by its own decisions alone.
    let versions = [
        store.guard(Guard::Administrators).await.unwrap(),
        store.guard(Guard::SigningKeys).await.unwrap(),
    ];
    assert_eq!(versions[0], versions[1]);
}

pub(super) async fn rows_need_their_parents(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (nobody, no_account) = (build.user("nobody"), build.service_account("none"));
    let grant = build.grant();
    make(&*store, Change::InsertGrant(grant.clone())).await;
    let approved = GrantState::Approved {
        by: nobody.id,
        credentials_gen: 1,
        trusted: true,
        at: NOW,
    };
    let orphans = [
        Change::InsertSession(build.session(&nobody)),
        Change::InsertDevice(build.device(&nobody)),
        Change::InsertApiKey(build.api_key(&no_account, "key")),
        Change::InsertGrant(DeviceGrant {
            state: approved,
            ..build.grant()
        }),
        Change::UpdateGrant(DeviceGrant {
            state: approved,
            ..grant.clone()
        }),
    ];
    for orphan in orphans {
        let error = refused(&*store, orphan).await;
        assert!(matches!(error, CommitError::ParentMissing), "{error:?}");
    }
    assert_eq!(store.grant(grant.id).await.unwrap(), Some(grant));
}
