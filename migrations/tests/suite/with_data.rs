//! Databases are upgraded step by step with data in their tables, and none of it is lost.

use std::collections::BTreeMap;

use sea_orm_migration::MigratorTrait as _;
use sea_orm_migration::sea_orm::{Database, DatabaseConnection, DbBackend};
use zenml_auth_migrations::{Migrator, down, up};
use zenml_auth_testkit::databases::{Kind, fresh};

use crate::common::{all, execute, schema, texts};

/// An id as a literal.
fn id(db: &DatabaseConnection, number: u32) -> String {
    match db.get_database_backend() {
        DbBackend::Postgres => format!("'00000000-0000-0000-0000-{number:012}'::uuid"),
        _ => format!("x'{number:032}'"),
    }
}

fn hash(db: &DatabaseConnection, number: u32) -> String {
    match db.get_database_backend() {
        DbBackend::Postgres => format!("'\\x{number:064}'::bytea"),
        _ => format!("x'{number:064}'"),
    }
}

/// What is put into the tables of a migration once it was made, as the program of its time would have.
fn rows_of(db: &DatabaseConnection, migration: &str) -> Vec<String> {
    let id = |number| id(db, number);
    let hash = |number| hash(db, number);
    match migration {
        "m0001_server" => vec![
            format!(
                "INSERT INTO server (singleton, id, secret, project_id, stack_id, orchestrator_id, artifact_store_id, \
                 created) VALUES (1, {}, {}, {}, {}, {}, {}, 1700000000000001)",
                id(1),
                hash(1),
                id(2),
                id(3),
                id(4),
                id(5)
            ),
            "UPDATE guards SET version = 7 WHERE name = 'administrators'".to_owned(),
            format!(
                "INSERT INTO signing_keys (id, seed, created, retired_until, version) VALUES ({}, {}, 1700000000000002, NULL, 1)",
                id(6),
                hash(2)
            ),
        ],
        "m0002_users" => vec![
            format!(
                "INSERT INTO users (id, name, full_name, active, is_admin, credentials_gen, metadata, created, updated, \
                 version) VALUES ({}, 'Ünïcode 🚀', 'x', TRUE, TRUE, 3, '{{}}', 1, 2, 3)",
                id(10)
            ),
            format!(
                "INSERT INTO sessions (id, user_id, cookie, credentials_gen, created, expires, version) VALUES ({}, {}, {}, 1, \
                 1700000000000003, 1700000000000004, 1)",
                id(11),
                id(10),
                hash(3)
            ),
        ],
        "m0003_devices" => vec![
            format!(
                "INSERT INTO device_grants (id, client_id, device_code, user_code, poll_interval, failed_attempts, state, \
                 approved_by, created, updated, expires, version) \
                 VALUES ({}, {}, {}, {}, 5, 0, 'approved', {}, 1, 2, 3, 4)",
                id(20),
                id(21),
                hash(4),
                hash(5),
                id(10)
            ),
            format!(
                "INSERT INTO devices (id, user_id, client_id, state, trusted, expires, hostname, token_gen, created, \
                 updated, version) VALUES ({}, {}, {}, 'active', TRUE, 1, 'laptop 🚀', 2, 3, 4, 5)",
                id(22),
                id(10),
                id(21)
            ),
        ],
        "m0004_service_accounts" => vec![
            format!(
                "INSERT INTO service_accounts (id, name, full_name, description, active, created, updated, version) \
                 VALUES ({}, 'ci', '', 'runs at night 🌙', TRUE, 1, 2, 3)",
                id(30)
            ),
            format!(
                "INSERT INTO api_keys (id, service_account_id, name, description, active, generation, hash, \
                 retain_period_minutes, created, updated, version) \
                 VALUES ({}, {}, 'key', '', TRUE, 4, {}, 60, 1, 2, 3)",
                id(31),
                id(30),
                hash(6)
            ),
        ],
        "m0005_audit_events" => vec![format!(
            "INSERT INTO audit_events (id, created, actor_kind, action, target_kind, target_id) \
             VALUES ({}, 1700000000000005, 'server', 'server.initialized', 'server', {})",
            id(40),
            id(1)
        )],
        "m0006_revocations" => vec![
            format!(
                "INSERT INTO revocations VALUES (9000000000000000000, 0, 'device', {})",
                id(22)
            ),
            "UPDATE revocation_epoch SET epoch = 9000000000000000000".to_owned(),
        ],
        "m0007_uses" => vec![
            format!(
                "UPDATE devices SET last_address = '2001:db8::7' WHERE id = {}",
                id(22)
            ),
            format!(
                "UPDATE api_keys SET last_agent = 'runner 🚀' WHERE id = {}",
                id(31)
            ),
            format!(
                "INSERT INTO api_key_uses VALUES ({}, 4, '192.0.2.7', '', 1700000000000006)",
                id(31)
            ),
        ],
        // It only takes an index away.
        "m0008_device_codes" => Vec::new(),
        "m0009_write_probe" => vec!["UPDATE write_probe SET written = written + 1".to_owned()],
        "m0012_sessions" => vec![format!(
            "UPDATE sessions SET authenticated = 1700000000000005, last_active = 1700000000000006 WHERE id = {}",
            id(11)
        )],
        "m0010_attempts" => vec![
            format!(
                "INSERT INTO sign_in_failures VALUES ({}, 11, 1700000000000007)",
                hash(7)
            ),
            format!(
                "INSERT INTO familiar_networks VALUES ({}, {}, 1700000000000008)",
                hash(8),
                hash(9)
            ),
        ],
        "m0011_invitations" => vec![format!(
            "UPDATE users SET activation = {}, activation_expires = 1700000000000006 WHERE id = {}",
            hash(7),
            id(10)
        )],
        // Its row is written with every change.
        "m0014_compatibility" => Vec::new(),
        // Nothing is sealed yet; what is sealed does not go back.
        "m0013_sealed_secrets" => Vec::new(),
        other => panic!("say here what is in the tables of {other}"),
    }
}

