//! Everything that can happen to a request and a revocation, gone through by a model checker.

mod model;

use stateright::{Checker, HasDiscoveries, Model};

use self::model::{Epochs, Mistake, NEVER_IN_VAIN, NEVER_TOO_LATE, StoreKind};

const SHARED: Epochs = Epochs {
    store: StoreKind::Shared,
    replicas: 1,
    requests: 3,
    rows: 1,
    changes: 1,
    remembered: 2,
    impatient: true,
    mistake: None,
};
const OWNED: Epochs = Epochs {
    store: StoreKind::Owned,
    ..SHARED
};

/// Goes through all states, and expects all properties to hold.
fn check(model: Epochs) {
    let checker = model.checker().spawn_bfs().join();
    println!("{model:?}: {} states", checker.unique_state_count());
    checker.assert_properties();
}

#[test]
fn three_requests_on_a_shared_database() {
    check(SHARED);
}

#[test]
fn three_requests_on_a_database_with_one_owner() {
    check(OWNED);
}

#[test]
fn two_rows_of_which_one_is_remembered() {
    for base in [SHARED, OWNED] {
        check(Epochs {
            rows: 2,
            requests: 2,
            remembered: 1,
            ..base
        });
    }
}

#[test]
fn a_row_that_is_given_back() {
    for base in [SHARED, OWNED] {
        for remembered in [1, 2] {
            check(Epochs {
                changes: 2,
                remembered,
                ..base
            });
        }
    }
}

#[test]
fn two_replicas_of_two_requests() {
    check(Epochs {
        replicas: 2,
        requests: 2,
        impatient: false,
        ..SHARED
    });
}

#[test]
fn every_mistake_lets_somebody_in() {
    use Mistake::{
        AcknowledgedBeforeMovingOn, EpochReadAfterRow, KeptAnyhow, MovedOnBeforeCommit,
        MovedOnBeforeForgetting, OldReadWillDo, ReadUnderWayWillDo,
    };
    for mistake in [
        OldReadWillDo,
        ReadUnderWayWillDo,
        EpochReadAfterRow,
        KeptAnyhow,
        AcknowledgedBeforeMovingOn,
        MovedOnBeforeCommit,
    ] {
        find(mistake, SHARED, NEVER_TOO_LATE);
        find(mistake, OWNED, NEVER_TOO_LATE);
    }
    find(MovedOnBeforeForgetting, OWNED, NEVER_TOO_LATE);
}

#[test]
fn what_is_given_back_in_silence_stays_refused() {
    for base in [SHARED, OWNED] {
        let changes = 2;
        find(
            Mistake::GivenBackInSilence,
            Epochs { changes, ..base },
            NEVER_IN_VAIN,
        );
    }
}

/// Expects that the checker finds out how a mistake breaks what has to hold.
fn find(mistake: Mistake, base: Epochs, property: &'static str) {
    let model = Epochs {
        mistake: Some(mistake),
        ..base
    };
    let checker = model
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let Some(found) = checker.discovery(property) else {
        panic!("nothing is wrong with {model:?}");
    };
    println!("{mistake:?}, {:?}: {:?}", base.store, found.into_actions());
}
