//! Noting uses and cleaning up.

use std::sync::Arc;
use std::time::Duration;

use zenml_auth_core::ports::{ApiKeyUse, Change, DeviceUse, KEY_USERS_KEPT, PurgeBefore, SessionUse, Store};
use zenml_auth_model::query::Query;
use zenml_auth_model::{
    Action, ApiKey, ApiKeyId, AuditEvent, Device, DeviceGrant, DeviceId, GrantState, KeyUse, Session,
    SigningKey, Text, Timestamp, UsedFrom,
};

use super::{make, make_all};
use crate::builders::{Builders, NOW, text_of};

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

/// From somewhere, somewhere else for each number.
fn from(number: u8) -> UsedFrom {
    UsedFrom {
        address: Some([192, 0, 2, number].into()),
        agent: Some(text_of(&format!("agent {number}"))),
    }
}

fn key_use(id: ApiKeyId, at: Timestamp) -> ApiKeyUse {
    use_of_value(id, 1, at, from(1))
}

fn use_of_value(id: ApiKeyId, generation: u32, at: Timestamp, from: UsedFrom) -> ApiKeyUse {
    let latest = KeyUse { generation, at, from };
    ApiKeyUse { id, latest }
}

fn device_use(id: DeviceId, at: Timestamp) -> DeviceUse {
    DeviceUse {
        id,
        at,
        from: from(2),
    }
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
    for (at, expected) in [(5, 5), (3, 5), (9, 9), (9, 9), (0, 9)] {
        let place = from(u8::try_from(at).unwrap());
        let key_use = use_of_value(key.id, 1, after(at), place.clone());
        let device_use = DeviceUse {
            id: device.id,
            at: after(at),
            from: place,
        };
        store.note_uses(&[key_use], &[device_use]).await.unwrap();
        // The place goes with the time.
        let expected = (Some(after(expected)), from(u8::try_from(expected).unwrap()));
        let stored = store.api_key(key.id).await.unwrap().unwrap();
        assert_eq!((stored.last_login, stored.last_used_from), expected);
        let stored = store.device(device.id).await.unwrap().unwrap();
        assert_eq!((stored.last_login, stored.last_used_from), expected);
    }
    // Within one batch, in any order.
    let batch = [20, 30, 10].map(|seconds| key_use(key.id, after(seconds)));
    store.note_uses(&batch, &[]).await.unwrap();
    assert_eq!(
        store.api_key(key.id).await.unwrap().unwrap().last_login,
        Some(after(30))
    );
    // From where is not always known.
    let nowhere = use_of_value(key.id, 1, after(40), UsedFrom::default());
    store.note_uses(&[nowhere], &[]).await.unwrap();
    let stored = store.api_key(key.id).await.unwrap().unwrap();
    assert_eq!(
        (stored.last_login, stored.last_used_from),
        (Some(after(40)), UsedFrom::default())
    );
}

pub(super) async fn a_use_is_no_change(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (key, device) = key_and_device(&*store, &build).await;
    let at = after(5);
    store
        .note_uses(&[key_use(key.id, at)], &[device_use(device.id, at)])
        .await
        .unwrap();
    let expected = ApiKey {
        last_login: Some(at),
        last_used_from: from(1),
        ..key.clone()
    };
    assert_eq!(store.api_key(key.id).await.unwrap(), Some(expected));
    let expected = Device {
        last_login: Some(at),
        last_used_from: from(2),
        ..device.clone()
    };
    assert_eq!(store.device(device.id).await.unwrap(), Some(expected));
    // Noting a use moves no version on, so a decision by the row as it was read before still goes through.
    make(&*store, Change::DeleteApiKey(key.id, key.version)).await;
    make(&*store, Change::DeleteDevice(device.id, device.version)).await;
}

