//! Many at once.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use zenml_auth_core::ports::{Change, ChangeSet, CommitError, Guard, Store, Unique};
use zenml_auth_model::query::{MAX_PAGE_SIZE, PageRequest, Query};
use zenml_auth_model::{Action, ApiKey, Device, DeviceGrant, GrantState, ServiceAccount};

use super::{make, make_all};
use crate::builders::{Builders, NOW, text_of};

const RACERS: usize = 40;

/// Commits all of the sets at the same moment, and returns what came of each.
async fn race(store: &Arc<dyn Store>, sets: Vec<ChangeSet>) -> Vec<Result<(), CommitError>> {
    let start = Arc::new(Barrier::new(sets.len()));
    let mut racers = JoinSet::new();
    for set in sets {
        let (store, start) = (Arc::clone(store), Arc::clone(&start));
        racers.spawn(async move {
            start.wait().await;
            store.commit(set).await
        });
    }
    racers.join_all().await
}

fn assert_one_winner(results: &[Result<(), CommitError>], lost: impl Fn(&CommitError) -> bool) {
    let winners = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(winners, 1, "{results:?}");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(lost(error), "lost for another reason: {error:?}");
    }
}

fn is_stale(error: &CommitError) -> bool {
    matches!(error, CommitError::Stale)
}

async fn audited(store: &dyn Store) -> u64 {
    store.list_audit_events(&Query::default()).await.unwrap().total
}

pub(super) async fn one_of_many_updates_wins(store: Arc<dyn Store>) {
    let build = Builders::new();
    let account = build.service_account("ci");
    let key = build.api_key(&account, "key");
    make_all(
        &*store,
        [
            Change::InsertServiceAccount(account),
            Change::InsertApiKey(key.clone()),
        ],
    )
    .await;
    let rotations = (0..RACERS).map(|_| {
        let mut rotated = ApiKey {
            retain_period_minutes: 60,
            ..key.clone()
        };
        rotated.current.number += 1;
        rotated.current.hash = build.hash();
        ChangeSet::new()
            .with(Change::Audit(build.audit_event(Action::ApiKeyRotated)))
            .with(Change::UpdateApiKey(rotated))
    });
    let results = race(&store, rotations.collect()).await;
    assert_one_winner(&results, is_stale);
    let stored = store.api_key(key.id).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.current.number), (key.version.next(), 2));
    assert_eq!(audited(&*store).await, 1);
}

pub(super) async fn one_of_many_exchanges_wins(store: Arc<dyn Store>) {
    let build = Builders::new();
    let user = build.user("alice");
    let approved = GrantState::Approved {
        by: user.id,
        credentials_gen: 1,
        trusted: true,
        at: NOW,
    };
    let grant = DeviceGrant {
        state: approved,
        ..build.grant()
    };
    make_all(
        &*store,
        [
            Change::InsertUser(user.clone()),
            Change::InsertGrant(grant.clone()),
        ],
    )
    .await;
    // Each also stumbles over the other's device, were it not for the grant.
    let exchanges = (0..RACERS).map(|_| {
        let device = Device {
            id: grant.id.into_device_id(),
            client_id: grant.client_id,
            ..build.device(&user)
        };
        let exchanged = GrantState::Exchanged {
            by: user.id,
            device: device.id,
            at: NOW,
        };
        ChangeSet::new()
            .with(Change::UpdateGrant(DeviceGrant {
                state: exchanged,
                ..grant.clone()
            }))
            .with(Change::InsertDevice(device))
            .with(Change::Audit(build.audit_event(Action::DeviceConnected)))
    });
    let results = race(&store, exchanges.collect()).await;
    assert_one_winner(&results, is_stale);
    assert_eq!(
        store
            .list_devices(&Query::default(), user.id)
            .await
            .unwrap()
            .total,
        1
    );
    assert_eq!(audited(&*store).await, 1);
}

pub(super) async fn one_of_many_equal_names_wins(store: Arc<dyn Store>) {
    let build = Builders::new();
    let sets = (0..RACERS).map(|_| {
        ChangeSet::new()
            .with(Change::Audit(build.audit_event(Action::UserCreated)))
            .with(Change::InsertUser(build.user("alice")))
    });
    let results = race(&store, sets.collect()).await;
    assert_one_winner(&results, |error| {
        matches!(error, CommitError::Taken(Unique::UserName))
    });
    assert_eq!(audited(&*store).await, 1);
}

pub(super) async fn one_of_many_guards_wins(store: Arc<dyn Store>) {
    let build = Builders::new();
    let read = store.guard(Guard::SigningKeys).await.unwrap();
    let sets = (0..RACERS).map(|_| {
        ChangeSet::new()
            .with(Change::Guard(Guard::SigningKeys, read))
            .with(Change::InsertSigningKey(build.signing_key()))
    });
    let results = race(&store, sets.collect()).await;
    assert_one_winner(&results, is_stale);
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);
    assert_eq!(store.guard(Guard::SigningKeys).await.unwrap(), read.next());
}

