//! What can happen to a store: random changes of a few rows, and everything that can be read of them.

use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::select;
use zenml_auth_core::ports::{
    ApiKeyUse, Change, ChangeSet, CommitError, DeviceUse, FamiliarNetwork, Guard, PurgeBefore, SessionUse,
    Store, StoreError,
};
use zenml_auth_model::query::Query;
use zenml_auth_model::{
    Action, ApiKey, AuditEvent, ClientId, Device, DeviceGrant, GrantState, KeptSecret, KeyUse, SecretHash,
    ServerIdentity, ServiceAccount, Session, SessionPurpose, SigningKey, Timestamp, UsedFrom, User, Version,
};
use zenml_auth_testkit::builders::{Builders, NOW, name_of, text_of};

/// A few rows of each kind. Changes are made of their parts, so that they get in each other's way often.
#[derive(Debug, Clone)]
pub(crate) struct Cast {
    users: Vec<User>,
    sessions: Vec<Session>,
    grants: Vec<DeviceGrant>,
    devices: Vec<Device>,
    accounts: Vec<ServiceAccount>,
    keys: Vec<ApiKey>,
    signing_keys: Vec<SigningKey>,
    clients: Vec<ClientId>,
    entries: Vec<AuditEvent>,
    /// What failures are counted under, and networks known by.
    hashes: Vec<SecretHash>,
}

impl Cast {
    pub(crate) fn new() -> Self {
        let build = Builders::new();
        let users: Vec<User> = ["alice", "Alice", "bob"]
            .iter()
            .map(|name| build.user(name))
            .collect();
        let accounts: Vec<ServiceAccount> = ["ci", "cd"]
            .iter()
            .map(|name| build.service_account(name))
            .collect();
        Self {
            sessions: users.iter().map(|user| build.session(user)).collect(),
            grants: (0..3).map(|_| build.grant()).collect(),
            devices: users.iter().map(|user| build.device(user)).collect(),
            keys: accounts
                .iter()
                .flat_map(|account| [build.api_key(account, "one"), build.api_key(account, "two")])
                .collect(),
            signing_keys: (0..2).map(|_| build.signing_key()).collect(),
            clients: (0..2).map(|_| build.client()).collect(),
            entries: (0..3).map(|_| build.audit_event(Action::UserUpdated)).collect(),
            hashes: (0..2).map(|_| build.hash()).collect(),
            users,
            accounts,
        }
    }

    /// Attempts to sign in, and what is remembered of them.
    fn attempts(&self) -> impl Strategy<Value = Event> + use<> {
        let moment = || (0_i64..8).prop_map(|micros| Timestamp::from_micros(NOW.as_micros() + micros));
        let hash = || select(self.hashes.clone());
        let session = (select(self.sessions.clone()), moment())
            .prop_map(|(session, at)| SessionUse { id: session.id, at });
        prop_oneof![
            proptest::collection::vec(session, 1..3).prop_map(Event::UseSessions),
            (hash(), moment(), moment()).prop_map(|(key, at, forgotten)| Event::Fail(key, at, forgotten)),
            hash().prop_map(Event::Forget),
            (hash(), hash(), moment())
                .prop_map(|(id, account, seen)| { Event::SignIn(FamiliarNetwork { id, account, seen }) }),
        ]
    }

    /// Uses of keys and devices, of any of three values, from any of three places, in no order.
    fn uses(&self) -> impl Strategy<Value = Event> + use<> {
        let moment = || (0_i64..8).prop_map(|micros| Timestamp::from_micros(NOW.as_micros() + micros));
        let from = || {
            (0_u8..3).prop_map(|number| UsedFrom {
                address: (number > 0).then(|| [192, 0, 2, number].into()),
                agent: (number > 1).then(|| text_of("agent")),
            })
        };
        let key = (select(self.keys.clone()), 1_u32..3, moment(), from()).prop_map(
            |(key, generation, at, from)| ApiKeyUse {
                id: key.id,
                latest: KeyUse { generation, at, from },
            },
        );
        let device =
            (select(self.devices.clone()), moment(), from()).prop_map(|(device, at, from)| DeviceUse {
                id: device.id,
                at,
                from,
            });
        let some = 0..4;
        (
            proptest::collection::vec(key, some.clone()),
            proptest::collection::vec(device, some),
        )
            .prop_map(|(keys, devices)| Event::Use(keys, devices))
    }

