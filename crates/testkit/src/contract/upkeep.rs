//! Noting uses and cleaning up.

use std::sync::Arc;
use std::time::Duration;

use zenml_auth_core::ports::{ApiKeyUse, Change, DeviceUse, PurgeBefore, Store};
use zenml_auth_model::{
    ApiKey, ApiKeyId, Device, DeviceGrant, DeviceId, GrantState, Session, SigningKey, Timestamp,
};

use super::{make, make_all};
use crate::builders::{Builders, NOW, text_of};

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

/// A stored key that was never used and a stored device that was used at [`NOW`].
async fn key_and_device(store: &dyn Store, build: &Builders) -> (ApiKey, Device) {
    let (user, account) = (build.user("alice"), build.service_account("ci"));
    let (key, device) = (build.api_key(&account, "key"), build.device(&user));
    let changes = [
        Change::InsertUser(user),
        Change::InsertServiceAccount(account),
        Change::InsertApiKey(key.clone()),
        Change::InsertDevice(device.clone()),
    ];
    make_all(store, changes).await;
    (key, device)
}

pub(super) async fn uses_never_go_back_in_time(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (key, device) = key_and_device(&*store, &build).await;
    let uses = |at| ([ApiKeyUse { id: key.id, at }], [DeviceUse { id: device.id, at }]);
    for (at, expected) in [(5, 5), (3, 5), (9, 9), (9, 9), (0, 9)] {
        let (keys, devices) = uses(after(at));
        store.note_uses(&keys, &devices).await.unwrap();
        assert_eq!(
            store.api_key(key.id).await.unwrap().unwrap().last_login,
            Some(after(expected))
        );
        assert_eq!(
            store.device(device.id).await.unwrap().unwrap().last_login,
            Some(after(expected))
        );
    }
    // Within one batch, in any order.
    let batch = [20, 30, 10].map(|seconds| ApiKeyUse {
        id: key.id,
        at: after(seconds),
    });
    store.note_uses(&batch, &[]).await.unwrap();
    assert_eq!(
        store.api_key(key.id).await.unwrap().unwrap().last_login,
        Some(after(30))
    );
}

pub(super) async fn a_use_is_no_change(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (key, device) = key_and_device(&*store, &build).await;
    let at = after(5);
    store
        .note_uses(
            &[ApiKeyUse { id: key.id, at }],
            &[DeviceUse { id: device.id, at }],
        )
        .await
        .unwrap();
    let expected = ApiKey {
        last_login: Some(at),
        ..key.clone()
    };
    assert_eq!(store.api_key(key.id).await.unwrap(), Some(expected));
    let expected = Device {
        last_login: Some(at),
        ..device.clone()
    };
    assert_eq!(store.device(device.id).await.unwrap(), Some(expected));
    // Whoever read the row before may still decide on it.
    make(&*store, Change::DeleteApiKey(key.id, key.version)).await;
    make(&*store, Change::DeleteDevice(device.id, device.version)).await;
}

pub(super) async fn an_update_keeps_a_later_use(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (key, device) = key_and_device(&*store, &build).await;
    let (key_use, device_use) = (
        ApiKeyUse {
            id: key.id,
            at: after(5),
        },
        DeviceUse {
            id: device.id,
            at: after(5),
        },
    );
    store.note_uses(&[key_use], &[device_use]).await.unwrap();

    // Decided on what was read before the use: it is there after as well.
    let renamed = ApiKey {
        description: text_of("renamed"),
        ..key.clone()
    };
    make(&*store, Change::UpdateApiKey(renamed.clone())).await;
    let expected = ApiKey {
        last_login: Some(after(5)),
        version: key.version.next(),
        ..renamed.clone()
    };
    assert_eq!(store.api_key(key.id).await.unwrap(), Some(expected));
    make(
        &*store,
        Change::UpdateDevice(Device {
            trusted: false,
            ..device.clone()
        }),
    )
    .await;
    let stored = store.device(device.id).await.unwrap().unwrap();
    assert_eq!((stored.last_login, stored.trusted), (Some(after(5)), false));

    // A later one in the update counts.
    let used = ApiKey {
        last_login: Some(after(7)),
        version: key.version.next(),
        ..renamed
    };
    make(&*store, Change::UpdateApiKey(used)).await;
    assert_eq!(
        store.api_key(key.id).await.unwrap().unwrap().last_login,
        Some(after(7))
    );
    let connected = Device {
        last_login: Some(after(8)),
        version: stored.version,
        ..stored
    };
    make(&*store, Change::UpdateDevice(connected)).await;
    assert_eq!(
        store.device(device.id).await.unwrap().unwrap().last_login,
        Some(after(8))
    );
}

