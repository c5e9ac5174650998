//! PgBouncer between us and PostgreSQL: in the mode `session` all works, and the other modes are refused by name.

use std::time::Duration;

use zenml_auth_core::ports::{Change, ChangeSet, Store as _};
use zenml_auth_storage::sea_orm::{ConnectionTrait as _, Statement, TransactionTrait as _};
use zenml_auth_storage::{ConnectOptions, SchemaError, SqlStore};
use zenml_auth_testkit::builders::Builders;
use zenml_auth_testkit::databases::{Kind, PgBouncer, fresh};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_mode_session_everything_is_as_without_it() {
    let Some(database) = fresh(Kind::Postgres).await else {
        return;
    };
    let Some(bouncer) = PgBouncer::start(&database, "session", "").await else {
        return;
    };
    let mut options = ConnectOptions::url(bouncer.url(&database));
    options.statement_timeout = Duration::from_secs(7);
    options.connections = 3;
    let store = SqlStore::connect(&options).await.unwrap();
    store.migrate_up().await.unwrap();
    store.begin_serving().await.unwrap();

    // Sessions have their limits and their isolation, each of the pool.
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(store.connection().begin().await.unwrap());
    }
    for session in sessions {
        for (setting, expected) in [
            ("statement_timeout", "7s"),
            ("idle_in_transaction_session_timeout", "7s"),
            ("default_transaction_isolation", "read committed"),
            ("transaction_isolation", "read committed"),
        ] {
            let question = Statement::from_string(
                session.get_database_backend(),
                format!("SELECT current_setting('{setting}') AS it"),
            );
            let row = session.query_one_raw(question).await.unwrap().unwrap();
            assert_eq!(row.try_get::<String>("", "it").unwrap(), expected, "{setting}");
        }
        session.rollback().await.unwrap();
    }

    let user = Builders::new().user("alice");
    let insert = ChangeSet::new().with(Change::InsertUser(user.clone()));
    store.commit(insert).await.unwrap();
    assert_eq!(store.user(user.id).await.unwrap(), Some(user));
    store.epoch().await.unwrap();
    store.ping().await.unwrap();

    // The lock on the schema goes through it, and ends with the server.
    let operator = database.store().await;
    let refused = operator.migrate_down(1).await;
    assert!(
        matches!(refused, Err(SchemaError::InUse { servers: 1 })),
        "{refused:?}"
    );
    store.close().await.unwrap();
    operator.migrate_down(1).await.unwrap();
    operator.migrate_up().await.unwrap();
    // Sessions that others have used before are as good.
    let again = SqlStore::connect(&options).await.unwrap();
    again.begin_serving().await.unwrap();
    again.epoch().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_modes_are_refused_by_name() {
    let Some(database) = fresh(Kind::Postgres).await else {
        return;
    };
    for (mode, settings) in [
        ("transaction", ""),
        ("transaction", "server_round_robin = 1"),
        ("transaction", "default_pool_size = 1"),
        ("statement", ""),
    ] {
        let Some(bouncer) = PgBouncer::start(&database, mode, settings).await else {
            return;
        };
        // Sessions that are there already must not hide it.
        let warm = ConnectOptions::url(bouncer.url(&database));
        for _ in 0..2 {
            let refused = SqlStore::connect(&warm).await.unwrap_err().to_string();
            assert!(
                refused.contains("PgBouncer") && refused.contains("pool_mode = session"),
                "{mode} {settings}: {refused}"
            );
        }
    }
}
