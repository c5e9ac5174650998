//! What SQLite's file has to go through.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;
use zenml_auth_core::ports::{Change, ChangeSet, CommitError, Store, StoreError};
use zenml_auth_model::query::Query;
use zenml_auth_model::{Action, KeptSecret, ServerIdentity, SigningKey, Timestamp, User, Version};
use zenml_auth_storage::sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use zenml_auth_storage::{ConnectOptions, SqlStore};
use zenml_auth_testkit::builders::{Builders, text_of};

const FILE: &str = "zenml-auth.db";

fn options(folder: &TempDir) -> ConnectOptions {
    ConnectOptions::sqlite_file(folder.path().join(FILE))
}

async fn open(folder: &TempDir) -> SqlStore {
    let store = SqlStore::connect(&options(folder)).await.unwrap();
    store.migrate_up().await.unwrap();
    store
}

#[tokio::test]
async fn an_open_store_does_not_move_to_another_file() {
    let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(&here).await;
    store.connect_with(&options(&here)).unwrap();
    for other in [options(&there), ConnectOptions::url("sqlite::memory:")] {
        let refused = store.connect_with(&other).unwrap_err().to_string();
        assert!(
            refused.contains("can't change while the server runs"),
            "{refused}"
        );
    }
}

async fn add(store: &SqlStore, user: &User) -> Result<(), CommitError> {
    store
        .commit(ChangeSet::new().with(Change::InsertUser(user.clone())))
        .await
}

fn files_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let user = Builders::new().user("alice");
    let store = open(&folder).await;
    add(&store, &user).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(files_in(folder.path()), [FILE]);
    assert!(matches!(
        store.user(user.id).await,
        Err(StoreError::Unavailable(_))
    ));
    assert!(matches!(
        add(&store, &user).await,
        Err(CommitError::Store(StoreError::Unavailable(_)))
    ));

    let reopened = SqlStore::connect(&options(&folder)).await.unwrap();
    reopened.check_schema().await.unwrap();
    assert_eq!(reopened.user(user.id).await.unwrap(), Some(user));
}

#[tokio::test]
async fn without_a_reserve_the_file_of_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let build = Builders::new();
    let reserve = folder.path().join(format!("{FILE}-reserve"));
    let length = || std::fs::metadata(&reserve).ok().map(|file| file.len());
    let mut options = options(&folder);
    for (number, (bytes, expected)) in [(0, None), (4096, Some(4096)), (0, Some(4096))]
        .into_iter()
        .enumerate()
    {
        options.disk_reserve = bytes;
        let store = SqlStore::connect(&options).await.unwrap();
        store.migrate_up().await.unwrap();
        add(&store, &build.user(&format!("user {number}"))).await.unwrap();
        store.close().await.unwrap();
        assert_eq!(length(), expected, "{bytes}");
    }
}

#[tokio::test]
async fn what_was_committed_survives_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let user = Builders::new().user("alice");
    let store = open(&folder).await;
    add(&store, &user).await.unwrap();

    // The files as they are at this moment, while the store is still open.
    let copy = tempfile::tempdir().unwrap();
    for name in files_in(folder.path()) {
        if !name.ends_with("-shm") {
            std::fs::copy(folder.path().join(&name), copy.path().join(&name)).unwrap();
        }
    }
    let recovered = SqlStore::connect(&options(&copy)).await.unwrap();
    recovered.check_schema().await.unwrap();
    assert_eq!(recovered.user(user.id).await.unwrap(), Some(user));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    add(&store, &Builders::new().user("alice")).await.unwrap();
    let files = files_in(folder.path());
    assert!(
        files.len() > 1,
        "the log should be there while the store is open: {files:?}"
    );
    for name in files {
        let mode = std::fs::metadata(folder.path().join(&name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name} has mode {mode:o}");
    }
}

#[tokio::test]
async fn any_path_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let strange = folder.path().join("a b?c#d%20é🚀");
    std::fs::create_dir(&strange).unwrap();
    let store = SqlStore::connect(&ConnectOptions::sqlite_file(strange.join("x.db")))
        .await
        .unwrap();
    store.migrate_up().await.unwrap();
    store.close().await.unwrap();
    assert_eq!(files_in(&strange), ["x.db"]);
}

#[tokio::test]
async fn a_missing_file_is_made_only_when_asked_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(&folder);
    options.create_if_missing = false;
    let error = SqlStore::connect(&options).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert_eq!(files_in(folder.path()), [""; 0]);

    let nowhere = ConnectOptions::sqlite_file(folder.path().join("missing/zenml-auth.db"));
    let error = SqlStore::connect(&nowhere).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_no_database_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join(FILE),
        "a letter to my grandmother, ".repeat(100),
    )
    .unwrap();
    let error = SqlStore::connect(&options(&folder)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt(_)), "{error:?}");
}