/// The contents of all tables, without those that tell of the migrations.
async fn contents(db: &DatabaseConnection) -> BTreeMap<String, Vec<String>> {
    let tables = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT table_name::text AS it FROM information_schema.tables WHERE table_schema = current_schema()"
        }
        DbBackend::Sqlite => "SELECT name AS it FROM sqlite_schema WHERE type = 'table'",
        _ => "SELECT table_name AS it FROM information_schema.tables WHERE table_schema = DATABASE()",
    };
    let mut contents = BTreeMap::new();
    for table in texts(db, tables).await {
        if !["migrations", "schema_compatibility"].contains(&table.as_str()) {
            let rows = rows_in(db, &table).await;
            contents.insert(table, rows);
        }
    }
    contents
}

/// Whether these are the same rows, but for columns that one side has more of. New ones come last.
fn begin_alike(fewer: &[String], more: &[String]) -> bool {
    fewer.len() == more.len()
        && fewer
            .iter()
            .zip(more)
            .all(|(fewer, more)| more == fewer || more.starts_with(&format!("{fewer} ")))
}

/// The rows of a table, as one text each: the values in the order of the columns.
async fn rows_in(db: &DatabaseConnection, table: &str) -> Vec<String> {
    let columns = match db.get_database_backend() {
        DbBackend::Postgres => format!(
            "SELECT 'quote_nullable(' || quote_ident(column_name) || '::text)' AS it FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name = '{table}' ORDER BY ordinal_position"
        ),
        DbBackend::Sqlite => {
            format!("SELECT 'quote(' || name || ')' AS it FROM pragma_table_info('{table}') ORDER BY cid")
        }
        _ => format!(
            "SELECT CONCAT('COALESCE(HEX(', column_name, '), ''-'')') AS it FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name = '{table}' ORDER BY ordinal_position"
        ),
    };
    let columns = texts(db, &columns).await;
    let row = match db.get_database_backend() {
        DbBackend::Sqlite => columns.join(" || ' ' || "),
        _ => format!("CONCAT_WS(' ', {})", columns.join(", ")),
    };
    texts(db, &format!("SELECT {row} AS it FROM {table} ORDER BY 1")).await
}

async fn one_step_up(db: &DatabaseConnection) {
    Migrator::up(db, Some(1)).await.unwrap();
}

#[tokio::test]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("zenml-auth.db").display()
    );
    every_step_goes_up_and_down(&Database::connect(url).await.unwrap()).await;
}

#[tokio::test]
async fn on_postgres() {
    if let Some(database) = fresh(Kind::Postgres).await {
        every_step_goes_up_and_down(&database.connection().await).await;
    }
}

#[tokio::test]
async fn on_mysql() {
    if let Some(database) = fresh(Kind::MySql).await {
        every_step_goes_up_and_down(&database.connection().await).await;
    }
}

async fn every_step_goes_up_and_down(db: &DatabaseConnection) {
    let mut schemas = vec![Vec::new()];
    for migration in all() {
        let before = contents(db).await;
        one_step_up(db).await;
        let after = contents(db).await;
        for (table, rows) in &before {
            assert!(!rows.is_empty(), "{table}: say in `rows_of` what is in it");
            let now = after.get(table).unwrap();
            assert!(
                begin_alike(rows, now),
                "{table} after {migration}: {rows:?}, {now:?}"
            );
        }
        for statement in rows_of(db, &migration) {
            execute(db, &statement).await;
        }
        schemas.push(schema(db).await);
    }
    assert_eq!(up(db).await.unwrap(), [""; 0], "it is all there");
    let full = contents(db).await;
    assert_eq!(full.len(), 16);

    let whole = schemas.len() - 1;
    for steps in 1..=whole {
        let undone = down(db, u32::try_from(steps).unwrap()).await.unwrap();
        let expected: Vec<String> = all().into_iter().rev().take(steps).collect();
        assert_eq!(undone, expected);
        if steps < whole {
            assert_eq!(schema(db).await, schemas[whole - steps], "{steps} steps down");
        }
        for (table, rows) in contents(db).await {
            assert!(
                begin_alike(&rows, full.get(&table).unwrap()),
                "{table} is not what was taken back: {rows:?}"
            );
        }
        let again = up(db).await.unwrap();
        assert_eq!(again, expected.into_iter().rev().collect::<Vec<_>>());
        assert_eq!(
            schema(db).await,
            schemas[whole],
            "up again after {steps} steps down"
        );
        // For the next round.
        for migration in again {
            for statement in rows_of(db, &migration) {
                execute(db, &statement).await;
            }
        }
        let mut refilled = contents(db).await;
        // Where it began anew, at random.
        refilled.remove("revocations");
        let mut expected = full.clone();
        expected.remove("revocations");
        assert_eq!(refilled, expected);
    }
}
