//! The schema goes up and down on SQLite.

use sea_orm_migration::sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use zenml_auth_migrations::{MigrationError, down, status, up};

const ALL: [&str; 14] = [
    "m0001_server",
    "m0002_users",
    "m0003_devices",
    "m0004_service_accounts",
    "m0005_audit_events",
    "m0006_revocations",
    "m0007_uses",
    "m0008_device_codes",
    "m0009_write_probe",
    "m0010_attempts",
    "m0011_invitations",
    "m0012_sessions",
    "m0013_sealed_secrets",
    "m0014_compatibility",
];

async fn in_memory() -> DatabaseConnection {
    Database::connect("sqlite::memory:").await.unwrap()
}

/// All tables and indexes with the statements that make them, other than those of SQLite and of the migrations.
async fn schema(db: &DatabaseConnection) -> Vec<String> {
    let sql = "SELECT name || ': ' || sql AS line FROM sqlite_schema \
               WHERE sql IS NOT NULL AND tbl_name <> 'migrations' ORDER BY name";
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .unwrap();
    rows.iter().map(|row| row.try_get("", "line").unwrap()).collect()
}

async fn execute(db: &DatabaseConnection, sql: &str) {
    db.execute_unprepared(sql).await.unwrap();
}

#[tokio::test]
async fn up_down_to_nothing_and_up_again() {
    let db = in_memory().await;
    assert_eq!(up(&db).await.unwrap(), ALL);
    let whole = schema(&db).await;
    assert_eq!(
        whole.iter().filter(|line| line.contains("CREATE TABLE")).count(),
        17
    );

    assert_eq!(
        down(&db, u32::MAX).await.unwrap(),
        ALL.iter().rev().copied().collect::<Vec<_>>()
    );
    assert_eq!(schema(&db).await, [""; 0]);
    assert_eq!(status(&db).await.unwrap().pending(), ALL);

    assert_eq!(up(&db).await.unwrap(), ALL);
    assert_eq!(schema(&db).await, whole);
}

