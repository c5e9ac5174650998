//! What goes with what.

use std::sync::Arc;

use zenml_auth_core::ports::{Change, Store};
use zenml_auth_model::query::Query;
use zenml_auth_model::{DenialReason, DeviceGrant, GrantState, User};

use super::{make, make_all};
use crate::builders::{Builders, NOW};

fn approved(by: &User) -> GrantState {
    GrantState::Approved {
        by: by.id,
        credentials_gen: by.credentials_gen,
        trusted: true,
        at: NOW,
    }
}

pub(super) async fn a_user_takes_everything_along(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (alice, bob) = (build.user("alice"), build.user("bob"));
    let (session, sessions_of_bob) = (build.session(&alice), build.session(&bob));
    let (device, device_of_bob) = (build.device(&alice), build.device(&bob));
    let exchanged = GrantState::Exchanged {
        by: alice.id,
        device: device.id,
        at: NOW,
    };
    let gone = [
        DeviceGrant {
            state: approved(&alice),
            ..build.grant()
        },
        DeviceGrant {
            state: exchanged,
            ..build.grant()
        },
    ];
    let denied = GrantState::Denied {
        reason: DenialReason::ByUser,
        at: NOW,
    };
    let kept = [
        build.grant(),
        DeviceGrant {
            state: denied,
            ..build.grant()
        },
        DeviceGrant {
            state: approved(&bob),
            ..build.grant()
        },
    ];
    let mut changes = vec![
        Change::InsertUser(alice.clone()),
        Change::InsertUser(bob.clone()),
        Change::InsertSession(session.clone()),
        Change::InsertSession(sessions_of_bob.clone()),
        Change::InsertDevice(device.clone()),
        Change::InsertDevice(device_of_bob.clone()),
    ];
    changes.extend(gone.iter().chain(&kept).cloned().map(Change::InsertGrant));
    make_all(&*store, changes).await;
    // One that was pending when it was made.
    let later = build.grant();
    make(&*store, Change::InsertGrant(later.clone())).await;
    make(
        &*store,
        Change::UpdateGrant(DeviceGrant {
            state: approved(&alice),
            ..later.clone()
        }),
    )
    .await;

    make(&*store, Change::DeleteUser(alice.id, alice.version)).await;

    assert_eq!(store.user(alice.id).await.unwrap(), None);
    assert_eq!(store.session(session.id).await.unwrap(), None);
    assert_eq!(store.device(device.id).await.unwrap(), None);
    assert_eq!(
        store
            .list_devices(&Query::default(), alice.id)
            .await
            .unwrap()
            .total,
        0
    );
    for grant in gone.iter().chain([&later]) {
        assert_eq!(store.grant(grant.id).await.unwrap(), None);
    }
    assert_eq!(store.user(bob.id).await.unwrap(), Some(bob));
    assert_eq!(
        store.session(sessions_of_bob.id).await.unwrap(),
        Some(sessions_of_bob)
    );
    assert_eq!(store.device(device_of_bob.id).await.unwrap(), Some(device_of_bob));
    for grant in kept {
        assert_eq!(store.grant(grant.id).await.unwrap(), Some(grant));
    }
}

pub(super) async fn a_service_account_takes_its_keys_along(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (ci, cd) = (build.service_account("ci"), build.service_account("cd"));
    let (one, two, other) = (
        build.api_key(&ci, "one"),
        build.api_key(&ci, "two"),
        build.api_key(&cd, "one"),
    );
    let changes = [
        Change::InsertServiceAccount(ci.clone()),
        Change::InsertServiceAccount(cd),
        Change::InsertApiKey(one.clone()),
        Change::InsertApiKey(two.clone()),
        Change::InsertApiKey(other.clone()),
    ];
    make_all(&*store, changes).await;
    make(&*store, Change::DeleteServiceAccount(ci.id, ci.version)).await;
    assert_eq!(store.service_account(ci.id).await.unwrap(), None);
    for key in [one, two] {
        assert_eq!(store.api_key(key.id).await.unwrap(), None);
        assert_eq!(
            store.api_key_by_name(ci.id, key.name.as_str()).await.unwrap(),
            None
        );
    }
    assert_eq!(store.api_key(other.id).await.unwrap(), Some(other));
}

pub(super) async fn single_deletions_touch_nothing_else(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (user, account) = (build.user("alice"), build.service_account("ci"));
    let (session, other_session) = (build.session(&user), build.session(&user));
    let (device, other_device) = (build.device(&user), build.device(&user));
    let (key, other_key) = (build.api_key(&account, "one"), build.api_key(&account, "two"));
    let exchanged = GrantState::Exchanged {
        by: user.id,
        device: device.id,
        at: NOW,
    };
    let grant = DeviceGrant {
        state: exchanged,
        ..build.grant()
    };
    let changes = [
        Change::InsertUser(user.clone()),
        Change::InsertServiceAccount(account.clone()),
        Change::InsertSession(session.clone()),
        Change::InsertSession(other_session.clone()),
        Change::InsertDevice(device.clone()),
        Change::InsertDevice(other_device.clone()),
        Change::InsertGrant(grant.clone()),
        Change::InsertApiKey(key.clone()),
        Change::InsertApiKey(other_key.clone()),
    ];
    make_all(&*store, changes).await;
    let deletions = [
        Change::DeleteSession(session.id, session.version),
        Change::DeleteDevice(device.id, device.version),
        Change::DeleteApiKey(key.id, key.version),
    ];
    make_all(&*store, deletions).await;
    assert_eq!(store.session(session.id).await.unwrap(), None);
    assert_eq!(store.device(device.id).await.unwrap(), None);
    assert_eq!(store.api_key(key.id).await.unwrap(), None);
    assert_eq!(store.user(user.id).await.unwrap(), Some(user));
    assert_eq!(store.service_account(account.id).await.unwrap(), Some(account));
    assert_eq!(
        store.session(other_session.id).await.unwrap(),
        Some(other_session)
    );
    assert_eq!(store.device(other_device.id).await.unwrap(), Some(other_device));
    assert_eq!(store.api_key(other_key.id).await.unwrap(), Some(other_key));
    assert_eq!(store.grant(grant.id).await.unwrap(), Some(grant));
}
