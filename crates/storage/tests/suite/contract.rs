//! The SQL store keeps the store contract, on every database.

#[cfg(feature = "sqlite")]
mod sqlite_file {
    use std::sync::Arc;

    use zenml_auth_storage::{ConnectOptions, SqlStore};
    use zenml_auth_testkit::contract::TestStore;

    async fn new_store() -> TestStore {
        let folder = tempfile::tempdir().unwrap();
        let options = ConnectOptions::sqlite_file(folder.path().join("zenml-auth.db"));
        let store = SqlStore::connect(&options).await.unwrap();
        store.migrate_up().await.unwrap();
        TestStore::new(Arc::new(store)).keeping(folder)
    }

    zenml_auth_testkit::store_contract!(new_store);
}

#[cfg(feature = "sqlite")]
mod sqlite_in_memory {
    use std::sync::Arc;

    use zenml_auth_storage::{ConnectOptions, SqlStore};
    use zenml_auth_testkit::contract::TestStore;

    async fn new_store() -> TestStore {
        let store = SqlStore::connect(&ConnectOptions::url("sqlite::memory:"))
            .await
            .unwrap();
        store.migrate_up().await.unwrap();
        TestStore::new(Arc::new(store))
    }

    zenml_auth_testkit::store_contract!(new_store);
}

#[cfg(all(feature = "postgres", unix))]
mod postgres {
    use zenml_auth_testkit::contract::TestStore;
    use zenml_auth_testkit::databases::Kind;

    async fn new_store() -> Option<TestStore> {
        super::on_server(Kind::Postgres).await
    }

    zenml_auth_testkit::store_contract!(new_store);
}

#[cfg(all(feature = "mysql", unix))]
mod mysql {
    use zenml_auth_testkit::contract::TestStore;
    use zenml_auth_testkit::databases::Kind;

    async fn new_store() -> Option<TestStore> {
        super::on_server(Kind::MySql).await
    }

    zenml_auth_testkit::store_contract!(new_store);
}

#[cfg(all(any(feature = "postgres", feature = "mysql"), unix))]
async fn on_server(
    kind: zenml_auth_testkit::databases::Kind,
) -> Option<zenml_auth_testkit::contract::TestStore> {
    let database = zenml_auth_testkit::databases::fresh(kind).await?;
    let store = std::sync::Arc::new(database.store().await);
    Some(zenml_auth_testkit::contract::TestStore::new(store).keeping(database))
}