#[tokio::test]
async fn a_read_only_database_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let build = Builders::new();
    let (alice, bob) = (build.user("alice"), build.user("bob"));
    let store = open(&folder).await;
    add(&store, &alice).await.unwrap();
    store.close().await.unwrap();

    let mut url = ConnectOptions::url(format!("sqlite://{}?mode=ro", folder.path().join(FILE).display()));
    url.create_if_missing = false;
    let read_only = SqlStore::connect(&url).await.unwrap();
    read_only.check_schema().await.unwrap();
    assert_eq!(read_only.user(alice.id).await.unwrap(), Some(alice));
    let error = add(&read_only, &bob).await.unwrap_err();
    assert!(
        matches!(error, CommitError::Store(StoreError::ReadOnly(_))),
        "{error:?}"
    );
    assert_eq!(read_only.user(bob.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full() {
    let folder = tempfile::tempdir().unwrap();
    let build = Builders::new();
    let store = open(&folder).await;
    let small = build.user("small");
    add(&store, &small).await.unwrap();
    store
        .connection()
        .execute_unprepared("PRAGMA max_page_count = 1")
        .await
        .unwrap();
    let large = User {
        metadata: Some("x".repeat(1_000_000)),
        ..build.user("large")
    };
    let error = add(&store, &large).await.unwrap_err();
    assert!(
        matches!(error, CommitError::Store(StoreError::Full(_))),
        "{error:?}"
    );
    assert_eq!(store.user(large.id).await.unwrap(), None);
    assert_eq!(store.user(small.id).await.unwrap(), Some(small));

    // As soon as there is room again, it goes on.
    store
        .connection()
        .execute_unprepared("PRAGMA max_page_count = 1000000")
        .await
        .unwrap();
    add(&store, &large).await.unwrap();
    assert_eq!(store.user(large.id).await.unwrap(), Some(large));
}

/// All connections that read are there from the start: one that is opened later would be refused, or see another file.
#[tokio::test]
async fn reads_go_on_while_the_file_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(&folder);
    let user = Builders::new().user("alice");
    let store = Arc::new(open(&folder).await);
    add(&store, &user).await.unwrap();
    let (file, aside) = (folder.path().join(FILE), folder.path().join("aside"));
    std::fs::rename(&file, &aside).unwrap();
    std::fs::copy(&aside, &file).unwrap();
    let mut reading = JoinSet::new();
    for _ in 0..50 * options.connections {
        let store = Arc::clone(&store);
        reading.spawn(async move { store.user(user.id).await.unwrap().map(|user| user.id) });
    }
    while let Some(read) = reading.join_next().await {
        assert_eq!(read.unwrap(), Some(user.id));
    }
    assert!(add(&store, &Builders::new().user("bob")).await.is_err());
}

#[tokio::test]
async fn a_lock_of_another_program_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let build = Builders::new();
    let other = open(&folder).await;
    let mut impatient = options(&folder);
    impatient.busy_timeout = Duration::from_millis(50);
    let store = SqlStore::connect(&impatient).await.unwrap();

    let lock = other.connection().begin().await.unwrap();
    lock.execute_unprepared("UPDATE guards SET version = version")
        .await
        .unwrap();
    let error = add(&store, &build.user("too early")).await.unwrap_err();
    assert!(
        matches!(error, CommitError::Store(StoreError::Unavailable(_))),
        "{error:?}"
    );
    // Nobody has to wait to read.
    assert_eq!(store.list_users(&Query::default(), None).await.unwrap().total, 0);
    lock.rollback().await.unwrap();
    add(&store, &build.user("in time")).await.unwrap();
    assert_eq!(store.list_users(&Query::default(), None).await.unwrap().total, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_on_one_file_do_not_both_win() {
    let folder = tempfile::tempdir().unwrap();
    let build = Builders::new();
    let user = build.user("alice");
    let stores = [Arc::new(open(&folder).await), Arc::new(open(&folder).await)];
    add(&stores[0], &user).await.unwrap();
    let mut racers = JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&stores[number % stores.len()]);
        let update = User {
            full_name: text_of(&format!("racer {number}")),
            ..user.clone()
        };
        racers.spawn(async move {
            store
                .commit(ChangeSet::new().with(Change::UpdateUser(update)))
                .await
        });
    }
    let results = racers.join_all().await;
    assert_eq!(
        results.iter().filter(|result| result.is_ok()).count(),
        1,
        "{results:?}"
    );
    assert!(
        results
            .iter()
            .all(|result| matches!(result, Ok(()) | Err(CommitError::Stale))),
        "{results:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_given_up_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let build = Builders::new();
    let store = open(&folder).await;
    let mut finished = 0;
    for patience in 0..60 {
        let user = build.user(&format!("user {patience}"));
        let set = ChangeSet::new()
            .with(Change::InsertUser(user.clone()))
            .with(Change::InsertSession(build.session(&user)))
            .with(Change::Audit(build.audit_event(Action::UserCreated)));
        tokio::select! {
            biased;
            result = store.commit(set) => { result.unwrap(); finished += 1; }
            () = async { for _ in 0..patience { tokio::task::yield_now().await; } } => {}
        }
        // The next one is not held up by what was left behind.
        add(&store, &build.user(&format!("after {patience}")))
            .await
            .unwrap();
        let users = store.list_users(&Query::default(), None).await.unwrap().total;
        let events = store.list_audit_events(&Query::default()).await.unwrap().total;
        assert_eq!(users, events + patience + 1);
    }
    assert!(finished < 60, "no commit was given up");
}

#[tokio::test]
async fn what_cannot_be_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let build = Builders::new();
    let store = open(&folder).await;
    let (user, account) = (build.user("alice"), build.service_account("ci"));
    let (grant, key, device) = (build.grant(), build.api_key(&account, "key"), build.device(&user));
    let set = ChangeSet::new()
        .with(Change::InsertUser(user.clone()))
        .with(Change::InsertServiceAccount(account))
        .with(Change::InsertGrant(grant.clone()))
        .with(Change::InsertApiKey(key.clone()))
        .with(Change::InsertDevice(device.clone()))
        .with(Change::Audit(build.audit_event(Action::UserCreated)));
    store.commit(set).await.unwrap();
    let damage = [
        "UPDATE users SET credentials_gen = -1",
        "UPDATE device_grants SET state = 'approved'",
        "UPDATE api_keys SET retained_until = 5",
        "UPDATE devices SET state = 'lost'",
        "UPDATE audit_events SET action = 'world.ended'",
    ];
    for statement in damage {
        store.connection().execute_unprepared(statement).await.unwrap();
    }
    let reports = [
        store.user(user.id).await.map(|_| ()),
        store.grant(grant.id).await.map(|_| ()),
        store.api_key(key.id).await.map(|_| ()),
        store.device(device.id).await.map(|_| ()),
        store.list_audit_events(&Query::default()).await.map(|_| ()),
        store.list_users(&Query::default(), None).await.map(|_| ()),
    ];
    for report in reports {
        assert!(matches!(report, Err(StoreError::Corrupt(_))), "{report:?}");
    }
    // A value of another type, too.
    for statement in [
        "UPDATE devices SET created = 'yesterday'",
        "UPDATE api_keys SET hash = 'short'",
    ] {
        store.connection().execute_unprepared(statement).await.unwrap();
    }
    assert!(matches!(
        store.device(device.id).await,
        Err(StoreError::Corrupt(_))
    ));
    assert!(matches!(store.api_key(key.id).await, Err(StoreError::Corrupt(_))));
    // It can still be thrown away.
    let away = ChangeSet::new().with(Change::DeleteUser(user.id, Version::FIRST));
    store.commit(away).await.unwrap();
}

