//! What every store has to do, as one suite of named tests.
//!
//! [`store_contract!`](crate::store_contract) runs all of it on a store. Each property is a function in a file of
//! its theme; it gets a fresh, empty store and panics when the store breaks the promise.

mod atomicity;
mod attempts;
mod cascades;
mod concurrency;
mod epoch;
mod filters;
mod listing;
mod names;
mod oracle;
mod paging;
mod round_trips;
mod unique;
mod upkeep;
mod versions;

use std::any::Any;
use std::sync::Arc;

use zenml_auth_core::ports::{Change, ChangeSet, CommitError, Store};

/// A fresh, empty store to test.
pub struct TestStore {
    store: Arc<dyn Store>,
    keep: Vec<Box<dyn Any + Send + Sync>>,
}

impl TestStore {
    /// A store that needs nothing else.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            keep: Vec::new(),
        }
    }

    /// Keeps something for as long as the test runs: a folder, a server.
    #[must_use]
    pub fn keeping(mut self, thing: impl Any + Send + Sync) -> Self {
        self.keep.push(Box::new(thing));
        self
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }
}

impl std::fmt::Debug for TestStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestStore")
            .field("keeping", &self.keep.len())
            .finish_non_exhaustive()
    }
}

/// Names the properties once, so that none is forgotten: one that is missing here is dead code, and one that is
/// missing in [`store_contract!`](crate::store_contract) fails a test of the suite.
macro_rules! properties {
    ($($module:ident::$name:ident),+ $(,)?) => {
        /// The names of all properties.
        pub const PROPERTIES: &[&str] = &[$(stringify!($name)),+];

        /// Checks one property of a fresh store.
        ///
        /// # Panics
        /// When the store does not have it, or there is no such property.
        pub async fn check(property: &str, store: &TestStore) {
            match property {
                $(stringify!($name) => Box::pin($module::$name(store.store())).await,)+
                unknown => panic!("there is no property {unknown:?}"),
            }
        }
    };
}

properties![
    round_trips::server_comes_back,
    round_trips::signing_keys_come_back_oldest_first,
    round_trips::how_the_servers_secret_is_kept_changes,
    round_trips::users_come_back,
    round_trips::sessions_come_back,
    round_trips::grants_come_back,
    round_trips::devices_come_back,
    round_trips::service_accounts_come_back,
    round_trips::api_keys_come_back,
    round_trips::audit_events_come_back,
    round_trips::extremes_come_back,
    round_trips::nothing_is_found_in_an_empty_store,
    round_trips::clients_are_known_by_grants_and_devices,
    round_trips::administrators_are_counted,
    names::names_that_differ_in_case_are_different,
    names::names_are_compared_letter_by_letter,
    names::long_names_and_texts_fit,
    unique::there_is_one_server,
    unique::user_names_are_unique,
    unique::service_account_names_are_unique,
    unique::api_key_names_are_unique_within_their_account,
    unique::a_person_has_one_device_per_client,
    unique::codes_are_unique,
    unique::ids_are_unique,
    unique::an_update_may_keep_what_is_unique,
    unique::what_was_given_up_can_be_taken,
    versions::updates_move_the_version_on,
    versions::stale_updates_are_refused,
    versions::stale_deletions_are_refused,
    versions::what_is_gone_is_stale,
    versions::guards_move_on,
    versions::rows_need_their_parents,
    cascades::a_user_takes_everything_along,
    cascades::a_service_account_takes_its_keys_along,
    cascades::single_deletions_touch_nothing_else,
    atomicity::a_failing_set_leaves_nothing_behind,
    atomicity::an_empty_set_is_fine,
    atomicity::a_set_sees_its_own_changes,
    filters::every_operator_on_every_field,
    filters::random_queries_match_the_oracle,
    filters::odd_tests_match_the_oracle,
    filters::nothing_is_a_wildcard,
    filters::long_filters_are_answered,
    paging::missing_values_come_first,
    paging::ties_are_broken_by_id,
    paging::pages_cover_everything_once,
    paging::a_page_past_the_end_is_empty,
    paging::listings_stay_within_their_scope,
    upkeep::uses_never_go_back_in_time,
    upkeep::a_use_is_no_change,
    upkeep::uses_of_sessions_never_go_back_and_are_no_change,
    upkeep::an_update_keeps_a_later_use,
    upkeep::many_uses_at_once,
    upkeep::users_of_a_key_are_told_apart,
    upkeep::the_latest_users_of_a_key_are_kept,
    upkeep::purging_takes_what_has_ended,
    upkeep::the_last_end_is_that_of_all_devices_and_sessions,
    upkeep::purging_keeps_to_its_limit,
    upkeep::the_audit_trail_is_purged_from_its_end,
    attempts::failures_are_counted_and_forgotten,
    attempts::failures_at_once_are_all_counted,
    attempts::networks_are_remembered,
    attempts::the_latest_networks_of_an_account_are_kept,
    attempts::old_attempts_are_purged,
    concurrency::one_of_many_updates_wins,
    concurrency::one_of_many_exchanges_wins,
    concurrency::one_of_many_equal_names_wins,
    concurrency::one_of_many_guards_wins,
    concurrency::no_update_is_lost,
    concurrency::update_and_deletion_do_not_both_win,
    concurrency::what_is_committed_is_seen,
    concurrency::readers_see_whole_sets,
    epoch::the_epoch_stays_when_nothing_is_revoked,
    epoch::every_revocation_moves_the_epoch_on,
    epoch::a_set_revokes_all_of_it_at_once,
    epoch::what_is_refused_revokes_nothing,
    epoch::a_cache_without_an_epoch_has_to_forget_everything,
    epoch::a_reader_of_an_epoch_sees_its_rows,
];

