//! The SQL store keeps the store contract, on every database.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code"
)]

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
