//! What there can be only one of.

use std::sync::Arc;

use zenml_auth_core::ports::{Change, CommitError, Store, Unique};
use zenml_auth_model::{
    Action, ApiKey, AuditEvent, Device, DeviceGrant, DeviceId, ServiceAccount, Session, SigningKey, User,
};

use super::{make, make_all, refused};
use crate::builders::{Builders, name_of, text_of};

async fn taken(store: &dyn Store, change: Change) -> Unique {
    match refused(store, change).await {
        CommitError::Taken(unique) => unique,
        other => panic!("refused for another reason: {other:?}"),
    }
}

pub(super) async fn there_is_one_server(store: Arc<dyn Store>) {
    let build = Builders::new();
    let server = build.server();
    make(&*store, Change::InsertServer(server.clone())).await;
    assert_eq!(
        taken(&*store, Change::InsertServer(build.server())).await,
        Unique::Server
    );
    assert_eq!(
        taken(&*store, Change::InsertServer(server.clone())).await,
        Unique::Server
    );
    assert_eq!(store.server().await.unwrap(), Some(server));
}

pub(super) async fn user_names_are_unique(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (alice, bob) = (build.user("alice"), build.user("bob"));
    // A service account may bear the same name.
    let account = build.service_account("alice");
    let changes = [
        Change::InsertUser(alice.clone()),
        Change::InsertUser(bob.clone()),
        Change::InsertServiceAccount(account),
    ];
    make_all(&*store, changes).await;
    assert_eq!(
        taken(&*store, Change::InsertUser(build.user("alice"))).await,
        Unique::UserName
    );
    let renamed = User {
        name: name_of("alice"),
        ..bob.clone()
    };
    assert_eq!(
        taken(&*store, Change::UpdateUser(renamed)).await,
        Unique::UserName
    );
    assert_eq!(store.user_by_name("alice").await.unwrap(), Some(alice));
    assert_eq!(store.user(bob.id).await.unwrap(), Some(bob));
}

pub(super) async fn service_account_names_are_unique(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (ci, cd) = (build.service_account("ci"), build.service_account("cd"));
    let changes = [
        Change::InsertUser(build.user("ci")),
        Change::InsertServiceAccount(ci),
        Change::InsertServiceAccount(cd.clone()),
    ];
    make_all(&*store, changes).await;
    let again = Change::InsertServiceAccount(build.service_account("ci"));
    assert_eq!(taken(&*store, again).await, Unique::ServiceAccountName);
    let renamed = ServiceAccount {
        name: name_of("ci"),
        ..cd
    };
    assert_eq!(
        taken(&*store, Change::UpdateServiceAccount(renamed)).await,
        Unique::ServiceAccountName
    );
}

pub(super) async fn api_key_names_are_unique_within_their_account(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (ci, cd) = (build.service_account("ci"), build.service_account("cd"));
    let (one, two, elsewhere) = (
        build.api_key(&ci, "one"),
        build.api_key(&ci, "two"),
        build.api_key(&cd, "one"),
    );
    let changes = [
        Change::InsertServiceAccount(ci.clone()),
        Change::InsertServiceAccount(cd.clone()),
        Change::InsertApiKey(one.clone()),
        Change::InsertApiKey(two.clone()),
        Change::InsertApiKey(elsewhere.clone()),
    ];
    make_all(&*store, changes).await;
    let again = Change::InsertApiKey(build.api_key(&ci, "one"));
    assert_eq!(taken(&*store, again).await, Unique::ApiKeyName);
    let renamed = ApiKey {
        name: name_of("one"),
        ..two
    };
    assert_eq!(
        taken(&*store, Change::UpdateApiKey(renamed)).await,
        Unique::ApiKeyName
    );
    assert_eq!(store.api_key_by_name(ci.id, "one").await.unwrap(), Some(one));
    assert_eq!(
        store.api_key_by_name(cd.id, "one").await.unwrap(),
        Some(elsewhere)
    );
}

pub(super) async fn a_person_has_one_device_per_client(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (alice, bob) = (build.user("alice"), build.user("bob"));
    let device = build.device(&alice);
    let of_bob = Device {
        client_id: device.client_id,
        ..build.device(&bob)
    };
    let changes = [
        Change::InsertUser(alice.clone()),
        Change::InsertUser(bob.clone()),
        Change::InsertDevice(device.clone()),
        Change::InsertDevice(of_bob.clone()),
        Change::InsertDevice(build.device(&alice)),
    ];
    make_all(&*store, changes).await;
    let again = Device {
        client_id: device.client_id,
        ..build.device(&alice)
    };
    assert_eq!(
        taken(&*store, Change::InsertDevice(again)).await,
        Unique::DeviceOfClient
    );
    assert_eq!(
        store
            .device_of(device.client_id, alice.id)
            .await
            .unwrap()
            .as_ref(),
        Some(&device)
    );
    assert_eq!(
        store.device_of(device.client_id, bob.id).await.unwrap(),
        Some(of_bob)
    );
}

