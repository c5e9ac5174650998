//! Listings filled with awkward data, and what they should say.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use zenml_auth_core::ports::{Change, Store};
use zenml_auth_model::query::{
    ApiKeyField, AuditField, DeviceField, Direction, Field, Page, Query, ServiceAccountField, UserField,
    Value,
};
use zenml_auth_model::{
    Action, Actor, ApiKey, AuditEvent, Device, DeviceState, DeviceTraits, Origin, ServiceAccount, Target,
    TargetKind, Text, Timestamp, User,
};

use super::{make_all, oracle};
use crate::builders::{Builders, NOW, name_of, text_of};

/// Names that contain, begin and end with each other, differ in case alone, and hold what SQL takes for wildcards,
/// quotes and escapes.
pub(super) const NAMES: &[&str] = &[
    "ci",
    "CI",
    "ci-runner",
    "ci_runner",
    "ci%runner",
    "ci\\runner",
    "cirunner",
    "runner",
    "Runner-ci",
    "c",
    "🚀",
    "🚀ci",
    "naïve",
    "nai\u{308}ve",
    "O'Brien",
    "\"quoted\"",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{10ffff}z",
    "a b",
];

/// Texts, which unlike names may be empty, and begin and end with blanks.
const TEXTS: &[&str] = &[
    "",
    "ci",
    "CI",
    "ci ",
    " ci",
    "two\nlines",
    "100%",
    "a_b",
    "🚀",
    "ci-runner",
    "\u{10ffff}",
];

type Answer<T> = Pin<Box<dyn Future<Output = Page<T>> + Send>>;
type Ask<F, T> = Box<dyn Fn(Arc<dyn Store>, Query<F>) -> Answer<T> + Send + Sync>;

/// A listing of a store and the items that are in it.
pub(super) struct Listing<F, T> {
    /// All items, in no order.
    pub(super) items: Vec<T>,
    id: fn(&T) -> Uuid,
    read: fn(&T, F) -> Option<Value>,
    store: Arc<dyn Store>,
    ask: Ask<F, T>,
}

impl<F: Field, T: Clone + PartialEq + Debug> Listing<F, T> {
    /// What the store says.
    pub(super) async fn answer(&self, query: &Query<F>) -> Page<T> {
        (self.ask)(Arc::clone(&self.store), query.clone()).await
    }

    /// What it should say.
    pub(super) fn expected(&self, query: &Query<F>) -> Page<T> {
        let mut matching: Vec<T> = self
            .items
            .iter()
            .filter(|item| query.matches(|field| (self.read)(item, field)))
            .cloned()
            .collect();
        // A missing value is less than any other.
        matching.sort_by_key(|item| ((self.read)(item, query.sort.field), (self.id)(item)));
        if query.sort.direction == Direction::Descending {
            matching.reverse();
        }
        let total = u64::try_from(matching.len()).unwrap();
        let offset = usize::try_from(query.page.offset()).unwrap();
        let size = usize::try_from(query.page.size()).unwrap();
        let items = matching.into_iter().skip(offset).take(size).collect();
        Page {
            items,
            total,
            request: query.page,
        }
    }

    /// Compares the two.
    pub(super) async fn check(&self, query: &Query<F>) {
        let (answer, expected) = (self.answer(query).await, self.expected(query));
        assert!(
            answer == expected,
            "{query:#?} gave {}, not {}",
            self.shown(&answer),
            self.shown(&expected)
        );
    }

    fn shown(&self, page: &Page<T>) -> String {
        let ids: Vec<Uuid> = page.items.iter().map(self.id).collect();
        format!("{ids:?} of {}", page.total)
    }

    /// All values of a field.
    pub(super) fn values(&self, field: F) -> BTreeSet<Value> {
        self.items
            .iter()
            .filter_map(|item| (self.read)(item, field))
            .collect()
    }
}

/// All listings of one store, filled.
pub(super) struct Listings {
    pub(super) users: Listing<UserField, User>,
    pub(super) devices: Listing<DeviceField, Device>,
    pub(super) service_accounts: Listing<ServiceAccountField, ServiceAccount>,
    pub(super) api_keys: Listing<ApiKeyField, ApiKey>,
    pub(super) audit_events: Listing<AuditField, AuditEvent>,
}

/// A moment out of a few, so that many are the same.
fn moment(number: usize) -> Timestamp {
    NOW + Duration::from_micros(u64::try_from(number % 5).unwrap() * 3)
}

fn text(number: usize) -> Text {
    text_of(TEXTS[number % TEXTS.len()])
}

/// Nothing for every third number.
fn some<T>(number: usize, value: impl FnOnce() -> T) -> Option<T> {
    (!number.is_multiple_of(3)).then(value)
}