pub(super) async fn uses_of_sessions_never_go_back_and_are_no_change(store: Arc<dyn Store>) {
    let build = Builders::new();
    let user = build.user("alice");
    let (session, other) = (build.session(&user), build.session(&user));
    let changes = [
        Change::InsertUser(user),
        Change::InsertSession(session.clone()),
        Change::InsertSession(other.clone()),
    ];
    make_all(&*store, changes).await;
    let used = |id, seconds| SessionUse {
        id,
        at: after(seconds),
    };
    let gone = build.session(&build.user("bob")).id;
    for (uses, expected) in [
        (vec![], 0),
        (vec![used(session.id, 5)], 5),
        (vec![used(session.id, 3), used(gone, 99)], 5),
        (vec![used(session.id, 9), used(session.id, 7)], 9),
    ] {
        let epoch = store.epoch().await.unwrap();
        store.note_session_uses(&uses).await.unwrap();
        assert_eq!(store.epoch().await.unwrap(), epoch, "a use revokes nothing");
        let expected = Session {
            last_active: after(expected),
            ..session.clone()
        };
        assert_eq!(store.session(session.id).await.unwrap(), Some(expected));
    }
    assert_eq!(store.session(other.id).await.unwrap(), Some(other));
    // Noting a use moves no version on, so a decision by the row as it was read before still goes through.
    make(&*store, Change::DeleteSession(session.id, session.version)).await;
}

