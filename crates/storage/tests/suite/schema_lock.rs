//! Schema changes while servers run: they are not taken back, what was taken back all the same is noticed, and what only
//! adds something keeps nobody out.

use std::time::Duration;

use zenml_auth_core::ports::{Store as _, StoreError};
use zenml_auth_migrations::serving;
use zenml_auth_model::ApiKeyId;
use zenml_auth_storage::sea_orm::{ConnectionTrait as _, DatabaseTransaction, TransactionTrait as _};
use zenml_auth_storage::{Schema, SchemaError, SqlStore};
use zenml_auth_testkit::databases::{Kind, TestDatabase, fresh};
use zenml_auth_testkit::next_release;

zenml_auth_testkit::on_servers! {
    nothing_is_taken_back_under_a_server
    nobody_serves_while_somebody_is_alone
    so_many_servers_run_on_one_database
    a_server_that_lost_its_lock_notices_what_was_taken_back
    a_schema_that_was_changed_by_hand_is_noticed
    a_server_works_with_a_schema_that_was_only_added_to
    a_server_stops_working_with_a_schema_that_it_does_not_know
}

async fn with_schema(database: &TestDatabase, schema: Schema) -> SqlStore {
    let mut options = database.options();
    options.schema = schema;
    SqlStore::connect(&options).await.unwrap()
}

async fn server(database: &TestDatabase) -> SqlStore {
    let server = database.store().await;
    server.begin_serving().await.unwrap();
    server.epoch().await.unwrap();
    server.ping().await.unwrap();
    server
}

fn servers(refused: Result<Vec<String>, SchemaError>) -> u32 {
    match refused {
        Err(SchemaError::InUse { servers }) => servers,
        other => panic!("not refused: {other:?}"),
    }
}