impl Listings {
    /// Fills a store, among other things with what must not show up.
    pub(super) async fn in_store(store: &Arc<dyn Store>) -> Self {
        let build = Builders::new();
        let users = users(&build);
        let service_accounts = service_accounts(&build);
        let (owner, other_owner) = (users[0].clone(), users[1].clone());
        let (account, other_account) = (service_accounts[0].clone(), service_accounts[1].clone());
        let (devices, api_keys) = (devices(&build, &owner), api_keys(&build, &account));
        let audit_events = audit_events(&build, &users, &service_accounts);

        let mut changes: Vec<Change> = users.iter().cloned().map(Change::InsertUser).collect();
        changes.extend(service_accounts.iter().cloned().map(Change::InsertServiceAccount));
        changes.extend(devices.iter().cloned().map(Change::InsertDevice));
        changes.extend(api_keys.iter().cloned().map(Change::InsertApiKey));
        changes.extend(audit_events.iter().cloned().map(Change::Audit));
        for device in &devices {
            let same_of_another = Device {
                user_id: other_owner.id,
                id: build.device(&owner).id,
                ..device.clone()
            };
            changes.push(Change::InsertDevice(same_of_another));
        }
        for key in &api_keys {
            let id = build.api_key(&account, "x").id;
            let same_of_another = ApiKey {
                service_account_id: other_account.id,
                id,
                ..key.clone()
            };
            changes.push(Change::InsertApiKey(same_of_another));
        }
        make_all(&**store, changes).await;

        let (owner, account) = (owner.id, account.id);
        Self {
            users: Listing {
                items: users,
                id: |user| user.id.as_uuid(),
                read: oracle::user,
                store: Arc::clone(store),
                ask: Box::new(move |store, query| {
                    Box::pin(async move { store.list_users(&query, None).await.unwrap() })
                }),
            },
            devices: Listing {
                items: devices,
                id: |device| device.id.as_uuid(),
                read: oracle::device,
                store: Arc::clone(store),
                ask: Box::new(move |store, query| {
                    Box::pin(async move { store.list_devices(&query, owner).await.unwrap() })
                }),
            },
            service_accounts: Listing {
                items: service_accounts,
                id: |account| account.id.as_uuid(),
                read: oracle::service_account,
                store: Arc::clone(store),
                ask: Box::new(move |store, query| {
                    Box::pin(async move { store.list_service_accounts(&query).await.unwrap() })
                }),
            },
            api_keys: Listing {
                items: api_keys,
                id: |key| key.id.as_uuid(),
                read: oracle::api_key,
                store: Arc::clone(store),
                ask: Box::new(move |store, query| {
                    Box::pin(async move { store.list_api_keys(&query, account).await.unwrap() })
                }),
            },
            audit_events: Listing {
                items: audit_events,
                id: |event| event.id.as_uuid(),
                read: oracle::audit_event,
                store: Arc::clone(store),
                ask: Box::new(move |store, query| {
                    Box::pin(async move { store.list_audit_events(&query).await.unwrap() })
                }),
            },
        }
    }
}

fn users(build: &Builders) -> Vec<User> {
    let user = |(number, name): (usize, &&str)| User {
        full_name: text(number),
        email: some(number, || text(number + 5)),
        email_opted_in: some(number + 1, || number.is_multiple_of(2)),
        active: !number.is_multiple_of(4),
        is_admin: number.is_multiple_of(5),
        created: moment(number),
        updated: moment(number * 7),
        ..build.user(name)
    };
    NAMES.iter().enumerate().map(user).collect()
}

fn service_accounts(build: &Builders) -> Vec<ServiceAccount> {
    let account = |(number, name): (usize, &&str)| ServiceAccount {
        description: text(number + 3),
        active: !number.is_multiple_of(3),
        created: moment(number * 3),
        updated: moment(number),
        ..build.service_account(name)
    };
    NAMES.iter().enumerate().map(account).collect()
}

fn devices(build: &Builders, owner: &User) -> Vec<Device> {
    let device = |number: usize| Device {
        state: if number.is_multiple_of(3) {
            DeviceState::Locked
        } else {
            DeviceState::Active
        },
        trusted: number.is_multiple_of(2),
        expires: moment(number + 2),
        traits: DeviceTraits {
            hostname: some(number, || text(number)),
            os: some(number + 1, || {
                text_of(["Linux", "linux", "macOS", "Windows"][number % 4])
            }),
            ip_address: some(number + 2, || {
                text_of(["192.0.2.7", "192.0.2.77", "2001:db8::7"][number % 3])
            }),
            ..DeviceTraits::default()
        },
        last_login: some(number, || moment(number * 2)),
        created: moment(number),
        updated: moment(number + 1),
        ..build.device(owner)
    };
    (0..24).map(device).collect()
}

fn api_keys(build: &Builders, account: &ServiceAccount) -> Vec<ApiKey> {
    let key = |(number, name): (usize, &&str)| ApiKey {
        description: text(number),
        active: number.is_multiple_of(2),
        expires: some(number, || moment(number)),
        last_login: some(number + 1, || moment(number * 2)),
        last_rotated: some(number + 2, || moment(number * 3)),
        created: moment(number),
        updated: moment(number * 2),
        ..build.api_key(account, name)
    };
    NAMES.iter().enumerate().map(key).collect()
}

fn audit_events(build: &Builders, users: &[User], accounts: &[ServiceAccount]) -> Vec<AuditEvent> {
    let event = |(number, action): (usize, &Action)| AuditEvent {
        at: moment(number),
        actor: match number % 4 {
            0 => Actor::User {
                id: users[number % 3].id,
                name: name_of(NAMES[number % NAMES.len()]),
            },
            1 => Actor::ServiceAccount {
                id: accounts[number % 3].id,
                name: accounts[number % 3].name.clone(),
            },
            2 => Actor::Anonymous,
            _ => Actor::Operator,
        },
        target: Target {
            kind: TargetKind::User,
            id: users[number % 5].id.as_uuid(),
            name: some(number, || text(number)),
        },
        origin: Origin {
            address: some(number + 1, || {
                ["192.0.2.7", "2001:db8::7"][number % 2].parse().unwrap()
            }),
            request_id: some(number + 2, || text(number + 1)),
            user_agent: None,
        },
        ..build.audit_event(*action)
    };
    Action::ALL.iter().enumerate().map(event).collect()
}