pub(super) async fn no_update_is_lost(store: Arc<dyn Store>) {
    let build = Builders::new();
    let grant = build.grant();
    make(&*store, Change::InsertGrant(grant.clone())).await;
    let mut counters = JoinSet::new();
    for _ in 0..RACERS {
        let store = Arc::clone(&store);
        let id = grant.id;
        counters.spawn(async move {
            loop {
                let mut read = store.grant(id).await.unwrap().unwrap();
                read.failed_attempts += 1;
                match store
                    .commit(ChangeSet::new().with(Change::UpdateGrant(read)))
                    .await
                {
                    Ok(()) => return,
                    Err(CommitError::Stale) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
    }
    counters.join_all().await;
    let counted = store.grant(grant.id).await.unwrap().unwrap();
    let racers = u32::try_from(RACERS).unwrap();
    assert_eq!(
        (counted.failed_attempts, counted.version.get()),
        (racers, grant.version.get() + racers)
    );
}

pub(super) async fn update_and_deletion_do_not_both_win(store: Arc<dyn Store>) {
    let build = Builders::new();
    for round in 0..10 {
        let user = build.user(&format!("user {round}"));
        let device = build.device(&user);
        make_all(
            &*store,
            [Change::InsertUser(user), Change::InsertDevice(device.clone())],
        )
        .await;
        let sets = (0..RACERS / 2).flat_map(|_| {
            let update = Change::UpdateDevice(Device {
                trusted: false,
                ..device.clone()
            });
            [update, Change::DeleteDevice(device.id, device.version)]
                .map(|change| ChangeSet::new().with(change))
        });
        let results = race(&store, sets.collect()).await;
        assert_one_winner(&results, is_stale);
        if let Some(left) = store.device(device.id).await.unwrap() {
            assert_eq!((left.trusted, left.version), (false, device.version.next()));
        }
    }
}

pub(super) async fn what_is_committed_is_seen(store: Arc<dyn Store>) {
    let build = Arc::new(Builders::new());
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let (store, build) = (Arc::clone(&store), Arc::clone(&build));
        tasks.spawn(async move {
            for round in 0..15 {
                let name = format!("user {task} {round}");
                let user = build.user(&name);
                make(&*store, Change::InsertUser(user.clone())).await;
                // By another task, and so over another connection.
                let reader = Arc::clone(&store);
                let id = user.id;
                let read = tokio::spawn(async move {
                    let all = Query {
                        page: PageRequest::new(1, MAX_PAGE_SIZE).unwrap(),
                        ..Query::default()
                    };
                    let listed = reader.list_users(&all, None).await.unwrap();
                    let by_name = reader.user_by_name(&name).await.unwrap();
                    (
                        reader.user(id).await.unwrap(),
                        by_name,
                        listed.items.iter().any(|user| user.id == id),
                    )
                });
                assert_eq!(
                    read.await.unwrap(),
                    (Some(user.clone()), Some(user.clone()), true)
                );
                make(&*store, Change::DeleteUser(user.id, user.version)).await;
                assert_eq!(store.user(user.id).await.unwrap(), None);
            }
        });
    }
    tasks.join_all().await;
}

pub(super) async fn readers_see_whole_sets(store: Arc<dyn Store>) {
    let build = Builders::new();
    let mut accounts: Vec<ServiceAccount> = (0..5)
        .map(|number| build.service_account(&format!("account {number}")))
        .collect();
    make_all(
        &*store,
        accounts.iter().cloned().map(Change::InsertServiceAccount),
    )
    .await;

    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for round in 0..40 {
                let description = text_of(&format!("round {round}"));
                for account in &mut accounts {
                    account.description = description.clone();
                }
                make_all(
                    &*store,
                    accounts.iter().cloned().map(Change::UpdateServiceAccount),
                )
                .await;
                for account in &mut accounts {
                    account.version = account.version.next();
                }
            }
        }
    });
    while !writer.is_finished() {
        // A page that is full, so that the items and their number are two questions.
        let query = Query {
            page: PageRequest::new(1, 5).unwrap(),
            ..Query::default()
        };
        let page = store.list_service_accounts(&query).await.unwrap();
        let descriptions: Vec<&str> = page
            .items
            .iter()
            .map(|account| account.description.as_str())
            .collect();
        assert!(
            descriptions
                .iter()
                .all(|description| *description == descriptions[0]),
            "{descriptions:?}"
        );
        assert_eq!(page.total, 5);
    }
    writer.await.unwrap();
}
