//! The revocation epoch.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use zenml_auth_core::ports::{Change, ChangeSet, CommitError, Epoch, Guard, IdentityRef, Revoked, Store};
use zenml_auth_model::{Action, ApiKey, Device, DeviceId, Session, User};

use super::{attempt, make, make_all, refused};
use crate::builders::{Builders, text_of};

/// One of each that can be revoked, in store.
struct Everything {
    user: User,
    session: Session,
    device: Device,
    key: ApiKey,
}

async fn everything(store: &dyn Store, build: &Builders) -> Everything {
    let user = build.user("alice");
    let account = build.service_account("ci");
    let all = Everything {
        session: build.session(&user),
        device: build.device(&user),
        key: build.api_key(&account, "key"),
        user,
    };
    let changes = [
        Change::InsertUser(all.user.clone()),
        Change::InsertSession(all.session.clone()),
        Change::InsertDevice(all.device.clone()),
        Change::InsertServiceAccount(account),
        Change::InsertApiKey(all.key.clone()),
    ];
    make_all(store, changes).await;
    all
}

/// What was revoked since, which has to be known.
async fn told(store: &dyn Store, since: Epoch) -> (Epoch, Vec<IdentityRef>) {
    let revocations = store.revoked_since(since).await.unwrap();
    match revocations.what {
        Revoked::These(mut what) => {
            // They come in no order.
            what.sort();
            (revocations.epoch, what)
        }
        Revoked::Any => panic!(
            "{since:?} was an epoch a moment ago, and is unknown at {:?}",
            revocations.epoch
        ),
    }
}

pub(super) async fn the_epoch_stays_when_nothing_is_revoked(store: Arc<dyn Store>) {
    let build = Builders::new();
    let epoch = store.epoch().await.unwrap();
    assert_ne!(epoch, Epoch::UNKNOWN);
    let all = everything(&*store, &build).await;
    let grant = build.grant();
    make(&*store, Change::InsertGrant(grant.clone())).await;
    make(&*store, Change::UpdateGrant(grant)).await;
    let guard = store.guard(Guard::SigningKeys).await.unwrap();
    make(&*store, Change::Guard(Guard::SigningKeys, guard)).await;
    make(&*store, Change::Audit(build.audit_event(Action::UserCreated))).await;
    store.commit(ChangeSet::new()).await.unwrap();
    assert_eq!(store.epoch().await.unwrap(), epoch);
    assert_eq!(told(&*store, epoch).await, (epoch, Vec::new()));
    assert_eq!(store.device(all.device.id).await.unwrap(), Some(all.device));
}

pub(super) async fn every_revocation_moves_the_epoch_on(store: Arc<dyn Store>) {
    let build = Builders::new();
    let all = everything(&*store, &build).await;
    let account = store
        .service_account(all.key.service_account_id)
        .await
        .unwrap()
        .unwrap();
    let next = |version: zenml_auth_model::Version| version.next();
    let steps = [
        (
            Change::UpdateUser(all.user.clone()),
            IdentityRef::User(all.user.id),
        ),
        (
            Change::UpdateDevice(all.device.clone()),
            IdentityRef::Device(all.device.id),
        ),
        (
            Change::UpdateServiceAccount(account.clone()),
            IdentityRef::ServiceAccount(account.id),
        ),
        (
            Change::UpdateApiKey(all.key.clone()),
            IdentityRef::ApiKey(all.key.id),
        ),
        (
            Change::DeleteSession(all.session.id, all.session.version),
            IdentityRef::Session(all.session.id),
        ),
        (
            Change::DeleteDevice(all.device.id, next(all.device.version)),
            IdentityRef::Device(all.device.id),
        ),
        (
            Change::DeleteApiKey(all.key.id, next(all.key.version)),
            IdentityRef::ApiKey(all.key.id),
        ),
        (
            Change::DeleteServiceAccount(account.id, next(account.version)),
            IdentityRef::ServiceAccount(account.id),
        ),
        (
            Change::DeleteUser(all.user.id, next(all.user.version)),
            IdentityRef::User(all.user.id),
        ),
    ];
    let first = store.epoch().await.unwrap();
    let mut epochs = vec![first];
    let mut expected = Vec::new();
    for (change, identity) in steps {
        make(&*store, change).await;
        let epoch = store.epoch().await.unwrap();
        assert!(epoch > epochs[epochs.len() - 1], "{epoch:?} after {epochs:?}");
        expected.push(identity);
        epochs.push(epoch);
    }
    let last = epochs[epochs.len() - 1];
    for (seen, epoch) in epochs.into_iter().enumerate() {
        let mut since = expected[seen..].to_vec();
        since.sort();
        assert_eq!(told(&*store, epoch).await, (last, since), "since {epoch:?}");
    }
}