/// Rows that change their size leave copies behind in the file, which are wiped when secrets are sealed.
#[tokio::test]
async fn nothing_is_left_of_what_was_in_plain() {
    const SECRET: [u8; 32] = *b"the seed that was kept in plain!";
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    let build = Builders::new();
    let mut key = SigningKey {
        seed: KeptSecret::Plain(SECRET.into()),
        ..build.signing_key()
    };
    let server = ServerIdentity {
        secret: KeptSecret::Plain(SECRET.into()),
        ..build.server()
    };
    let first = ChangeSet::new()
        .with(Change::InsertServer(server.clone()))
        .with(Change::InsertSigningKey(key.clone()));
    store.commit(first).await.unwrap();
    for retired_until in [Some(Timestamp::MAX), None, Some(Timestamp::from_secs(1)), None] {
        key.retired_until = retired_until;
        store
            .commit(ChangeSet::new().with(Change::UpdateSigningKey(key.clone())))
            .await
            .unwrap();
        key.version = key.version.next();
    }
    let found = || {
        let files = files_in(folder.path()).into_iter();
        let read = files.map(|name| std::fs::read(folder.path().join(name)).unwrap());
        read.map(|bytes| bytes.windows(32).filter(|window| *window == SECRET).count())
            .sum::<usize>()
    };
    assert!(found() > 1);
    let sealed = ChangeSet::new()
        .with(Change::UpdateServer(ServerIdentity {
            secret: build.sealed().into(),
            ..server
        }))
        .with(Change::UpdateSigningKey(SigningKey {
            seed: build.sealed().into(),
            ..key
        }));
    store.commit(sealed).await.unwrap();
    store.scrub().await.unwrap();
    assert_eq!(found(), 0, "while it is open");
    store.close().await.unwrap();
    assert_eq!(found(), 0, "and afterwards");
}