    fn change(&self) -> impl Strategy<Value = Change> + use<> {
        let version = || (1_u32..4).prop_map(Version::new);
        let name = || select(vec!["alice", "Alice", "ci", "one"]).prop_map(name_of);
        let moment = || (0_i64..5).prop_map(|micros| Timestamp::from_micros(NOW.as_micros() + micros));
        let users = || select(self.users.clone());
        let (grants, devices) = (self.grants.clone(), self.devices.clone());

        let user =
            (users(), name(), any::<bool>(), version()).prop_map(|(user, name, is_admin, version)| User {
                name,
                is_admin,
                version,
                ..user
            });
        let session = (
            select(self.sessions.clone()),
            users(),
            select(self.sessions.clone()),
            moment(),
        )
            .prop_map(|(session, user, other, expires)| Session {
                user_id: user.id,
                purpose: other.purpose,
                expires,
                ..session
            });
        let state = (users(), select(devices.clone()), 0..3).prop_map(|(user, device, kind)| match kind {
            0 => GrantState::Pending,
            1 => GrantState::Approved {
                by: user.id,
                credentials_gen: 1,
                trusted: true,
                at: NOW,
            },
            _ => GrantState::Exchanged {
                by: user.id,
                device: device.id,
                at: NOW,
            },
        });
        let grant = (
            select(grants.clone()),
            select(grants.clone()),
            select(grants),
            state,
            moment(),
            version(),
        )
            .prop_map(
                |(grant, device_code, user_code, state, expires, version)| DeviceGrant {
                    device_code: device_code.device_code,
                    user_code: user_code.user_code,
                    state,
                    expires,
                    version,
                    ..grant
                },
            );
        let device = (
            select(devices),
            users(),
            select(self.clients.clone()),
            moment(),
            version(),
        )
            .prop_map(|(device, user, client_id, login, version)| Device {
                user_id: user.id,
                client_id,
                last_login: Some(login),
                version,
                ..device
            });
        let account =
            (select(self.accounts.clone()), name(), version()).prop_map(|(account, name, version)| {
                ServiceAccount {
                    name,
                    version,
                    ..account
                }
            });
        let key = (
            select(self.keys.clone()),
            select(self.accounts.clone()),
            name(),
            version(),
        )
            .prop_map(|(key, account, name, version)| ApiKey {
                service_account_id: account.id,
                name,
                version,
                ..key
            });
        let signing_key = (
            select(self.signing_keys.clone()),
            proptest::option::of(moment()),
            version(),
        )
            .prop_map(|(key, retired_until, version)| SigningKey {
                retired_until,
                version,
                ..key
            });

        let insert = 0..3;
        let users = (user, insert.clone()).prop_map(|(user, kind)| match kind {
            0 => Change::InsertUser(User {
                version: Version::FIRST,
                ..user
            }),
            1 => Change::UpdateUser(user),
            _ => Change::DeleteUser(user.id, user.version),
        });
        let sessions = (session, any::<bool>()).prop_map(|(session, insert)| match insert {
            true => Change::InsertSession(session),
            false => Change::DeleteSession(session.id, session.version),
        });
        let grants = (grant, any::<bool>()).prop_map(|(grant, insert)| match insert {
            true => Change::InsertGrant(DeviceGrant {
                version: Version::FIRST,
                ..grant
            }),
            false => Change::UpdateGrant(grant),
        });
        let devices = (device, insert.clone()).prop_map(|(device, kind)| match kind {
            0 => Change::InsertDevice(Device {
                version: Version::FIRST,
                ..device
            }),
            1 => Change::UpdateDevice(device),
            _ => Change::DeleteDevice(device.id, device.version),
        });
        let accounts = (account, insert.clone()).prop_map(|(account, kind)| match kind {
            0 => Change::InsertServiceAccount(ServiceAccount {
                version: Version::FIRST,
                ..account
            }),
            1 => Change::UpdateServiceAccount(account),
            _ => Change::DeleteServiceAccount(account.id, account.version),
        });
        let keys = (key, insert).prop_map(|(key, kind)| match kind {
            0 => Change::InsertApiKey(ApiKey {
                version: Version::FIRST,
                ..key
            }),
            1 => Change::UpdateApiKey(key),
            _ => Change::DeleteApiKey(key.id, key.version),
        });
        let signing_keys = (signing_key, 0..3).prop_map(|(key, kind)| match kind {
            0 => Change::InsertSigningKey(SigningKey {
                version: Version::FIRST,
                ..key
            }),
            1 => Change::UpdateSigningKey(key),
            _ => Change::DeleteSigningKey(key.id, key.version),
        });
        let guards =
            (select(Guard::ALL), version()).prop_map(|(guard, version)| Change::Guard(guard, version));
        let entries = (select(self.entries.clone()), moment())
            .prop_map(|(entry, at)| Change::Audit(AuditEvent { at, ..entry }));
        let server = any::<bool>().prop_map(|insert| match insert {
            true => Change::InsertServer(Builders::new().server()),
            false => {
                let server = Builders::new().server();
                let secret = KeptSecret::Plain([7; 32].into());
                Change::UpdateServer(ServerIdentity { secret, ..server })
            }
        });
        prop_oneof![
            4 => users,
            2 => sessions,
            4 => grants,
            4 => devices,
            2 => accounts,
            4 => keys,
            1 => signing_keys,
            1 => guards,
            1 => entries,
            1 => server,
        ]
    }