#[tokio::test]
async fn every_step_can_be_taken_back() {
    let db = in_memory().await;
    up(&db).await.unwrap();
    let whole = schema(&db).await;
    for steps in 1..=ALL.len() {
        assert_eq!(
            down(&db, u32::try_from(steps).unwrap()).await.unwrap().len(),
            steps
        );
        let status = status(&db).await.unwrap();
        assert_eq!(status.applied(), ALL[..ALL.len() - steps]);
        assert_eq!(up(&db).await.unwrap(), status.pending());
        assert_eq!(schema(&db).await, whole);
    }
    assert_eq!(down(&db, 0).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn it_goes_down_with_data_in_it() {
    let db = in_memory().await;
    execute(&db, "PRAGMA foreign_keys = ON").await;
    up(&db).await.unwrap();
    execute(&db, "INSERT INTO users VALUES (x'01', 'alice', '', NULL, NULL, 1, 1, NULL, NULL, NULL, 1, NULL, NULL, NULL, 0, 0, 1, NULL)").await;
    execute(
        &db,
        "INSERT INTO sessions VALUES (x'02', x'01', NULL, 1, 0, 0, 1, NULL, NULL)",
    )
    .await;
    down(&db, u32::MAX).await.unwrap();
    up(&db).await.unwrap();
    let count = Statement::from_string(db.get_database_backend(), "SELECT COUNT(*) AS count FROM users");
    let row = db.query_one_raw(count).await.unwrap().unwrap();
    assert_eq!(row.try_get::<i64>("", "count").unwrap(), 0);
}

#[tokio::test]
async fn the_status_changes_nothing() {
    let db = in_memory().await;
    let status = status(&db).await.unwrap();
    assert_eq!(status.pending(), ALL);
    assert!(status.applied().is_empty() && !status.is_newer());
    let tables = Statement::from_string(db.get_database_backend(), "SELECT name FROM sqlite_schema");
    assert!(db.query_all_raw(tables).await.unwrap().is_empty());
}

#[tokio::test]
async fn guards_are_there_from_the_beginning() {
    let db = in_memory().await;
    up(&db).await.unwrap();
    let guards = Statement::from_string(
        db.get_database_backend(),
        "SELECT name, version FROM guards ORDER BY name",
    );
    let rows = db.query_all_raw(guards).await.unwrap();
    let guards: Vec<(String, i64)> = rows
        .iter()
        .map(|row| {
            (
                row.try_get("", "name").unwrap(),
                row.try_get("", "version").unwrap(),
            )
        })
        .collect();
    assert_eq!(
        guards,
        [("administrators".to_owned(), 1), ("signing_keys".to_owned(), 1)]
    );
}

#[tokio::test]
async fn a_newer_database_is_left_alone() {
    let db = in_memory().await;
    up(&db).await.unwrap();
    down(&db, 1).await.unwrap();
    let before = schema(&db).await;
    execute(&db, "INSERT INTO migrations VALUES ('m9999_future', 0)").await;
    for result in [up(&db).await, down(&db, 1).await] {
        let Err(MigrationError::Newer { unknown }) = result else {
            panic!("{result:?}")
        };
        assert_eq!(unknown, ["m9999_future"]);
    }
    assert_eq!(schema(&db).await, before);
    assert!(status(&db).await.unwrap().is_newer());
}

#[tokio::test]
async fn what_fails_halfway_leaves_nothing_behind() {
    let db = in_memory().await;
    // In the way of a later table.
    execute(&db, "CREATE VIEW device_grants AS SELECT 1 AS one").await;
    execute(&db, "CREATE TABLE users_created (one)").await;
    let before = schema(&db).await;
    assert!(matches!(up(&db).await, Err(MigrationError::Database(_))));
    assert_eq!(schema(&db).await, before);
    assert_eq!(status(&db).await.unwrap().pending(), ALL);

    execute(&db, "DROP VIEW device_grants").await;
    execute(&db, "DROP TABLE users_created").await;
    assert_eq!(up(&db).await.unwrap(), ALL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_programs_migrate_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("zenml-auth.db").display()
    );
    let mut programs = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        programs.spawn(async move { up(&Database::connect(url).await.unwrap()).await.unwrap() });
    }
    let mut made = programs.join_all().await;
    made.retain(|names| !names.is_empty());
    assert_eq!(made, [ALL]);
}

#[tokio::test]
async fn look_ups_and_listings_use_indexes() {
    let db = in_memory().await;
    up(&db).await.unwrap();
    let queries = [
        "SELECT * FROM users WHERE id = x'00'",
        "SELECT * FROM users WHERE name = 'x'",
        "SELECT * FROM users WHERE name >= 'x' AND name < 'y' ORDER BY name, id LIMIT 20",
        "SELECT * FROM users ORDER BY created DESC, id DESC LIMIT 20",
        "SELECT COUNT(*) FROM users WHERE is_admin = 1 AND active = 1 AND password IS NOT NULL",
        "SELECT * FROM sessions WHERE cookie = x'00'",
        "SELECT id FROM sessions WHERE expires < 0 ORDER BY expires LIMIT 20",
        "SELECT * FROM device_grants WHERE user_code = x'00'",
        "SELECT id FROM device_grants WHERE client_id = x'00' LIMIT 1",
        "SELECT id FROM device_grants WHERE expires < 0 ORDER BY expires LIMIT 20",
        "SELECT id FROM devices WHERE client_id = x'00' LIMIT 1",
        "SELECT * FROM devices WHERE client_id = x'00' AND user_id = x'00'",
        "SELECT * FROM devices WHERE user_id = x'00' ORDER BY created, id LIMIT 20",
        "SELECT * FROM devices WHERE state = 'active' AND user_id = x'00' ORDER BY created DESC, id DESC LIMIT 20",
        "SELECT COUNT(*) FROM devices WHERE user_id = x'00'",
        "SELECT * FROM service_accounts WHERE name = 'x'",
        "SELECT * FROM service_accounts ORDER BY created, id LIMIT 20",
        "SELECT * FROM service_accounts WHERE active = 1 ORDER BY created, id LIMIT 20",
        "SELECT * FROM api_keys WHERE service_account_id = x'00' AND name = 'x'",
        "SELECT * FROM api_keys WHERE service_account_id = x'00' ORDER BY created, id LIMIT 20",
        "SELECT * FROM api_keys WHERE service_account_id = x'00' ORDER BY name, id LIMIT 20",
        "SELECT * FROM audit_events ORDER BY created DESC, id DESC LIMIT 20",
        "SELECT * FROM audit_events WHERE actor_id = x'00' ORDER BY created, id LIMIT 20",
        "SELECT * FROM audit_events WHERE target_id = x'00' ORDER BY created, id LIMIT 20",
        // What goes along with a deleted row.
        "SELECT * FROM sessions WHERE user_id = x'00'",
        "SELECT * FROM device_grants WHERE approved_by = x'00'",
    ];
    for query in queries {
        let plan = Statement::from_string(db.get_database_backend(), format!("EXPLAIN QUERY PLAN {query}"));
        let rows = db.query_all_raw(plan).await.unwrap();
        let steps: Vec<String> = rows
            .iter()
            .map(|row| row.try_get("", "detail").unwrap())
            .collect();
        let with_index =
            |step: &String| step.contains("USING INDEX") || step.contains("USING COVERING INDEX");
        assert!(steps.iter().all(with_index), "{query}: {steps:?}");
    }
}
