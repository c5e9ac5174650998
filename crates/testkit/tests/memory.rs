//! The store in memory keeps the store contract.

use std::sync::Arc;

use zenml_auth_core::memory::MemoryStore;
use zenml_auth_testkit::contract::TestStore;

async fn new_store() -> TestStore {
    TestStore::new(Arc::new(MemoryStore::new()))
}

zenml_auth_testkit::store_contract!(new_store);
