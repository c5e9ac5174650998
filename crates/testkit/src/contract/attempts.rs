//! Failed attempts at passwords, and the networks from which accounts sign in.

use std::sync::Arc;
use std::time::Duration;

use zenml_auth_core::ports::{FamiliarNetwork, NETWORKS_KEPT, PurgeBefore, Store};
use zenml_auth_core::rules::slow_down::Failures;
use zenml_auth_model::{SecretHash, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn key(first: u8, second: u8) -> SecretHash {
    let mut bytes = [0; 32];
    bytes[0] = first;
    bytes[31] = second;
    SecretHash::from_bytes(bytes)
}

fn noted(count: u32, last: Timestamp) -> Option<Failures> {
    Some(Failures { count, last })
}

pub(super) async fn failures_are_counted_and_forgotten(store: Arc<dyn Store>) {
    let (one, other) = (key(1, 0), key(1, 1));
    store.forget_failures(&one).await.unwrap();
    assert_eq!(store.failures(&one).await.unwrap(), None);
    store.count_failure(&one, after(10), NOW).await.unwrap();
    assert_eq!(store.failures(&one).await.unwrap(), noted(1, after(10)));
    // The clock of another replica may be behind.
    store.count_failure(&one, after(9), NOW).await.unwrap();
    store.count_failure(&one, after(12), after(10)).await.unwrap();
    assert_eq!(store.failures(&one).await.unwrap(), noted(3, after(12)));
    assert_eq!(store.failures(&other).await.unwrap(), None);

    store.count_failure(&other, after(1), NOW).await.unwrap();
    store.count_failure(&one, after(20), after(13)).await.unwrap();
    assert_eq!(
        store.failures(&one).await.unwrap(),
        noted(1, after(20)),
        "it is so long ago that it begins anew"
    );
    store.forget_failures(&one).await.unwrap();
    assert_eq!(store.failures(&one).await.unwrap(), None);
    assert_eq!(store.failures(&other).await.unwrap(), noted(1, after(1)));
}

pub(super) async fn failures_at_once_are_all_counted(store: Arc<dyn Store>) {
    let running: Vec<_> = (0..24)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.count_failure(&key(1, number % 2), after(5), NOW).await })
        })
        .collect();
    for one in running {
        one.await.unwrap().unwrap();
    }
    for number in 0..2 {
        assert_eq!(
            store.failures(&key(1, number)).await.unwrap(),
            noted(12, after(5))
        );
    }
}

pub(super) async fn networks_are_remembered(store: Arc<dyn Store>) {
    let network = FamiliarNetwork {
        id: key(1, 0),
        account: key(2, 0),
        seen: after(5),
    };
    assert_eq!(store.network_seen(&network.id).await.unwrap(), None);
    store.note_network(&network).await.unwrap();
    assert_eq!(store.network_seen(&network.id).await.unwrap(), Some(after(5)));
    for (seconds, seen) in [(3, 5), (7, 7)] {
        let again = FamiliarNetwork {
            seen: after(seconds),
            ..network.clone()
        };
        store.note_network(&again).await.unwrap();
        assert_eq!(store.network_seen(&network.id).await.unwrap(), Some(after(seen)));
    }
    assert_eq!(store.network_seen(&network.account).await.unwrap(), None);
}

pub(super) async fn the_latest_networks_of_an_account_are_kept(store: Arc<dyn Store>) {
    let kept = u8::try_from(NETWORKS_KEPT).unwrap();
    let network = |account, number: u8| FamiliarNetwork {
        id: key(account, number),
        account: key(account, 255),
        seen: after(u64::from(number)),
    };
    store.note_network(&network(2, 0)).await.unwrap();
    for number in 0..kept + 2 {
        store.note_network(&network(1, number)).await.unwrap();
    }
    for number in 0..kept + 2 {
        let seen = store.network_seen(&key(1, number)).await.unwrap();
        assert_eq!(seen.is_some(), number >= 2, "{number}");
    }
    // Another account is not concerned.
    assert!(store.network_seen(&key(2, 0)).await.unwrap().is_some());
}

pub(super) async fn old_attempts_are_purged(store: Arc<dyn Store>) {
    for number in 0..4_u8 {
        let at = after(u64::from(number));
        store.count_failure(&key(1, number), at, NOW).await.unwrap();
        let network = FamiliarNetwork {
            id: key(2, number),
            account: key(3, number),
            seen: at,
        };
        store.note_network(&network).await.unwrap();
    }
    let before = PurgeBefore {
        failures: after(3),
        networks: after(1),
        ..PurgeBefore::all(Timestamp::UNIX_EPOCH)
    };
    assert_eq!(
        store.purge(before, 2).await.unwrap(),
        3,
        "two of one kind and one of the other"
    );
    assert_eq!(store.purge(before, 2).await.unwrap(), 1);
    assert_eq!(store.purge(before, 2).await.unwrap(), 0);
    for number in 0..4 {
        let left = store.failures(&key(1, number)).await.unwrap();
        assert_eq!(left.is_some(), number >= 3, "{number}");
        let left = store.network_seen(&key(2, number)).await.unwrap();
        assert_eq!(left.is_some(), number >= 1, "{number}");
    }
}