/// Runs the store contract on the stores that a function makes: `async fn new_store() -> TestStore`, called for each
/// test; or `-> Option<TestStore>`, where there is none on this machine. The tests need `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! store_contract {
    ($new_store:path) => {
        $crate::store_contract! { $new_store =>
            server_comes_back
            signing_keys_come_back_oldest_first
            how_the_servers_secret_is_kept_changes
            users_come_back
            sessions_come_back
            grants_come_back
            devices_come_back
            service_accounts_come_back
            api_keys_come_back
            audit_events_come_back
            extremes_come_back
            nothing_is_found_in_an_empty_store
            clients_are_known_by_grants_and_devices
            administrators_are_counted
            names_that_differ_in_case_are_different
            names_are_compared_letter_by_letter
            long_names_and_texts_fit
            there_is_one_server
            user_names_are_unique
            service_account_names_are_unique
            api_key_names_are_unique_within_their_account
            a_person_has_one_device_per_client
            codes_are_unique
            ids_are_unique
            an_update_may_keep_what_is_unique
            what_was_given_up_can_be_taken
            updates_move_the_version_on
            stale_updates_are_refused
            stale_deletions_are_refused
            what_is_gone_is_stale
            guards_move_on
            rows_need_their_parents
            a_user_takes_everything_along
            a_service_account_takes_its_keys_along
            single_deletions_touch_nothing_else
            a_failing_set_leaves_nothing_behind
            an_empty_set_is_fine
            a_set_sees_its_own_changes
            every_operator_on_every_field
            random_queries_match_the_oracle
            odd_tests_match_the_oracle
            nothing_is_a_wildcard
            long_filters_are_answered
            missing_values_come_first
            ties_are_broken_by_id
            pages_cover_everything_once
            a_page_past_the_end_is_empty
            listings_stay_within_their_scope
            uses_never_go_back_in_time
            a_use_is_no_change
            uses_of_sessions_never_go_back_and_are_no_change
            an_update_keeps_a_later_use
            many_uses_at_once
            users_of_a_key_are_told_apart
            the_latest_users_of_a_key_are_kept
            purging_takes_what_has_ended
            the_last_end_is_that_of_all_devices_and_sessions
            purging_keeps_to_its_limit
            the_audit_trail_is_purged_from_its_end
            failures_are_counted_and_forgotten
            failures_at_once_are_all_counted
            networks_are_remembered
            the_latest_networks_of_an_account_are_kept
            old_attempts_are_purged
            one_of_many_updates_wins
            one_of_many_exchanges_wins
            one_of_many_equal_names_wins
            one_of_many_guards_wins
            no_update_is_lost
            update_and_deletion_do_not_both_win
            what_is_committed_is_seen
            readers_see_whole_sets
            the_epoch_stays_when_nothing_is_revoked
            every_revocation_moves_the_epoch_on
            a_set_revokes_all_of_it_at_once
            what_is_refused_revokes_nothing
            a_cache_without_an_epoch_has_to_forget_everything
            a_reader_of_an_epoch_sees_its_rows
        }
    };
    ($new_store:path => $($property:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $property() {
                let store: Option<$crate::contract::TestStore> = $new_store().await.into();
                // Without one, the test that should have made it has said why.
                if let Some(store) = store {
                    $crate::contract::check(stringify!($property), &store).await;
                }
            }
        )+

        #[test]
        fn the_whole_contract_is_checked() {
            assert_eq!([$(stringify!($property)),+].as_slice(), $crate::contract::PROPERTIES);
        }
    };
}

/// Makes one change, which has to work.
async fn make(store: &dyn Store, change: Change) {
    make_all(store, [change]).await;
}

/// Makes changes together, which has to work.
async fn make_all(store: &dyn Store, changes: impl IntoIterator<Item = Change>) {
    let set = changes.into_iter().fold(ChangeSet::new(), ChangeSet::with);
    store
        .commit(set.clone())
        .await
        .unwrap_or_else(|error| panic!("{error} while making {set:#?}"));
}

/// Tries to make one change, and returns what comes of it.
async fn attempt(store: &dyn Store, change: Change) -> Result<(), CommitError> {
    store.commit(ChangeSet::new().with(change)).await
}

/// Tries to make one change that has to be refused, and returns why.
async fn refused(store: &dyn Store, change: Change) -> CommitError {
    let shown = format!("{change:?}");
    match attempt(store, change).await {
        Ok(()) => panic!("this was not refused: {shown}"),
        Err(error) => error,
    }
}