    /// Everything that can be read, as text.
    pub(crate) async fn read(&self, store: &dyn Store) -> Vec<String> {
        let mut all = vec![
            format!("{:?}", store.server().await.unwrap()),
            format!("{:?}", store.signing_keys().await.unwrap()),
            format!("{:?}", store.list_users(&Query::default(), None).await.unwrap()),
            format!(
                "{:?}",
                store.list_service_accounts(&Query::default()).await.unwrap()
            ),
            format!("{:?}", store.count_administrators().await.unwrap()),
            format!("{:?}", store.list_audit_events(&Query::default()).await.unwrap()),
        ];
        for hash in &self.hashes {
            all.push(format!("{:?}", store.failures(hash).await.unwrap()));
            all.push(format!("{:?}", store.network_seen(hash).await.unwrap()));
        }
        for guard in Guard::ALL {
            all.push(format!("{:?}", store.guard(*guard).await.unwrap()));
        }
        for session in &self.sessions {
            all.push(format!("{:?}", store.session(session.id).await.unwrap()));
            if let SessionPurpose::Browser { cookie } = &session.purpose {
                all.push(format!("{:?}", store.session_by_cookie(cookie).await.unwrap()));
            }
        }
        for grant in &self.grants {
            all.push(format!("{:?}", store.grant(grant.id).await.unwrap()));
            all.push(format!(
                "{:?}",
                store.grant_by_user_code(&grant.user_code).await.unwrap()
            ));
        }
        for user in &self.users {
            all.push(format!("{:?}", store.user(user.id).await.unwrap()));
            all.push(format!(
                "{:?}",
                store.user_by_name(user.name.as_str()).await.unwrap()
            ));
            all.push(format!(
                "{:?}",
                store.list_devices(&Query::default(), user.id).await.unwrap()
            ));
            for client in &self.clients {
                all.push(format!("{:?}", store.device_of(*client, user.id).await.unwrap()));
                all.push(format!("{:?}", store.client_is_known(*client).await.unwrap()));
            }
        }
        for account in &self.accounts {
            all.push(format!(
                "{:?}",
                store.list_api_keys(&Query::default(), account.id).await.unwrap()
            ));
            all.push(format!(
                "{:?}",
                store.api_key_by_name(account.id, "one").await.unwrap()
            ));
        }
        for key in &self.keys {
            // Of those at the same moment, any may come first.
            let mut uses: Vec<_> = store
                .api_key_uses(key.id)
                .await
                .unwrap()
                .iter()
                .map(|user| format!("{user:?}"))
                .collect();
            uses.sort_unstable();
            all.push(uses.join("; "));
        }
        all
    }
}

/// One thing that happens to a store.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Commit(Vec<Change>),
    /// Everything goes that ended before so many microseconds after the beginning.
    Purge(i64),
    /// So does what the audit trail holds of that time.
    PurgeAudit(i64),
    /// Something is used.
    Use(Vec<ApiKeyUse>, Vec<DeviceUse>),
    /// Sessions are used.
    UseSessions(Vec<SessionUse>),
    /// An attempt to sign in fails, after those up to a moment were forgotten.
    Fail(SecretHash, Timestamp, Timestamp),
    /// One succeeds.
    Forget(SecretHash),
    /// It came from a network.
    SignIn(FamiliarNetwork),
}

pub(crate) fn event(cast: &Cast) -> impl Strategy<Value = Event> + use<> {
    let commit = proptest::collection::vec(cast.change(), 1..4).prop_map(Event::Commit);
    prop_oneof![
        12 => commit,
        1 => (0_i64..6).prop_map(Event::Purge),
        1 => (0_i64..6).prop_map(Event::PurgeAudit),
        3 => cast.uses(),
        2 => cast.attempts(),
    ]
}

/// What comes of an event. When several things are taken, each store may name another one.
pub(crate) async fn outcome(store: &dyn Store, event: &Event) -> Result<String, String> {
    let said = |done: Result<(), StoreError>| {
        done.map(|()| "done".to_owned())
            .map_err(|error| error.to_string())
    };
    let counted = |gone: Result<u64, StoreError>| {
        gone.map(|gone| format!("{gone} gone"))
            .map_err(|error| error.to_string())
    };
    let before = |micros: &i64| Timestamp::from_micros(NOW.as_micros() + micros);
    match event {
        Event::Commit(changes) => {
            let set = changes.iter().cloned().fold(ChangeSet::new(), ChangeSet::with);
            match store.commit(set).await {
                Ok(()) => Ok("made".to_owned()),
                Err(CommitError::Taken(_)) => Err("taken".to_owned()),
                Err(refused) => Err(refused.to_string()),
            }
        }
        Event::Use(keys, devices) => said(store.note_uses(keys, devices).await),
        Event::UseSessions(sessions) => said(store.note_session_uses(sessions).await),
        Event::Fail(key, at, forgotten) => said(store.count_failure(key, *at, *forgotten).await),
        Event::Forget(key) => said(store.forget_failures(key).await),
        Event::SignIn(network) => said(store.note_network(network).await),
        Event::Purge(micros) => counted(store.purge(PurgeBefore::all(before(micros)), 1000).await),
        Event::PurgeAudit(micros) => counted(store.purge_audit(before(micros), 1000).await),
    }
}
