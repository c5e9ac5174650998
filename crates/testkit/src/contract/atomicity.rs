//! All of a set or nothing of it.

use std::sync::Arc;

use zenml_auth_core::ports::{Change, ChangeSet, CommitError, Guard, Store};
use zenml_auth_model::query::Query;
use zenml_auth_model::{Action, ApiKey, DeviceGrant, GrantState, User, Version};

use super::{make, make_all};
use crate::builders::{Builders, NOW, name_of, text_of};

pub(super) async fn a_failing_set_leaves_nothing_behind(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (alice, bob) = (build.user("alice"), build.user("bob"));
    let account = build.service_account("ci");
    let (key, session) = (build.api_key(&account, "key"), build.session(&bob));
    let (device, grant) = (build.device(&bob), build.grant());
    let before = [
        Change::InsertUser(alice.clone()),
        Change::InsertUser(bob.clone()),
        Change::InsertSession(session.clone()),
        Change::InsertDevice(device.clone()),
        Change::InsertGrant(grant.clone()),
        Change::InsertServiceAccount(account.clone()),
        Change::InsertApiKey(key.clone()),
        Change::Audit(build.audit_event(Action::ServerInitialized)),
    ];
    make_all(&*store, before).await;
    let guard = store.guard(Guard::Administrators).await.unwrap();

    let nobody = build.user("nobody");
    let failing = [
        Change::UpdateApiKey(ApiKey {
            version: Version::new(9),
            ..key.clone()
        }),
        Change::DeleteDevice(device.id, Version::new(9)),
        Change::Guard(Guard::SigningKeys, Version::new(99)),
        Change::InsertUser(build.user("alice the first")),
        Change::InsertDevice(build.device(&nobody)),
    ];
    for last in failing {
        let newcomer = build.user("newcomer");
        let new_device = build.device(&newcomer);
        let approved = GrantState::Approved {
            by: newcomer.id,
            credentials_gen: 1,
            trusted: true,
            at: NOW,
        };
        let set = [
            Change::InsertServer(build.server()),
            Change::InsertSigningKey(build.signing_key()),
            Change::InsertUser(newcomer.clone()),
            Change::InsertSession(build.session(&newcomer)),
            Change::InsertDevice(new_device.clone()),
            Change::UpdateUser(User {
                name: name_of("alice the first"),
                ..alice.clone()
            }),
            Change::UpdateGrant(DeviceGrant {
                state: approved,
                ..grant.clone()
            }),
            Change::DeleteUser(bob.id, bob.version),
            Change::Guard(Guard::Administrators, guard),
            Change::Audit(build.audit_event(Action::UserCreated)),
            last.clone(),
        ]
        .into_iter()
        .fold(ChangeSet::new(), ChangeSet::with);
        let error = store
            .commit(set)
            .await
            .expect_err("the last change can't be made");
        let because_of_the_last = match &last {
            Change::UpdateApiKey(_) | Change::Guard(..) => matches!(error, CommitError::Stale),
            Change::InsertUser(_) => matches!(error, CommitError::Taken(_)),
            // The device went with its owner, two changes before.
            Change::DeleteDevice(..) => matches!(error, CommitError::Stale),
            _ => matches!(error, CommitError::ParentMissing),
        };
        assert!(because_of_the_last, "{error:?} because of {last:?}");

        assert_eq!(store.server().await.unwrap(), None);
        assert_eq!(store.signing_keys().await.unwrap(), []);
        assert_eq!(store.user(newcomer.id).await.unwrap(), None);
        assert_eq!(store.user_by_name("newcomer").await.unwrap(), None);
        assert_eq!(store.device(new_device.id).await.unwrap(), None);
        assert_eq!(store.user_by_name("alice").await.unwrap().as_ref(), Some(&alice));
        assert_eq!(store.user_by_name("alice the first").await.unwrap(), None);
        assert_eq!(store.grant(grant.id).await.unwrap().as_ref(), Some(&grant));
        assert_eq!(store.user(bob.id).await.unwrap().as_ref(), Some(&bob));
        assert_eq!(store.session(session.id).await.unwrap().as_ref(), Some(&session));
        assert_eq!(store.device(device.id).await.unwrap().as_ref(), Some(&device));
        assert_eq!(
            store.device_of(device.client_id, bob.id).await.unwrap().as_ref(),
            Some(&device)
        );
        assert_eq!(store.api_key(key.id).await.unwrap().as_ref(), Some(&key));
        assert_eq!(store.guard(Guard::Administrators).await.unwrap(), guard);
        assert_eq!(store.list_users(&Query::default(), None).await.unwrap().total, 2);
        assert_eq!(store.list_audit_events(&Query::default()).await.unwrap().total, 1);
    }
}

pub(super) async fn an_empty_set_is_fine(store: Arc<dyn Store>) {
    store.commit(ChangeSet::new()).await.unwrap();
    assert_eq!(store.list_users(&Query::default(), None).await.unwrap().total, 0);
}

pub(super) async fn a_set_sees_its_own_changes(store: Arc<dyn Store>) {
    let build = Builders::new();
    let user = build.user("alice");
    let device = build.device(&user);
    let renamed = User {
        full_name: text_of("Alice"),
        ..user.clone()
    };
    let changes = [
        Change::InsertUser(user.clone()),
        Change::UpdateUser(renamed.clone()),
        Change::UpdateUser(User {
            version: user.version.next(),
            is_admin: true,
            ..renamed
        }),
        Change::InsertDevice(device.clone()),
        Change::DeleteDevice(device.id, device.version),
        Change::InsertDevice(device.clone()),
    ];
    make_all(&*store, changes).await;
    let stored = store.user(user.id).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.is_admin), (Version::new(3), true));
    assert_eq!(stored.full_name.as_str(), "Alice");
    assert_eq!(store.device(device.id).await.unwrap(), Some(device));
    make(&*store, Change::DeleteUser(user.id, Version::new(3))).await;
}