/// Waits until the server finds out, which it may know by heart for a second.
async fn reason_why_it_is_not_ready(server: &SqlStore) -> String {
    for _ in 0..600 {
        match server.ping().await {
            Ok(()) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(StoreError::Unavailable(reason)) => return reason,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it stays ready");
}

async fn nothing_is_taken_back_under_a_server(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let (one, two) = (server(&database).await, server(&database).await);
    let operator = database.store().await;
    let before = operator.schema_status().await.unwrap();
    assert_eq!(servers(operator.migrate_down(1).await), 2);
    assert_eq!(operator.schema_status().await.unwrap(), before);
    assert_eq!(operator.migrate_up().await.unwrap(), [""; 0]);
    two.close().await.unwrap();
    assert_eq!(servers(operator.migrate_down(1).await), 1);
    one.epoch().await.unwrap();
    // As a crash would leave it: the session breaks, and nobody says goodbye.
    one.close().await.unwrap();
    assert_eq!(operator.migrate_down(1).await.unwrap().len(), 1);
    // And the lock is nobody's now.
    operator.migrate_up().await.unwrap();
    drop(server(&database).await);
}

async fn nobody_serves_while_somebody_is_alone(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let (one, two) = (server(&database).await, server(&database).await);
    let operator = database.store().await;
    let refused = operator.alone().await;
    assert!(
        matches!(refused, Err(SchemaError::InUse { servers: 2 })),
        "{refused:?}"
    );
    two.close().await.unwrap();
    one.epoch().await.unwrap();
    one.close().await.unwrap();
    let alone = operator.alone().await.unwrap();
    // The operator works, and nobody else is alone, or serves.
    operator.epoch().await.unwrap();
    let other = database.store().await;
    let refused = other.alone().await;
    assert!(
        matches!(refused, Err(SchemaError::InUse { servers: 1.. })),
        "{refused:?}"
    );
    let Err(SchemaError::Store(StoreError::Unavailable(reason))) = other.begin_serving().await else {
        panic!("it serves")
    };
    assert!(reason.contains("operator's command"), "{reason}");
    drop(alone);
    drop(server(&database).await);
}

/// A session that serves as so many servers do, on MySQL and MariaDB.
async fn servers_by_hand(database: &TestDatabase, count: u32) -> DatabaseTransaction {
    let session = database.connection().await.begin().await.unwrap();
    for slot in 0..count {
        let lock = format!("DO GET_LOCK({}, 0)", serving::mysql_lock(slot));
        session.execute_unprepared(&lock).await.unwrap();
    }
    session
}

async fn so_many_servers_run_on_one_database(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    if kind == Kind::Postgres {
        // Its locks can be shared by any number.
        return;
    }
    let operator = database.store().await;
    let others = servers_by_hand(&database, 126).await;
    let (one, last) = (server(&database).await, server(&database).await);
    let refused = operator.alone().await;
    assert!(
        matches!(refused, Err(SchemaError::InUse { servers: 128 })),
        "{refused:?}"
    );
    let one_more = database.store().await;
    let Err(SchemaError::Store(StoreError::Unavailable(reason))) = one_more.begin_serving().await else {
        panic!("128 run already")
    };
    assert!(reason.contains("too many servers run on it"), "{reason}");
    // Those that run are none the worse for it, and when one ends there is room again.
    one.epoch().await.unwrap();
    last.close().await.unwrap();
    let mut tries = 0;
    while let Err(error) = one_more.begin_serving().await {
        tries += 1;
        assert!(tries < 600, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    one_more.epoch().await.unwrap();
    others.rollback().await.unwrap();
}

async fn a_server_that_lost_its_lock_notices_what_was_taken_back(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let server = server(&database).await;
    database.cut_connections().await;
    let operator = SqlStore::connect(&database.options()).await.unwrap();
    let undone = operator.migrate_down(1).await.unwrap();
    let Err(StoreError::Unavailable(reason)) = server.epoch().await else {
        panic!("it does not notice")
    };
    assert!(
        reason.contains("has to be migrated first") && reason.contains(&undone[0]),
        "{reason}"
    );
    reason_why_it_is_not_ready(&server).await;
    // It goes on by itself once the schema is right again, with its lock.
    operator.migrate_up().await.unwrap();
    server.epoch().await.unwrap();
    server.ping().await.unwrap();
    assert_eq!(servers(operator.migrate_down(1).await), 1);
}

async fn a_schema_that_was_changed_by_hand_is_noticed(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let server = server(&database).await;
    let by_hand = database.connection().await;
    for sql in [
        "ALTER TABLE api_keys RENAME TO keys_of_old",
        "DELETE FROM migrations WHERE version = 'm0004_service_accounts'",
    ] {
        by_hand.execute_unprepared(sql).await.unwrap();
    }
    let key = server.api_key(ApiKeyId::from_random([1; 16])).await;
    assert!(matches!(key, Err(StoreError::Unavailable(_))), "{key:?}");
    let reason = reason_why_it_is_not_ready(&server).await;
    assert!(reason.contains("m0004_service_accounts"), "{reason}");
}

async fn a_server_works_with_a_schema_that_was_only_added_to(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let running = server(&database).await;
    let next = with_schema(&database, next_release::expanded()).await;
    assert_eq!(next.migrate_up().await.unwrap(), ["m9998_expansion"]);
    next.begin_serving().await.unwrap();

    // One that lost its session, one that looks whether it is ready, one that starts.
    database.cut_connections().await;
    running.epoch().await.unwrap();
    next.epoch().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    running.ping().await.unwrap();
    let starting = database.store().await;
    assert!(starting.schema_status().await.unwrap().is_newer());
    starting.begin_serving().await.unwrap();
    // It can't take back what it does not know.
    let refused = starting.migrate_down(1).await;
    assert!(matches!(refused, Err(SchemaError::Newer { .. })), "{refused:?}");
    assert_eq!(servers(next.migrate_down(1).await), 3);
}

async fn a_server_stops_working_with_a_schema_that_it_does_not_know(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let running = server(&database).await;
    let next = with_schema(&database, next_release::contracted()).await;
    assert_eq!(
        next.migrate_up().await.unwrap(),
        ["m9998_expansion", "m9999_contraction"]
    );
    let reason = reason_why_it_is_not_ready(&running).await;
    assert!(reason.contains("m9999_contraction"), "{reason}");
    let starting = SqlStore::connect(&database.options()).await.unwrap();
    for refused in [
        starting.check_schema().await,
        starting.begin_serving().await,
        starting.migrate_up().await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(SchemaError::Newer { .. })), "{refused:?}");
    }
    running.close().await.unwrap();
    // Without the contraction it can.
    assert_eq!(next.migrate_down(1).await.unwrap(), ["m9999_contraction"]);
    starting.begin_serving().await.unwrap();
}