pub(super) async fn a_set_revokes_all_of_it_at_once(store: Arc<dyn Store>) {
    let build = Builders::new();
    let all = everything(&*store, &build).await;
    let first = store.epoch().await.unwrap();
    let changes = [
        Change::UpdateUser(all.user.clone()),
        Change::UpdateDevice(all.device.clone()),
        Change::Audit(build.audit_event(Action::UserCreated)),
        Change::DeleteSession(all.session.id, all.session.version),
    ];
    make_all(&*store, changes).await;
    let (epoch, what) = told(&*store, first).await;
    let mut expected = vec![
        IdentityRef::User(all.user.id),
        IdentityRef::Device(all.device.id),
        IdentityRef::Session(all.session.id),
    ];
    expected.sort();
    assert_eq!(what, expected);
    assert_eq!(store.epoch().await.unwrap(), epoch);
}

pub(super) async fn what_is_refused_revokes_nothing(store: Arc<dyn Store>) {
    let build = Builders::new();
    let all = everything(&*store, &build).await;
    make(&*store, Change::UpdateDevice(all.device.clone())).await;
    let epoch = store.epoch().await.unwrap();
    let stale = refused(&*store, Change::UpdateDevice(all.device.clone())).await;
    assert!(matches!(stale, CommitError::Stale), "{stale:?}");
    // Right in itself, but not in this company.
    let set = ChangeSet::new()
        .with(Change::UpdateUser(all.user.clone()))
        .with(Change::UpdateDevice(all.device));
    assert!(matches!(store.commit(set).await, Err(CommitError::Stale)));
    let taken = ChangeSet::new()
        .with(Change::UpdateUser(all.user))
        .with(Change::InsertUser(build.user("alice")));
    assert!(matches!(store.commit(taken).await, Err(CommitError::Taken(_))));
    assert_eq!(store.epoch().await.unwrap(), epoch);
    assert_eq!(told(&*store, epoch).await, (epoch, Vec::new()));
    assert!(attempt(&*store, Change::UpdateApiKey(all.key)).await.is_ok());
    assert!(store.epoch().await.unwrap() > epoch);
}

pub(super) async fn a_cache_without_an_epoch_has_to_forget_everything(store: Arc<dyn Store>) {
    let build = Builders::new();
    let now = store.epoch().await.unwrap();
    let told = store.revoked_since(Epoch::UNKNOWN).await.unwrap();
    assert_eq!((told.epoch, told.what), (now, Revoked::Any));
    let all = everything(&*store, &build).await;
    make(&*store, Change::UpdateUser(all.user)).await;
    let now = store.epoch().await.unwrap();
    let told = store.revoked_since(Epoch::UNKNOWN).await.unwrap();
    assert_eq!((told.epoch, told.what), (now, Revoked::Any));
}

/// Several revoke at the same time, while somebody catches up again and again: each revocation is told exactly once, and
/// never before its row is seen.
pub(super) async fn a_reader_of_an_epoch_sees_its_rows(store: Arc<dyn Store>) {
    const REVOKERS: usize = 8;
    const ROUNDS: u32 = 15;
    let build = Builders::new();
    let user = build.user("alice");
    make(&*store, Change::InsertUser(user.clone())).await;
    let mut devices = Vec::new();
    for number in 0..REVOKERS {
        let mut device = build.device(&user);
        device.token_gen = 0;
        device.traits.hostname = Some(text_of(&format!("host {number}")));
        make(&*store, Change::InsertDevice(device.clone())).await;
        devices.push(device);
    }
    let mut known = store.epoch().await.unwrap();
    let mut revokers = JoinSet::new();
    for mut device in devices {
        let store = Arc::clone(&store);
        revokers.spawn(async move {
            for _ in 0..ROUNDS {
                let before = store.epoch().await.unwrap();
                device.token_gen += 1;
                make(&*store, Change::UpdateDevice(device.clone())).await;
                device.version = device.version.next();
                assert!(store.epoch().await.unwrap() > before);
            }
        });
    }
    let mut counts: HashMap<DeviceId, u32> = HashMap::new();
    loop {
        let finished = revokers.try_join_next();
        let seen = store.epoch().await.unwrap();
        assert!(seen >= known, "{seen:?} after {known:?}");
        let (epoch, what) = told(&*store, known).await;
        assert!(epoch >= seen);
        known = epoch;
        for identity in what {
            let IdentityRef::Device(id) = identity else {
                panic!("{identity:?} was not revoked")
            };
            *counts.entry(id).or_default() += 1;
        }
        for (id, count) in &counts {
            let device = store.device(*id).await.unwrap().unwrap();
            assert!(device.token_gen >= *count, "told {count} times, but {device:?}");
        }
        match finished {
            Some(finished) => finished.unwrap(),
            None if revokers.is_empty() => break,
            None => {}
        }
    }
    assert_eq!(counts.len(), REVOKERS);
    assert!(counts.values().all(|count| *count == ROUNDS), "{counts:?}");
}