pub(super) async fn many_uses_at_once(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (user, account) = (build.user("alice"), build.service_account("ci"));
    let keys: Vec<ApiKey> = (0..300)
        .map(|number| build.api_key(&account, &format!("key {number}")))
        .collect();
    let devices: Vec<Device> = (0..300).map(|_| build.device(&user)).collect();
    let mut changes = vec![Change::InsertUser(user), Change::InsertServiceAccount(account)];
    changes.extend(keys.iter().cloned().map(Change::InsertApiKey));
    changes.extend(devices.iter().cloned().map(Change::InsertDevice));
    make_all(&*store, changes).await;

    // Some of what was used is gone in the meantime.
    let mut key_uses: Vec<_> = (1..)
        .zip(&keys)
        .map(|(seconds, key)| ApiKeyUse {
            id: key.id,
            at: after(seconds),
        })
        .collect();
    key_uses.insert(
        7,
        ApiKeyUse {
            id: ApiKeyId::from_uuid(build.uuid()),
            at: NOW,
        },
    );
    let mut device_uses: Vec<_> = (1..)
        .zip(&devices)
        .map(|(seconds, device)| DeviceUse {
            id: device.id,
            at: after(seconds),
        })
        .collect();
    device_uses.insert(
        7,
        DeviceUse {
            id: DeviceId::from_uuid(build.uuid()),
            at: NOW,
        },
    );
    store.note_uses(&key_uses, &device_uses).await.unwrap();
    store.note_uses(&[], &[]).await.unwrap();

    for (seconds, (key, device)) in (1..).zip(keys.iter().zip(&devices)) {
        assert_eq!(
            store.api_key(key.id).await.unwrap().unwrap().last_login,
            Some(after(seconds))
        );
        assert_eq!(
            store.device(device.id).await.unwrap().unwrap().last_login,
            Some(after(seconds))
        );
    }
}

pub(super) async fn purging_takes_what_has_ended(store: Arc<dyn Store>) {
    let build = Builders::new();
    let user = build.user("alice");
    make(&*store, Change::InsertUser(user.clone())).await;
    let exchanged = GrantState::Exchanged {
        by: user.id,
        device: build.device(&user).id,
        at: NOW,
    };
    // Before, at and after the moment.
    let grants = [9, 10, 11].map(|seconds| DeviceGrant {
        expires: after(seconds),
        ..build.grant()
    });
    let exchanged = DeviceGrant {
        expires: after(9),
        state: exchanged,
        ..build.grant()
    };
    let sessions = [19, 20, 21].map(|seconds| Session {
        expires: after(seconds),
        ..build.session(&user)
    });
    let signing_keys = [Some(29), Some(30), Some(31), None].map(|seconds| SigningKey {
        retired_until: seconds.map(after),
        ..build.signing_key()
    });
    make_all(
        &*store,
        grants
            .iter()
            .chain([&exchanged])
            .cloned()
            .map(Change::InsertGrant),
    )
    .await;
    make_all(&*store, sessions.iter().cloned().map(Change::InsertSession)).await;
    make_all(
        &*store,
        signing_keys.iter().cloned().map(Change::InsertSigningKey),
    )
    .await;

    let before = PurgeBefore {
        grants: after(10),
        sessions: after(20),
        signing_keys: after(30),
    };
    assert_eq!(store.purge(before, 100).await.unwrap(), 4);
    assert_eq!(store.grant(grants[0].id).await.unwrap(), None);
    assert_eq!(store.grant(exchanged.id).await.unwrap(), None);
    assert_eq!(store.session(sessions[0].id).await.unwrap(), None);
    for grant in &grants[1..] {
        assert_eq!(store.grant(grant.id).await.unwrap().as_ref(), Some(grant));
    }
    for session in &sessions[1..] {
        assert_eq!(store.session(session.id).await.unwrap().as_ref(), Some(session));
    }
    let mut kept: Vec<_> = signing_keys[1..].iter().map(|key| key.id).collect();
    kept.sort_unstable();
    let left: Vec<_> = store
        .signing_keys()
        .await
        .unwrap()
        .iter()
        .map(|key| key.id)
        .collect();
    assert_eq!(left, kept);
    assert_eq!(store.purge(before, 100).await.unwrap(), 0);
}

pub(super) async fn purging_keeps_to_its_limit(store: Arc<dyn Store>) {
    let build = Builders::new();
    let user = build.user("alice");
    make(&*store, Change::InsertUser(user.clone())).await;
    make_all(&*store, (0..25).map(|_| Change::InsertGrant(build.grant()))).await;
    make_all(
        &*store,
        (0..12).map(|_| Change::InsertSession(build.session(&user))),
    )
    .await;
    let far = after(1_000_000);
    let before = PurgeBefore {
        grants: far,
        sessions: far,
        signing_keys: far,
    };
    assert_eq!(store.purge(before, 0).await.unwrap(), 0);
    let mut purged = Vec::new();
    while let count @ 1.. = store.purge(before, 10).await.unwrap() {
        purged.push(count);
    }
    // The limit is for each kind.
    assert_eq!(purged, [20, 12, 5]);
}
