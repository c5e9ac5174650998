//! Sorting and paging.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use zenml_auth_core::ports::Store;
use zenml_auth_model::query::{
    DeviceField, Direction, Field, MAX_PAGE_SIZE, PageRequest, Query, Sort, UserField,
};

use super::listing::{Listing, Listings};

const DIRECTIONS: [Direction; 2] = [Direction::Ascending, Direction::Descending];

fn sorted<F: Field>(field: F, direction: Direction, number: u32, size: u32) -> Query<F> {
    Query {
        sort: Sort { field, direction },
        page: PageRequest::new(number, size).unwrap(),
        ..Query::default()
    }
}

pub(super) async fn missing_values_come_first(store: Arc<dyn Store>) {
    let listings = Listings::in_store(&store).await;
    let last_logins = async |direction| {
        let query = sorted(DeviceField::LastLogin, direction, 1, MAX_PAGE_SIZE);
        let page = listings.devices.answer(&query).await;
        page.items
            .iter()
            .map(|device| device.last_login)
            .collect::<Vec<_>>()
    };
    let ascending = last_logins(Direction::Ascending).await;
    assert!(ascending[0].is_none() && ascending.last().unwrap().is_some());
    assert!(ascending.is_sorted());
    let mut descending = last_logins(Direction::Descending).await;
    assert!(descending[0].is_some() && descending.last().unwrap().is_none());
    descending.reverse();
    assert_eq!(ascending, descending);
}

pub(super) async fn ties_are_broken_by_id(store: Arc<dyn Store>) {
    let listings = Listings::in_store(&store).await;
    for direction in DIRECTIONS {
        let query = sorted(UserField::IsAdmin, direction, 1, MAX_PAGE_SIZE);
        let page = listings.users.answer(&query).await;
        let keys: Vec<_> = page.items.iter().map(|user| (user.is_admin, user.id)).collect();
        let in_order = match direction {
            Direction::Ascending => keys.is_sorted(),
            Direction::Descending => keys.iter().rev().is_sorted(),
        };
        assert!(in_order, "{direction:?}: {keys:?}");
    }
}

async fn every_sort<F: Field, T: Clone + PartialEq + Debug>(listing: &Listing<F, T>) {
    for field in F::ALL {
        for direction in DIRECTIONS {
            let mut covered = Vec::new();
            for number in 1.. {
                let query = sorted(*field, direction, number, 7);
                let page = listing.answer(&query).await;
                assert_eq!(page, listing.expected(&query));
                assert_eq!(page.total, u64::try_from(listing.items.len()).unwrap());
                if page.is_past_the_end() {
                    assert!(page.items.is_empty());
                    break;
                }
                covered.extend(page.items);
            }
            let whole = listing.answer(&sorted(*field, direction, 1, MAX_PAGE_SIZE)).await;
            assert_eq!(covered, whole.items, "{field:?} {direction:?}");
        }
    }
}

pub(super) async fn pages_cover_everything_once(store: Arc<dyn Store>) {
    let listings = Listings::in_store(&store).await;
    every_sort(&listings.users).await;
    every_sort(&listings.devices).await;
    every_sort(&listings.service_accounts).await;
    every_sort(&listings.api_keys).await;
    every_sort(&listings.audit_events).await;
}

pub(super) async fn a_page_past_the_end_is_empty(store: Arc<dyn Store>) {
    let listings = Listings::in_store(&store).await;
    let total = u64::try_from(listings.users.items.len()).unwrap();
    let size = u32::try_from(total).unwrap();
    // One that is exactly full, the one after it, and the last that can be asked for.
    for (number, size, items) in [
        (1, size, size),
        (2, size, 0),
        (u32::MAX, MAX_PAGE_SIZE, 0),
        (2, size - 1, 1),
    ] {
        let page = listings
            .users
            .answer(&sorted(UserField::Name, Direction::Ascending, number, size))
            .await;
        assert_eq!(
            (page.items.len(), page.total),
            (usize::try_from(items).unwrap(), total),
            "{number} {size}"
        );
        assert_eq!(page.is_past_the_end(), items == 0);
    }
}

pub(super) async fn listings_stay_within_their_scope(store: Arc<dyn Store>) {
    let listings = Listings::in_store(&store).await;
    let (alice, bob) = (listings.users.items[0].id, listings.users.items[1].id);
    let mut seen = HashSet::new();
    for owner in [alice, bob] {
        let page = store.list_devices(&Query::default(), owner).await.unwrap();
        assert!(
            page.items
                .iter()
                .all(|device| device.user_id == owner && seen.insert(device.id))
        );
        assert_eq!(page.total, u64::try_from(listings.devices.items.len()).unwrap());
    }
    for account in &listings.service_accounts.items[..2] {
        let page = store.list_api_keys(&Query::default(), account.id).await.unwrap();
        assert!(page.items.iter().all(|key| key.service_account_id == account.id));
        assert_eq!(page.total, u64::try_from(listings.api_keys.items.len()).unwrap());
    }
    let page = store.list_users(&Query::default(), Some(bob)).await.unwrap();
    assert_eq!((page.items.len(), page.total, page.items[0].id), (1, 1, bob));
    let second = Query {
        page: PageRequest::new(2, 1).unwrap(),
        ..Query::default()
    };
    assert_eq!(store.list_users(&second, Some(bob)).await.unwrap().total, 1);
}
