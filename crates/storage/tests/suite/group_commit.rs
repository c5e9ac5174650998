//! Commits to SQLite share transactions, and nobody notices.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::task::JoinSet;
use zenml_auth_core::ports::{
    Change, ChangeSet, CommitError, IdentityRef, Revoked, Store as _, StoreError, Unique,
};
use zenml_auth_model::{DeviceGrant, Text};
use zenml_auth_storage::sea_orm::ConnectionTrait as _;
use zenml_auth_storage::{ConnectOptions, SqlStore};
use zenml_auth_testkit::builders::Builders;

async fn store() -> (Arc<SqlStore>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = ConnectOptions::sqlite_file(folder.path().join("zenml-auth.db"));
    let store = SqlStore::connect(&options).await.unwrap();
    store.migrate_up().await.unwrap();
    (Arc::new(store), folder)
}

fn one(change: Change) -> ChangeSet {
    ChangeSet::new().with(change)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_takes_nobody_along() {
    let (store, _folder) = store().await;
    let builders = Builders::new();
    let grants: Vec<_> = (0..200).map(|_| builders.grant()).collect();
    let mut racing = JoinSet::new();
    for (number, grant) in grants.iter().enumerate() {
        let mut grant = grant.clone();
        // Every tenth has the user code of the one before it.
        let is_copy = number % 10 == 9;
        if is_copy {
            grant.user_code = grants[number - 1].user_code;
        }
        let store = Arc::clone(&store);
        racing.spawn(async move { (number, store.commit(one(Change::InsertGrant(grant))).await) });
    }
    let mut made = vec![false; grants.len()];
    for (number, outcome) in racing.join_all().await {
        match outcome {
            Ok(()) => made[number] = true,
            Err(CommitError::Taken(Unique::Code)) => assert!(number % 10 >= 8, "{number} was taken"),
            Err(error) => panic!("{error}"),
        }
    }
    for (number, grant) in grants.iter().enumerate() {
        assert_eq!(store.grant(grant.id).await.unwrap().is_some(), made[number]);
        if number % 10 == 9 {
            assert!(made[number - 1] != made[number], "one of two equal codes wins");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_takes_nobody_along() {
    let (store, _folder) = store().await;
    for (table, bad) in [
        ("users", "name LIKE 'bad%'"),
        ("device_grants", "failed_attempts = 7"),
    ] {
        let trigger = format!(
            "CREATE TRIGGER breaks_{table} BEFORE INSERT ON {table} WHEN NEW.{bad} \
             BEGIN SELECT RAISE(ABORT, 'broken'); END"
        );
        store.connection().execute_unprepared(&trigger).await.unwrap();
    }
    let builders = Builders::new();
    let user = |number: usize, is_bad: bool| {
        let name = if is_bad { "bad" } else { "good" };
        Change::InsertUser(builders.user(&format!("{name}-{number}")))
    };
    // Those are written together.
    let grant = |_: usize, is_bad: bool| {
        Change::InsertGrant(DeviceGrant {
            failed_attempts: if is_bad { 7 } else { 0 },
            ..builders.grant()
        })
    };
    let kinds: [&dyn Fn(usize, bool) -> Change; 2] = [&user, &grant];
    for kind in kinds {
        let mut racing = JoinSet::new();
        for number in 0..100 {
            let is_bad = number % 10 == 9;
            let (store, changes) = (Arc::clone(&store), one(kind(number, is_bad)));
            racing.spawn(async move { (is_bad, store.commit(changes).await) });
        }
        for (is_bad, outcome) in racing.join_all().await {
            match outcome {
                Ok(()) => assert!(!is_bad),
                Err(CommitError::Store(_)) => assert!(is_bad, "it was somebody else's fault"),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_moves_the_epoch_though_its_caller_goes_away() {
    let (store, _folder) = store().await;
    let mut user = Builders::new().user("alice");
    store.commit(one(Change::InsertUser(user.clone()))).await.unwrap();
    let mut made = 0;
    for round in 0..200 {
        let epoch = store.epoch().await.unwrap();
        user.full_name = Text::from_untrusted(&format!("round {round}"), 64);
        let changes = one(Change::UpdateUser(user.clone()));
        let committing = {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.commit(changes).await })
        };
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        committing.abort();
        let _ = committing.await;
        // Behind everything that was handed over before.
        store.commit(ChangeSet::new()).await.unwrap();
        let found = store.user(user.id).await.unwrap().unwrap();
        if found.version != user.version {
            made += 1;
            let revoked = store.revoked_since(epoch).await.unwrap();
            assert!(revoked.epoch > epoch);
            assert_eq!(revoked.what, Revoked::These(vec![IdentityRef::User(user.id)]));
        }
        user = found;
    }
    assert!(made > 0, "nothing was ever made");
}

#[tokio::test]
async fn what_waits_is_made_before_closing() {
    let (store, folder) = store().await;
    let builders = Builders::new();
    let users: Vec<_> = (0..50)
        .map(|number| builders.user(&format!("user-{number}")))
        .collect();
    let mut waiting = JoinSet::new();
    for user in &users {
        let (store, user) = (Arc::clone(&store), user.clone());
        waiting.spawn(async move { store.commit(one(Change::InsertUser(user))).await });
    }
    // Let all of them hand over before it closes.
    tokio::task::yield_now().await;
    store.close().await.unwrap();
    let acknowledged = waiting.join_all().await.into_iter().filter(Result::is_ok).count();
    assert!(matches!(
        store.commit(ChangeSet::new()).await,
        Err(CommitError::Store(StoreError::Unavailable(_)))
    ));

    let options = ConnectOptions::sqlite_file(folder.path().join("zenml-auth.db"));
    let reopened = SqlStore::connect(&options).await.unwrap();
    let mut kept = 0;
    for user in &users {
        kept += usize::from(reopened.user(user.id).await.unwrap().is_some());
    }
    assert_eq!(kept, acknowledged);
    assert_eq!(kept, users.len());
}
