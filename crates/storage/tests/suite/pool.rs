//! How many connections there are to a database server, as the server counts them: what is set for them has the effect that
//! the guide for operators promises.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use zenml_auth_core::ports::{Store as _, StoreError};
use zenml_auth_model::{User, UserId};
use zenml_auth_storage::{ConnectOptions, SqlStore};
use zenml_auth_testkit::databases::{HeldTable, Kind, TestDatabase, fresh};

zenml_auth_testkit::on_servers! {
    there_are_never_more_than_the_most_and_one_that_reads_the_epoch
    what_is_not_used_is_closed_down_to_the_fewest
    what_is_too_old_is_replaced_unless_it_reads_the_epoch
}

/// What came of a read, and how long it took.
type Reading = (Result<Option<User>, StoreError>, Duration);

/// So many reads at once, each over a connection of its own.
fn read_users(store: &Arc<SqlStore>, reads: usize) -> JoinSet<Reading> {
    let mut reading = JoinSet::new();
    for _ in 0..reads {
        let store = Arc::clone(store);
        reading.spawn(async move {
            let begun = Instant::now();
            (store.user(UserId::from_random([7; 16])).await, begun.elapsed())
        });
    }
    reading
}

async fn connect(options: &ConnectOptions) -> Arc<SqlStore> {
    Arc::new(SqlStore::connect(options).await.unwrap())
}

/// A database whose users nobody can read until they are released, with the connections that hold them.
async fn with_users_held(kind: Kind) -> Option<(TestDatabase, HeldTable, BTreeSet<i64>)> {
    let database = fresh(kind).await?;
    database.store().await.close().await.unwrap();
    let held = database.hold("users").await;
    let others = database
        .connections_when(&BTreeSet::new(), |found| found.len() == 1)
        .await;
    Some((database, held, others))
}

async fn there_are_never_more_than_the_most_and_one_that_reads_the_epoch(kind: Kind) {
    let Some((database, held, others)) = with_users_held(kind).await else {
        return;
    };
    let mut options = database.options();
    options.connections = 3;
    options.acquire_timeout = Duration::from_secs(2);
    let store = connect(&options).await;

    let mut reading = read_users(&store, 8);
    for _ in 0..5 {
        let (read, took) = reading.join_next().await.unwrap().unwrap();
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
        assert!(took >= options.acquire_timeout, "{took:?}");
        assert!(took < options.statement_timeout, "{took:?}");
    }
    let of_pool = database.connections_when(&others, |found| found.len() == 3).await;
    store.epoch().await.unwrap();
    let with_epoch = database.connections_when(&others, |found| found.len() == 4).await;
    assert!(of_pool.is_subset(&with_epoch), "all three are in use");
    held.release().await;
    let reads = reading.join_all().await;
    assert_eq!(reads.len(), 3);
    assert!(
        reads.iter().all(|(read, _)| matches!(read, Ok(None))),
        "{reads:?}"
    );
}

async fn what_is_not_used_is_closed_down_to_the_fewest(kind: Kind) {
    let Some((database, held, others)) = with_users_held(kind).await else {
        return;
    };
    let mut options = database.options();
    (options.connections, options.min_connections) = (5, 2);
    // One that keeps what it has for ten minutes, beside one that does so for a second.
    let patient = connect(&options).await;
    options.idle_timeout = Duration::from_secs(1);
    let reading = read_users(&patient, 5);
    let of_patient = database.connections_when(&others, |found| found.len() == 5).await;
    let others = &others | &of_patient;
    let hasty = connect(&options).await;
    let more = read_users(&hasty, 5);
    database.connections_when(&others, |found| found.len() == 5).await;
    held.release().await;
    for (read, _) in reading.join_all().await.into_iter().chain(more.join_all().await) {
        read.unwrap();
    }
    let before = database.connections_when(&others, |found| found.len() == 2).await;
    // Those are closed as well in their time, and others opened for them.
    database
        .connections_when(&others, |found| found.len() == 2 && found.is_disjoint(&before))
        .await;
    assert!(of_patient.is_subset(&database.connections().await));
}

async fn what_is_too_old_is_replaced_unless_it_reads_the_epoch(kind: Kind) {
    let Some((database, held, others)) = with_users_held(kind).await else {
        return;
    };
    let mut options = database.options();
    options.min_connections = 2;
    // One that keeps its connections for half an hour, beside one that does so for a second.
    let patient = connect(&options).await;
    let reading = read_users(&patient, 2);
    let of_patient = database.connections_when(&others, |found| found.len() == 2).await;
    let others = &others | &of_patient;
    options.max_lifetime = Duration::from_secs(1);
    let hasty = connect(&options).await;
    hasty.epoch().await.unwrap();
    let more = read_users(&hasty, 2);
    let before = database.connections_when(&others, |found| found.len() == 3).await;
    held.release().await;
    for (read, _) in reading.join_all().await.into_iter().chain(more.join_all().await) {
        read.unwrap();
    }
    let after = database
        .connections_when(&others, |found| found.len() == 3 && (found & &before).len() == 1)
        .await;
    hasty.epoch().await.unwrap();
    let now = database.connections_when(&others, |found| found.len() == 3).await;
    let all_the_time = &(&now & &after) & &before;
    assert_eq!(all_the_time.len(), 1, "the epoch is read over the same one");
    assert!(of_patient.is_subset(&database.connections().await));
}