pub(super) async fn an_update_keeps_a_later_use(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (key, device) = key_and_device(&*store, &build).await;
    let (key_use, device_use) = (key_use(key.id, after(5)), device_use(device.id, after(5)));
    store.note_uses(&[key_use], &[device_use]).await.unwrap();

    // Decided on what was read before the use: it is there after as well.
    let renamed = ApiKey {
        description: text_of("renamed"),
        ..key.clone()
    };
    make(&*store, Change::UpdateApiKey(renamed.clone())).await;
    let expected = ApiKey {
        last_login: Some(after(5)),
        last_used_from: from(1),
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
    assert_eq!(stored.last_used_from, from(2));

    // A later one in the update counts.
    let used = ApiKey {
        last_login: Some(after(7)),
        last_used_from: from(7),
        version: key.version.next(),
        ..renamed
    };
    make(&*store, Change::UpdateApiKey(used)).await;
    let read = store.api_key(key.id).await.unwrap().unwrap();
    assert_eq!((read.last_login, read.last_used_from), (Some(after(7)), from(7)));
    let connected = Device {
        last_login: Some(after(8)),
        last_used_from: from(8),
        version: stored.version,
        ..stored
    };
    make(&*store, Change::UpdateDevice(connected)).await;
    let read = store.device(device.id).await.unwrap().unwrap();
    assert_eq!((read.last_login, read.last_used_from), (Some(after(8)), from(8)));
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
        .map(|(seconds, key)| key_use(key.id, after(seconds)))
        .collect();
    key_uses.insert(7, key_use(ApiKeyId::from_uuid(build.uuid()), NOW));
    let mut device_uses: Vec<_> = (1..)
        .zip(&devices)
        .map(|(seconds, device)| device_use(device.id, after(seconds)))
        .collect();
    device_uses.insert(7, device_use(DeviceId::from_uuid(build.uuid()), NOW));
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

pub(super) async fn users_of_a_key_are_told_apart(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (key, _) = key_and_device(&*store, &build).await;
    let other = ApiKeyId::from_uuid(build.uuid());
    let note = async |generation, seconds, place: &UsedFrom| {
        let noted = use_of_value(key.id, generation, after(seconds), place.clone());
        store.note_uses(&[noted], &[]).await.unwrap();
    };
    let told = async || {
        let uses = store.api_key_uses(key.id).await.unwrap().into_iter();
        uses.map(|user| (user.generation, user.at, user.from))
            .collect::<Vec<_>>()
    };
    assert!(told().await.is_empty());

    let known_by_address = UsedFrom {
        agent: None,
        ..from(1)
    };
    let known_by_agent = UsedFrom {
        address: None,
        agent: Some(Text::new(super::round_trips::TRICKY).unwrap()),
    };
    let v6 = UsedFrom {
        address: Some("2001:db8::7".parse().unwrap()),
        ..from(1)
    };
    let places = [from(1), known_by_address, known_by_agent, v6, UsedFrom::default()];
    for (seconds, place) in (1..).zip(&places) {
        note(1, seconds, place).await;
    }
    let expected: Vec<_> = (1..).zip(&places).collect();
    let expected: Vec<_> = expected
        .into_iter()
        .rev()
        .map(|(seconds, place)| (1, after(seconds), place.clone()))
        .collect();
    assert_eq!(told().await, expected, "the latest first");

    // The same one again; another value; and a use that is noted late.
    note(1, 20, &from(1)).await;
    note(2, 19, &from(1)).await;
    note(1, 18, &from(1)).await;
    let told = told().await;
    assert_eq!(told.len(), 6);
    assert_eq!(told[..2], [(1, after(20), from(1)), (2, after(19), from(1))]);
    assert!(store.api_key_uses(other).await.unwrap().is_empty());
    make(&*store, Change::DeleteApiKey(key.id, key.version)).await;
    assert!(store.api_key_uses(key.id).await.unwrap().is_empty());
    make(&*store, Change::InsertApiKey(key.clone())).await;
    assert!(
        store.api_key_uses(key.id).await.unwrap().is_empty(),
        "they went with it"
    );
}

pub(super) async fn the_latest_users_of_a_key_are_kept(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (key, _) = key_and_device(&*store, &build).await;
    let note = async |uses: Vec<ApiKeyUse>| store.note_uses(&uses, &[]).await.unwrap();
    let users = |generation, seconds: std::ops::Range<u8>| {
        let user = move |number: u8| use_of_value(key.id, generation, after(number.into()), from(number));
        seconds.map(user).collect::<Vec<_>>()
    };
    note(users(1, 0..10)).await;
    note(users(2, 10..90)).await;
    note(users(2, 90..100)).await;
    let kept = store.api_key_uses(key.id).await.unwrap();
    let of_value = |generation| {
        let kept = kept.iter().filter(move |user| user.generation == generation);
        kept.map(|user| user.at).collect::<Vec<_>>()
    };
    let latest: Vec<_> = (0..KEY_USERS_KEPT as u64).map(|back| after(99 - back)).collect();
    assert_eq!(of_value(2), latest);
    assert_eq!(of_value(1).len(), 10, "each value for itself");
    // A user that was forgotten and comes again is remembered again.
    note(vec![use_of_value(key.id, 2, after(200), from(12))]).await;
    let kept = store.api_key_uses(key.id).await.unwrap();
    assert_eq!(kept[0].from, from(12));
    assert_eq!(kept.len(), 10 + KEY_USERS_KEPT);
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
        ..PurgeBefore::all(after(0))
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

pub(super) async fn the_last_end_is_that_of_all_devices_and_sessions(store: Arc<dyn Store>) {
    let build = Builders::new();
    assert_eq!(store.last_end().await.unwrap(), None);
    let user = build.user("alice");
    make(&*store, Change::InsertUser(user.clone())).await;
    for seconds in [10, 30, 20] {
        let device = Device {
            expires: after(seconds),
            ..build.device(&user)
        };
        make(&*store, Change::InsertDevice(device)).await;
    }
    assert_eq!(store.last_end().await.unwrap(), Some(after(30)));
    for seconds in [5, 40] {
        let session = Session {
            expires: after(seconds),
            ..build.session(&user)
        };
        make(&*store, Change::InsertSession(session)).await;
    }
    assert_eq!(store.last_end().await.unwrap(), Some(after(40)));
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
    let before = PurgeBefore::all(far);
    assert_eq!(store.purge(before, 0).await.unwrap(), 0);
    let mut purged = Vec::new();
    while let count @ 1.. = store.purge(before, 10).await.unwrap() {
        purged.push(count);
    }
    // The limit is for each kind.
    assert_eq!(purged, [20, 12, 5]);
}

pub(super) async fn the_audit_trail_is_purged_from_its_end(store: Arc<dyn Store>) {
    let build = Builders::new();
    let entry = |seconds| AuditEvent {
        at: after(seconds),
        ..build.audit_event(Action::UserCreated)
    };
    // Not in the order of their ids.
    let entries = [3, 0, 4, 1, 2].map(entry);
    make_all(&*store, entries.iter().cloned().map(Change::Audit)).await;
    let left = || async {
        let page = store.list_audit_events(&Query::default()).await.unwrap();
        let mut left: Vec<_> = page.items.iter().map(|event| event.at).collect();
        left.sort_unstable();
        left
    };
    assert_eq!(store.purge_audit(after(0), 10).await.unwrap(), 0);
    assert_eq!(
        store.purge_audit(after(3), 2).await.unwrap(),
        2,
        "the oldest ones first"
    );
    assert_eq!(left().await, [after(2), after(3), after(4)]);
    assert_eq!(store.purge_audit(after(3), 2).await.unwrap(), 1);
    assert_eq!(store.purge_audit(after(3), 2).await.unwrap(), 0);
    assert_eq!(left().await, [after(3), after(4)]);
    // Whatever else is cleaned up, the trail has its own time.
    store.purge(PurgeBefore::all(after(1_000_000)), 10).await.unwrap();
    assert_eq!(left().await, [after(3), after(4)]);
}