pub(super) async fn codes_are_unique(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (grant, other) = (build.grant(), build.grant());
    let user = build.user("alice");
    let session = build.session(&user);
    let changes = [
        Change::InsertUser(user.clone()),
        Change::InsertGrant(grant.clone()),
        Change::InsertGrant(other.clone()),
        Change::InsertSession(session.clone()),
    ];
    make_all(&*store, changes).await;
    let same_user_code = DeviceGrant {
        user_code: grant.user_code,
        ..build.grant()
    };
    assert_eq!(
        taken(&*store, Change::InsertGrant(same_user_code)).await,
        Unique::Code
    );
    let updated = DeviceGrant {
        user_code: grant.user_code,
        ..other
    };
    assert_eq!(taken(&*store, Change::UpdateGrant(updated)).await, Unique::Code);
    let same_cookie = Session {
        purpose: session.purpose,
        ..build.session(&user)
    };
    assert_eq!(
        taken(&*store, Change::InsertSession(same_cookie)).await,
        Unique::Code
    );
}

pub(super) async fn ids_are_unique(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (user, account) = (build.user("alice"), build.service_account("ci"));
    let (session, grant, device) = (build.session(&user), build.grant(), build.device(&user));
    let (key, signing_key) = (build.api_key(&account, "key"), build.signing_key());
    let event = build.audit_event(Action::UserCreated);
    let first = [
        Change::InsertUser(user.clone()),
        Change::InsertServiceAccount(account.clone()),
        Change::InsertSession(session.clone()),
        Change::InsertGrant(grant.clone()),
        Change::InsertDevice(device.clone()),
        Change::InsertApiKey(key.clone()),
        Change::InsertSigningKey(signing_key.clone()),
        Change::Audit(event.clone()),
    ];
    make_all(&*store, first).await;
    let second = [
        Change::InsertUser(User {
            id: user.id,
            ..build.user("bob")
        }),
        Change::InsertServiceAccount(ServiceAccount {
            id: account.id,
            ..build.service_account("cd")
        }),
        Change::InsertSession(Session {
            id: session.id,
            ..build.session(&user)
        }),
        Change::InsertGrant(DeviceGrant {
            id: grant.id,
            ..build.grant()
        }),
        Change::InsertDevice(Device {
            id: device.id,
            ..build.device(&user)
        }),
        Change::InsertApiKey(ApiKey {
            id: key.id,
            ..build.api_key(&account, "other")
        }),
        Change::InsertSigningKey(SigningKey {
            id: signing_key.id,
            ..build.signing_key()
        }),
        Change::Audit(AuditEvent {
            id: event.id,
            ..build.audit_event(Action::UserDeleted)
        }),
    ];
    for change in second {
        assert_eq!(taken(&*store, change).await, Unique::Id);
    }
    // Ids are unique per kind: a new device takes over the id of the grant it came from.
    let from_grant = Device {
        id: DeviceId::from_uuid(grant.id.as_uuid()),
        ..build.device(&user)
    };
    make(&*store, Change::InsertDevice(from_grant)).await;
}

pub(super) async fn an_update_may_keep_what_is_unique(store: Arc<dyn Store>) {
    let build = Builders::new();
    let user = build.user("alice");
    let grant = build.grant();
    make_all(
        &*store,
        [
            Change::InsertUser(user.clone()),
            Change::InsertGrant(grant.clone()),
        ],
    )
    .await;
    let updated = User {
        full_name: text_of("Alice"),
        ..user.clone()
    };
    make(&*store, Change::UpdateUser(updated)).await;
    make(
        &*store,
        Change::UpdateGrant(DeviceGrant {
            failed_attempts: 1,
            ..grant
        }),
    )
    .await;
    let found = store.user_by_name("alice").await.unwrap().unwrap();
    assert_eq!((found.id, found.full_name.as_str()), (user.id, "Alice"));
}

pub(super) async fn what_was_given_up_can_be_taken(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (alice, bob) = (build.user("alice"), build.user("bob"));
    make_all(
        &*store,
        [Change::InsertUser(alice.clone()), Change::InsertUser(bob.clone())],
    )
    .await;

    // In one set: the first gives the name up, the second takes it.
    let (alice_read, bob_read) = (alice.version, bob.version);
    let changes = [
        Change::UpdateUser(User {
            name: name_of("alice the first"),
            ..alice.clone()
        }),
        Change::UpdateUser(User {
            name: name_of("alice"),
            ..bob.clone()
        }),
    ];
    make_all(&*store, changes).await;
    assert_eq!(
        store.user_by_name("alice").await.unwrap().map(|user| user.id),
        Some(bob.id)
    );

    make(&*store, Change::DeleteUser(bob.id, bob_read.next())).await;
    let newcomer = build.user("alice");
    make(&*store, Change::InsertUser(newcomer.clone())).await;
    assert_eq!(store.user_by_name("alice").await.unwrap(), Some(newcomer));
    assert_eq!(
        store.user(alice.id).await.unwrap().map(|user| user.version),
        Some(alice_read.next())
    );
}
