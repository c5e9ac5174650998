//! The schema goes up and down on database servers, with data in it, and by one program at a time.

use tokio::task::JoinSet;
use zenml_auth_migrations::{MigrationError, down, status, up};
use zenml_auth_testkit::databases::{Kind, fresh};

use crate::common::{all, execute, schema, texts};

zenml_auth_testkit::on_servers! {
    many_programs_migrate_once
    a_newer_database_is_left_alone
    what_was_interrupted_goes_on
    texts_are_compared_letter_by_letter
    look_ups_and_listings_have_their_indexes
}

async fn many_programs_migrate_once(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let mut programs = JoinSet::new();
    for _ in 0..8 {
        let db = database.connection().await;
        programs.spawn(async move { up(&db).await.unwrap() });
    }
    let mut made = programs.join_all().await;
    made.retain(|names| !names.is_empty());
    assert_eq!(made, [all()]);
    let mut programs = JoinSet::new();
    for number in 0..8 {
        let db = database.connection().await;
        programs.spawn(async move {
            if number % 2 == 0 {
                up(&db).await.unwrap();
            } else {
                down(&db, 2).await.unwrap();
            }
        });
    }
    programs.join_all().await;
    let db = database.connection().await;
    up(&db).await.unwrap();
    assert!(status(&db).await.unwrap().pending().is_empty());
}

async fn a_newer_database_is_left_alone(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let db = database.connection().await;
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
    // A program that was refused has left the lock to others.
    execute(&db, "DELETE FROM migrations WHERE version = 'm9999_future'").await;
    assert_eq!(up(&db).await.unwrap(), [all().pop().unwrap()]);
}

async fn what_was_interrupted_goes_on(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let db = database.connection().await;
    // In the way of a later table.
    execute(&db, "CREATE VIEW devices AS SELECT 1 AS one").await;
    assert!(matches!(up(&db).await, Err(MigrationError::Database(_))));
    let applied = status(&db).await.unwrap().applied();
    execute(&db, "DROP VIEW devices").await;
    match kind {
        Kind::Postgres => assert_eq!(applied, [""; 0], "either all or nothing"),
        // There each statement is for good, and half of a migration was made.
        Kind::MySql => assert_eq!(applied, all()[..2]),
    }
    assert_eq!(up(&db).await.unwrap(), all()[applied.len()..]);
    let whole = schema(&db).await;
    down(&db, u32::MAX).await.unwrap();
    up(&db).await.unwrap();
    assert_eq!(schema(&db).await, whole, "as if nothing had happened");

    if kind == Kind::MySql {
        // As if it had been interrupted after each of the statements of the last migrations.
        for undo in [
            vec![],
            vec!["DELETE FROM revocations"],
            vec!["DELETE FROM revocations", "DELETE FROM revocation_epoch"],
            vec!["DROP TABLE revocations"],
            vec!["DROP TABLE revocations", "DROP TABLE revocation_epoch"],
        ] {
            execute(&db, "DELETE FROM migrations WHERE version = 'm0006_revocations'").await;
            for statement in undo {
                execute(&db, statement).await;
            }
            assert_eq!(up(&db).await.unwrap(), ["m0006_revocations"]);
            assert_eq!(schema(&db).await, whole);
            let epoch = texts(&db, "SELECT CAST(COUNT(*) AS CHAR) AS it FROM revocation_epoch").await;
            let start = texts(&db, "SELECT CAST(COUNT(*) AS CHAR) AS it FROM revocations").await;
            assert_eq!((epoch, start), (vec!["1".to_owned()], vec!["1".to_owned()]));
        }
        execute(&db, "DELETE FROM migrations WHERE version >= 'm0004'").await;
        execute(&db, "DROP INDEX api_keys_active ON api_keys").await;
        execute(&db, "DROP TABLE audit_events").await;
        assert_eq!(up(&db).await.unwrap(), all()[3..]);
        assert_eq!(schema(&db).await, whole);
    }
}

async fn texts_are_compared_letter_by_letter(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let db = database.connection().await;
    up(&db).await.unwrap();
    let collations = match kind {
        Kind::Postgres => {
            "SELECT DISTINCT COALESCE(collation_name::text, 'default') AS it FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name <> 'migrations' \
             AND data_type IN ('text', 'character varying')"
        }
        Kind::MySql => {
            "SELECT DISTINCT collation_name AS it FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name <> 'migrations' AND collation_name IS NOT NULL"
        }
    };
    let collations = texts(&db, collations).await;
    let expected = match kind {
        Kind::Postgres => ["C"],
        Kind::MySql if collations[0].starts_with("utf8mb4_nopad") => ["utf8mb4_nopad_bin"],
        Kind::MySql => ["utf8mb4_0900_bin"],
    };
    assert_eq!(collations, expected);
}

async fn look_ups_and_listings_have_their_indexes(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let db = database.connection().await;
    up(&db).await.unwrap();
    // As on SQLite, where the plans of queries are looked at: the columns of every index, in their order.
    let indexes = match kind {
        Kind::Postgres => {
            "SELECT c.relname || ' ' || string_agg(a.attname, ',' ORDER BY a.attnum) AS it \
             FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_attribute a ON a.attrelid = c.oid \
             WHERE c.relnamespace = current_schema()::regnamespace AND NOT i.indisprimary GROUP BY c.relname ORDER BY 1"
        }
        Kind::MySql => {
            "SELECT CONCAT(index_name, ' ', GROUP_CONCAT(column_name ORDER BY seq_in_index)) AS it \
             FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name <> 'PRIMARY' \
             GROUP BY table_name, index_name ORDER BY 1"
        }
    };
    let indexes = texts(&db, indexes).await;
    for expected in [
        "api_keys_active service_account_id,active,created,id",
        "api_keys_created service_account_id,created,id",
        "api_keys_name service_account_id,name",
        "audit_events_actor actor_id,created,id",
        "audit_events_created created,id",
        "audit_events_target target_id,created,id",
        "device_grants_approved_by approved_by",
        "device_grants_client client_id",
        "device_grants_expires expires",
        "device_grants_user_code user_code",
        "devices_client client_id,user_id",
        "devices_created user_id,created,id",
        "devices_state user_id,state,created,id",
        "service_accounts_active active,created,id",
        "service_accounts_created created,id",
        "service_accounts_name name",
        "sessions_cookie cookie",
        "sessions_expires expires",
        "sessions_user user_id",
        "users_administrators is_admin,active",
        "users_created created,id",
        "users_name name",
    ] {
        assert!(
            indexes.iter().any(|index| index == expected),
            "{expected} is not one of {indexes:#?}"
        );
    }
}
