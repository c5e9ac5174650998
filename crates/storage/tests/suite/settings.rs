//! Whatever the defaults of a database server are, and however few connections there may be: the store keeps its contract.

use std::sync::Arc;

use tokio::task::JoinSet;
use zenml_auth_storage::SqlStore;
use zenml_auth_storage::sea_orm::ConnectionTrait as _;
use zenml_auth_testkit::contract::{PROPERTIES, TestStore, check};
use zenml_auth_testkit::databases::{Kind, TestDatabase, fresh, own_server};

zenml_auth_testkit::on_servers! {
    defaults_that_operators_have_changed
    one_connection_is_enough
}

/// The number of MySQL's error for a variable that it does not have; its text may be in any language.
const UNKNOWN_VARIABLE: &str = "1193";

/// Defaults that would let transactions fail, changes wait for a commit that never comes, or rows in that belong to nobody.
fn defaults(kind: Kind) -> Vec<String> {
    let statements: &[&str] = match kind {
        Kind::Postgres => &[
            "default_transaction_isolation = 'serializable'",
            "default_transaction_deferrable = on",
            "statement_timeout = '1min'",
            "timezone = 'Asia/Kathmandu'",
            "datestyle = 'German'",
            "bytea_output = 'escape'",
            "standard_conforming_strings = off",
            "extra_float_digits = -15",
            "enable_seqscan = off",
        ],
        Kind::MySql => &[
            // MySQL's name for it, and MariaDB's.
            "transaction_isolation = 'SERIALIZABLE'",
            "tx_isolation = 'SERIALIZABLE'",
            "autocommit = 0",
            "completion_type = 'CHAIN'",
            "sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
            "time_zone = '+05:45'",
            "foreign_key_checks = 0",
            "unique_checks = 0",
            "sql_safe_updates = 1",
            "character_set_server = 'latin1'",
            "innodb_lock_wait_timeout = 1",
        ],
    };
    let set = match kind {
        Kind::Postgres => "ALTER SYSTEM SET",
        Kind::MySql => "SET GLOBAL",
    };
    statements.iter().map(|what| format!("{set} {what}")).collect()
}

/// How many properties are checked at a time; most of them wait for the disk.
const AT_ONCE: usize = 6;

/// What filters mean, which the number of connections has nothing to do with: thousands of queries, one after the other.
const FILTERS: &[&str] = &[
    "every_operator_on_every_field",
    "random_queries_match_the_oracle",
    "odd_tests_match_the_oracle",
];

/// Checks the contract, each property on a database of its own.
async fn check_all<F, Making>(properties: impl Iterator<Item = &'static str>, store: F)
where
    F: Fn() -> Making,
    Making: Future<Output = (SqlStore, TestDatabase)> + Send + 'static,
{
    let mut checking = JoinSet::new();
    for property in properties {
        let store = store();
        checking.spawn(async move {
            let (store, database) = store.await;
            let test = TestStore::new(Arc::new(store.clone())).keeping(database);
            check(property, &test).await;
            store.close().await.unwrap();
        });
        if checking.len() >= AT_ONCE {
            checking.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(checked) = checking.join_next().await {
        checked.unwrap();
    }
}

async fn defaults_that_operators_have_changed(kind: Kind) {
    let Some(server) = own_server(kind).await else {
        return;
    };
    let db = server.fresh().await.connection().await;
    for statement in defaults(kind) {
        // What one of the products does not know can't be changed there.
        if let Err(error) = db.execute_unprepared(&statement).await {
            assert!(
                error.to_string().contains(UNKNOWN_VARIABLE),
                "{statement}: {error}"
            );
        }
    }
    if kind == Kind::Postgres {
        db.execute_unprepared("SELECT pg_reload_conf()").await.unwrap();
    }
    check_all(PROPERTIES.iter().copied(), || {
        let server = server.clone();
        async move {
            let database = server.fresh().await;
            (database.store().await, database)
        }
    })
    .await;
}

async fn one_connection_is_enough(kind: Kind) {
    if fresh(kind).await.is_none() {
        return;
    }
    let properties = PROPERTIES.iter().copied().filter(|name| !FILTERS.contains(name));
    check_all(properties, move || async move {
        let database = fresh(kind).await.unwrap();
        let mut options = database.options();
        (options.connections, options.min_connections) = (1, 1);
        (database.store_with(options).await, database)
    })
    .await;
}
