//! The SQL store and the store in memory do the same, whatever is asked of them.

use proptest::test_runner::{Config, TestCaseError, TestRunner};
use zenml_auth_core::memory::MemoryStore;
use zenml_auth_storage::{ConnectOptions, SqlStore};

use crate::history::{Cast, event, outcome};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_do_the_same() {
    let cast = Cast::new();
    let runtime = tokio::runtime::Handle::current();
    let history = proptest::collection::vec(event(&cast), 1..40);
    let config = Config {
        cases: 100,
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&history, |history| {
        let compare = async {
            let memory = MemoryStore::new();
            let sql = SqlStore::connect(&ConnectOptions::url("sqlite::memory:"))
                .await
                .unwrap();
            sql.migrate_up().await.unwrap();
            for (number, event) in history.iter().enumerate() {
                let (expected, actual) = (outcome(&memory, event).await, outcome(&sql, event).await);
                if expected != actual {
                    return Err(format!(
                        "event {number}: memory says {expected:?}, SQL says {actual:?}"
                    ));
                }
            }
            let (expected, actual) = (cast.read(&memory).await, cast.read(&sql).await);
            match expected.iter().zip(&actual).find(|(memory, sql)| memory != sql) {
                Some((memory, sql)) => Err(format!("in the end memory has {memory}, SQL has {sql}")),
                None => Ok(()),
            }
        };
        tokio::task::block_in_place(|| runtime.block_on(compare)).map_err(TestCaseError::fail)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
