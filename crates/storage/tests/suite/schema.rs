//! Databases that are too old, too new, or of another kind altogether.

use zenml_auth_core::ports::{Change, ChangeSet, Store, StoreError};
use zenml_auth_model::{ApiKeyId, KeptSecret, SigningKey};
use zenml_auth_storage::{ConnectOptions, SchemaError, SqlStore};
use zenml_auth_testkit::builders::Builders;

async fn fresh() -> SqlStore {
    SqlStore::connect(&ConnectOptions::url("sqlite::memory:"))
        .await
        .unwrap()
}

async fn sql(store: &SqlStore, statement: &str) {
    use zenml_auth_storage::sea_orm::ConnectionTrait as _;

    store.connection().execute_unprepared(statement).await.unwrap();
}

/// How many changes to take back so that this one is gone.
async fn back_to(store: &SqlStore, name: &str) -> u32 {
    let applied = store.schema_status().await.unwrap().applied();
    let later = applied.iter().rev().position(|applied| applied == name).unwrap();
    u32::try_from(later).unwrap() + 1
}

#[tokio::test]
async fn an_empty_database_has_to_be_migrated_first() {
    let store = fresh().await;
    let Err(SchemaError::Behind { pending }) = store.check_schema().await else {
        panic!("it is empty")
    };
    assert_eq!(pending.first().map(String::as_str), Some("m0001_server"));
    assert_eq!(store.migrate_up().await.unwrap(), pending);
    store.check_schema().await.unwrap();
    assert_eq!(store.migrate_up().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_older_database_has_to_be_migrated_first() {
    let store = fresh().await;
    store.migrate_up().await.unwrap();
    // Without the columns that a key has got since.
    let steps = back_to(&store, "m0007_uses").await;
    let undone = store.migrate_down(steps).await.unwrap();
    assert_eq!(undone.last().map(String::as_str), Some("m0007_uses"));
    let Err(SchemaError::Behind { pending }) = store.check_schema().await else {
        panic!("a change is missing")
    };
    assert_eq!(pending, undone.into_iter().rev().collect::<Vec<_>>());
    let key = ApiKeyId::from_random([1; 16]);
    let error = store.api_key(key).await.unwrap_err();
    assert!(matches!(error, StoreError::Other(_)), "{error:?}");
    store.migrate_up().await.unwrap();
    store.check_schema().await.unwrap();
}

#[tokio::test]
async fn what_is_sealed_is_not_taken_back_to_a_schema_that_knows_no_sealing() {
    let store = fresh().await;
    store.migrate_up().await.unwrap();
    let key = Builders::new().signing_key();
    let insert = ChangeSet::new().with(Change::InsertSigningKey(key.clone()));
    store.commit(insert).await.unwrap();
    let names = store.schema_status().await.unwrap().applied();
    let steps = back_to(&store, "m0013_sealed_secrets").await;
    let error = store.migrate_down(steps).await.unwrap_err().to_string();
    assert!(error.contains("encryption unseal"), "{error}");
    assert_eq!(
        store.schema_status().await.unwrap().applied(),
        names,
        "nothing was changed"
    );
    // In plain it is there again after going there and back.
    let plain = SigningKey {
        seed: KeptSecret::Plain([7; 32].into()),
        ..key
    };
    store
        .commit(ChangeSet::new().with(Change::UpdateSigningKey(plain.clone())))
        .await
        .unwrap();
    store.migrate_down(steps).await.unwrap();
    store.migrate_up().await.unwrap();
    assert_eq!(store.signing_keys().await.unwrap()[0].seed, plain.seed);
}

#[tokio::test]
async fn a_newer_database_is_left_alone() {
    let store = fresh().await;
    store.migrate_up().await.unwrap();
    let user = Builders::new().user("alice");
    store
        .commit(ChangeSet::new().with(Change::InsertUser(user.clone())))
        .await
        .unwrap();
    sql(
        &store,
        "INSERT INTO migrations (version, applied_at) VALUES ('m9999_future', 0)",
    )
    .await;
    sql(
        &store,
        "UPDATE schema_compatibility SET newest = 9999, oldest = 9999",
    )
    .await;

    let unknown = |result: Result<(), SchemaError>| match result {
        Err(SchemaError::Newer { unknown }) => unknown,
        other => panic!("not newer: {other:?}"),
    };
    assert_eq!(unknown(store.check_schema().await), ["m9999_future"]);
    assert_eq!(unknown(store.migrate_up().await.map(|_| ())), ["m9999_future"]);
    assert_eq!(unknown(store.migrate_down(1).await.map(|_| ())), ["m9999_future"]);
    let status = store.schema_status().await.unwrap();
    assert!(status.is_newer() && status.pending().is_empty());
    assert_eq!(store.user(user.id).await.unwrap(), Some(user));

    let message = store.check_schema().await.unwrap_err().to_string();
    assert!(
        message.contains("newer version") && message.contains("m9999_future"),
        "{message}"
    );
}

#[tokio::test]
async fn an_unknown_kind_of_database_is_refused() {
    let error = SqlStore::connect(&ConnectOptions::url("oracle://scott:tiger@db/x"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the database reported an error: the database can't be used as it is set: databases of the kind \"oracle\" are not supported"
    );
}

#[test]
fn the_location_is_not_printed() {
    let printed = format!("{:?}", ConnectOptions::url("postgres://me:hunter2@db/x"));
    assert!(!printed.contains("hunter2"), "{printed}");
}
