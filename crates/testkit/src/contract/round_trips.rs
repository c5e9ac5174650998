//! What is put in comes out, with every optional field set and unset.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use zenml_auth_core::ports::{Change, CommitError, Store};
use zenml_auth_model::audit::{
    About, ChangedField, FieldChange, FieldValue, RefusalReason, Refusals, RequestFacts, ValueChange,
};
use zenml_auth_model::query::{AuditField, Page, PageRequest, Query};
use zenml_auth_model::{
    Action, Actor, ApiKey, ApiKeyId, AuditEvent, CredentialRef, DenialReason, Details, Device, DeviceGrant,
    DeviceId, DeviceState, DeviceTraits, EncryptionKeyId, GrantState, Invitation, KeptSecret, KeyGeneration,
    Origin, PasswordHash, Polling, RetainedKey, Sealed, ServerIdentity, ServiceAccount, Session, SessionId,
    SessionPurpose, SigningKey, Target, TargetKind, Text, Timestamp, UsedFrom, User, Version,
};

use super::{attempt, make, make_all};
use crate::builders::{Builders, NOW, name_of, text_of};

/// Letters beyond ASCII and beyond 16 bits, quotes, and what SQL takes for wildcards.
pub(super) const TRICKY: &str = "Ünïcode 🚀👩‍🔬 'quoted' \"twice\" 100% a_b \\ back; -- ";

fn tricky() -> Option<Text> {
    Some(text_of(TRICKY))
}

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

pub(super) async fn server_comes_back(store: Arc<dyn Store>) {
    let server = Builders::new().server();
    assert_eq!(store.server().await.unwrap(), None);
    make(&*store, Change::InsertServer(server.clone())).await;
    assert_eq!(store.server().await.unwrap(), Some(server));
}

pub(super) async fn how_the_servers_secret_is_kept_changes(store: Arc<dyn Store>) {
    let build = Builders::new();
    let server = build.server();
    let change = |secret: KeptSecret| {
        Change::UpdateServer(ServerIdentity {
            secret,
            created: after(1),
            ..server.clone()
        })
    };
    let kept = [
        build.sealed().into(),
        KeptSecret::Plain([7; 32].into()),
        // The longest there can be.
        Sealed {
            key: EncryptionKeyId::new("k".repeat(64)).unwrap(),
            bytes: vec![255; 255],
        }
        .into(),
        build.sealed().into(),
    ];
    assert!(matches!(
        attempt(&*store, change(build.sealed().into())).await,
        Err(CommitError::Stale)
    ));
    make(&*store, Change::InsertServer(server.clone())).await;
    for secret in kept {
        // Twice, as the second changes nothing.
        for _ in 0..2 {
            make(&*store, change(secret.clone())).await;
            let expected = ServerIdentity {
                secret: secret.clone(),
                ..server.clone()
            };
            assert_eq!(store.server().await.unwrap(), Some(expected));
        }
    }
    let other = Change::UpdateServer(build.server());
    assert!(matches!(attempt(&*store, other).await, Err(CommitError::Stale)));
}

pub(super) async fn signing_keys_come_back_oldest_first(store: Arc<dyn Store>) {
    let build = Builders::new();
    let middle = SigningKey {
        created: after(2),
        retired_until: Some(after(90)),
        ..build.signing_key()
    };
    let newest = SigningKey {
        // As releases before sealing have left it.
        seed: KeptSecret::Plain([7; 32].into()),
        created: after(3),
        ..build.signing_key()
    };
    let oldest = SigningKey {
        created: after(1),
        retired_until: Some(Timestamp::MAX),
        ..build.signing_key()
    };
    for key in [&middle, &newest, &oldest] {
        make(&*store, Change::InsertSigningKey(key.clone())).await;
    }
    assert_eq!(
        store.signing_keys().await.unwrap(),
        [oldest.clone(), middle.clone(), newest.clone()]
    );

    let retired = SigningKey {
        retired_until: Some(after(99)),
        ..newest.clone()
    };
    make(&*store, Change::UpdateSigningKey(retired.clone())).await;
    let retired = SigningKey {
        version: newest.version.next(),
        ..retired
    };
    assert_eq!(store.signing_keys().await.unwrap(), [oldest, middle, retired]);
}

pub(super) async fn users_come_back(store: Arc<dyn Store>) {
    let build = Builders::new();
    let plain = User {
        password: None,
        password_changed: None,
        ..build.user("plain")
    };
    let full = User {
        full_name: text_of(TRICKY),
        email: tricky(),
        email_opted_in: Some(false),
        active: false,
        is_admin: true,
        password: Some(PasswordHash::from_phc("$argon2id$🚀".to_owned())),
        password_changed: Some(after(7)),
        invitation: Some(Invitation {
            token: build.hash(),
            expires: after(72 * 3600),
        }),
        credentials_gen: 42,
        metadata: Some(r#"{"key": "🚀", "nested": {"n": [1, null]}}"#.to_owned()),
        default_project_id: Some(build.uuid()),
        avatar_url: tricky(),
        created: after(1),
        updated: after(2),
        version: Version::new(7),
        ..build.user("Ünïcode 🚀 'quoted' 100%")
    };
    make_all(
        &*store,
        [
            Change::InsertUser(plain.clone()),
            Change::InsertUser(full.clone()),
        ],
    )
    .await;
    for user in [&plain, &full] {
        assert_eq!(store.user(user.id).await.unwrap().as_ref(), Some(user));
        assert_eq!(
            store.user_by_name(user.name.as_str()).await.unwrap().as_ref(),
            Some(user)
        );
    }

    // Each takes over what the other had, so that every field changes, to and from nothing.
    let filled = User {
        id: plain.id,
        name: name_of("filled"),
        version: plain.version,
        ..full.clone()
    };
    let emptied = User {
        id: full.id,
        name: name_of("emptied"),
        version: full.version,
        ..plain.clone()
    };
    make_all(
        &*store,
        [
            Change::UpdateUser(filled.clone()),
            Change::UpdateUser(emptied.clone()),
        ],
    )
    .await;
    for user in [filled, emptied] {
        let expected = User {
            version: user.version.next(),
            ..user
        };
        assert_eq!(store.user(expected.id).await.unwrap(), Some(expected));
    }
    assert_eq!(store.user_by_name("plain").await.unwrap(), None);
}

pub(super) async fn sessions_come_back(store: Arc<dyn Store>) {
    let build = Builders::new();
    let user = build.user("alice");
    let browser = Session {
        credentials_gen: 3,
        authenticated: NOW - Duration::from_secs(60),
        last_active: NOW + Duration::from_secs(60),
        version: Version::new(2),
        ..build.session(&user)
    };
    let api = Session {
        purpose: SessionPurpose::Api,
        ..build.session(&user)
    };
    let other_api = Session {
        purpose: SessionPurpose::Api,
        ..build.session(&user)
    };
    let sessions = [&browser, &api, &other_api];
    make(&*store, Change::InsertUser(user)).await;
    make_all(
        &*store,
        sessions.map(|session| Change::InsertSession(session.clone())),
    )
    .await;
    for session in sessions {
        assert_eq!(store.session(session.id).await.unwrap().as_ref(), Some(session));
    }
    let SessionPurpose::Browser { cookie } = browser.purpose else {
        unreachable!("it is a browser's")
    };
    assert_eq!(store.session_by_cookie(&cookie).await.unwrap(), Some(browser));
    assert_eq!(store.session_by_cookie(&build.hash()).await.unwrap(), None);
}

pub(super) async fn grants_come_back(store: Arc<dyn Store>) {
    let build = Builders::new();
    let user = build.user("alice");
    make(&*store, Change::InsertUser(user.clone())).await;
    let states = [
        GrantState::Pending,
        GrantState::Approved {
            by: user.id,
            credentials_gen: u32::MAX,
            trusted: true,
            at: after(1),
        },
        GrantState::Approved {
            by: user.id,
            credentials_gen: 0,
            trusted: false,
            at: after(2),
        },
        GrantState::Denied {
            reason: DenialReason::ByUser,
            at: after(3),
        },
        GrantState::Denied {
            reason: DenialReason::TooManyAttempts,
            at: after(4),
        },
        // The device does not have to be there any more.
        GrantState::Exchanged {
            by: user.id,
            device: DeviceId::from_uuid(build.uuid()),
            at: after(5),
        },
    ];
    for state in states {
        let tricky_traits = DeviceTraits {
            hostname: tricky(),
            os: tricky(),
            ip_address: tricky(),
            python_version: tricky(),
            zenml_version: tricky(),
        };
        let grant = DeviceGrant {
            traits: tricky_traits,
            polling: Polling {
                interval: Duration::from_micros(5_000_001),
                last: Some(after(6)),
            },
            failed_attempts: 2,
            state,
            updated: after(7),
            version: Version::new(9),
            ..build.grant()
        };
        make(&*store, Change::InsertGrant(grant.clone())).await;
        assert_eq!(store.grant(grant.id).await.unwrap().as_ref(), Some(&grant));
        assert_eq!(
            store.grant_by_user_code(&grant.user_code).await.unwrap().as_ref(),
            Some(&grant)
        );

        // From each state to each other one and back, so that nothing of an old state is left over.
        let mut stored = grant;
        for next in states.into_iter().flat_map(|next| [next, state]) {
            let traits = if next == state {
                stored.traits.clone()
            } else {
                DeviceTraits::default()
            };
            let polling = Polling {
                last: None,
                ..stored.polling
            };
            let update = DeviceGrant {
                state: next,
                traits,
                polling,
                ..stored
            };
            make(&*store, Change::UpdateGrant(update.clone())).await;
            stored = DeviceGrant {
                version: update.version.next(),
                ..update
            };
            assert_eq!(store.grant(stored.id).await.unwrap().as_ref(), Some(&stored));
        }
    }
}

pub(super) async fn devices_come_back(store: Arc<dyn Store>) {
    let build = Builders::new();
    let user = build.user("alice");
    let full = Device {
        state: DeviceState::Locked,
        trusted: false,
        traits: DeviceTraits {
            hostname: tricky(),
            ..build.traits()
        },
        token_gen: 9,
        last_login: Some(after(8)),
        last_used_from: UsedFrom {
            address: Some("2001:db8::8".parse().unwrap()),
            agent: tricky(),
        },
        version: Version::new(5),
        ..build.device(&user)
    };
    let plain = Device {
        traits: DeviceTraits::default(),
        last_login: None,
        ..build.device(&user)
    };
    make(&*store, Change::InsertUser(user.clone())).await;
    for device in [&full, &plain] {
        make(&*store, Change::InsertDevice(device.clone())).await;
        assert_eq!(store.device(device.id).await.unwrap().as_ref(), Some(device));
        let found = store.device_of(device.client_id, user.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(device));
    }
    let filled = Device {
        id: plain.id,
        client_id: build.client(),
        version: plain.version,
        ..full.clone()
    };
    make(&*store, Change::UpdateDevice(filled.clone())).await;
    let filled = Device {
        version: filled.version.next(),
        ..filled
    };
    assert_eq!(
        store.device_of(filled.client_id, user.id).await.unwrap().as_ref(),
        Some(&filled)
    );
    assert_eq!(store.device_of(plain.client_id, user.id).await.unwrap(), None);
}

pub(super) async fn service_accounts_come_back(store: Arc<dyn Store>) {
    let build = Builders::new();
    let plain = build.service_account("plain");
    let full = ServiceAccount {
        full_name: text_of(TRICKY),
        description: text_of("two\nlines\tand 🚀"),
        avatar_url: tricky(),
        active: false,
        updated: after(2),
        version: Version::new(3),
        ..build.service_account("🚀")
    };
    for account in [&plain, &full] {
        make(&*store, Change::InsertServiceAccount(account.clone())).await;
        assert_eq!(
            store.service_account(account.id).await.unwrap().as_ref(),
            Some(account)
        );
        let found = store
            .service_account_by_name(account.name.as_str())
            .await
            .unwrap();
        assert_eq!(found.as_ref(), Some(account));
    }
    let filled = ServiceAccount {
        id: plain.id,
        name: name_of("filled"),
        version: plain.version,
        ..full
    };
    make(&*store, Change::UpdateServiceAccount(filled.clone())).await;
    let filled = ServiceAccount {
        version: filled.version.next(),
        ..filled
    };
    assert_eq!(store.service_account(plain.id).await.unwrap(), Some(filled));
}

pub(super) async fn api_keys_come_back(store: Arc<dyn Store>) {
    let build = Builders::new();
    let account = build.service_account("ci");
    let plain = build.api_key(&account, "plain");
    let full = ApiKey {
        description: text_of(TRICKY),
        active: false,
        current: KeyGeneration {
            number: 12,
            hash: build.hash(),
        },
        retained: Some(RetainedKey {
            generation: KeyGeneration {
                number: 11,
                hash: build.hash(),
            },
            until: after(60),
        }),
        retain_period_minutes: 60,
        expires: Some(after(1000)),
        last_login: Some(after(1)),
        last_used_from: UsedFrom {
            address: Some("192.0.2.1".parse().unwrap()),
            agent: tricky(),
        },
        last_rotated: Some(after(2)),
        updated: after(3),
        version: Version::new(4),
        ..build.api_key(&account, "🚀")
    };
    make(&*store, Change::InsertServiceAccount(account.clone())).await;
    for key in [&plain, &full] {
        make(&*store, Change::InsertApiKey(key.clone())).await;
        assert_eq!(store.api_key(key.id).await.unwrap().as_ref(), Some(key));
        let found = store
            .api_key_by_name(account.id, key.name.as_str())
            .await
            .unwrap();
        assert_eq!(found.as_ref(), Some(key));
    }
    let filled = ApiKey {
        id: plain.id,
        name: name_of("filled"),
        version: plain.version,
        ..full.clone()
    };
    make(&*store, Change::UpdateApiKey(filled.clone())).await;
    let filled = ApiKey {
        version: filled.version.next(),
        ..filled
    };
    assert_eq!(store.api_key(plain.id).await.unwrap(), Some(filled));

    let retention_over = ApiKey {
        retained: None,
        expires: None,
        last_rotated: None,
        ..full
    };
    make(&*store, Change::UpdateApiKey(retention_over.clone())).await;
    let retention_over = ApiKey {
        version: retention_over.version.next(),
        ..retention_over
    };
    assert_eq!(
        store.api_key(retention_over.id).await.unwrap().as_ref(),
        Some(&retention_over)
    );
}

pub(super) async fn audit_events_come_back(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (user, account) = (build.user("alice"), build.service_account("ci"));
    let device = build.device(&user);
    let key = build.api_key(&account, "key");
    let session = SessionId::from_uuid(build.uuid());
    let actors = [
        (
            Actor::User {
                id: user.id,
                name: user.name.clone(),
            },
            Some(CredentialRef::Device(device.id)),
        ),
        (
            Actor::User {
                id: user.id,
                name: user.name.clone(),
            },
            Some(CredentialRef::Session(session)),
        ),
        (
            Actor::ServiceAccount {
                id: account.id,
                name: account.name.clone(),
            },
            Some(CredentialRef::ApiKey(key.id)),
        ),
        (Actor::Anonymous, None),
        (Actor::Operator, None),
        (Actor::Server, None),
    ];
    let addresses: [Option<IpAddr>; 3] = [
        None,
        Some("192.0.2.7".parse().unwrap()),
        Some("2001:db8::7".parse().unwrap()),
    ];

    let details = every_kind_of_details(&build);
    assert!(
        details.len() < Action::ALL.len(),
        "all of them are stored, and none"
    );

    // Nobody that is named here has a row: the trail outlives them.
    let mut expected = Vec::new();
    let kinds = TargetKind::ALL.iter().cycle();
    for ((number, action), kind) in (0..).zip(Action::ALL).zip(kinds) {
        let (actor, credential) = actors[number % actors.len()].clone();
        let full = number % 2 == 0;
        expected.push(AuditEvent {
            at: after(u64::try_from(number).unwrap()),
            actor,
            credential,
            target: Target {
                kind: *kind,
                id: build.uuid(),
                name: full.then(|| text_of(TRICKY)),
            },
            origin: Origin {
                address: addresses[number % addresses.len()],
                request_id: full.then(|| text_of("0123-abcd")),
                user_agent: full.then(|| text_of("Host/laptop ZenML/0.98.0 🚀")),
            },
            details: details.get(number).cloned(),
            ..build.audit_event(*action)
        });
    }
    make_all(&*store, expected.iter().cloned().map(Change::Audit)).await;
    let query = Query::<AuditField> {
        page: PageRequest::new(1, 1000).unwrap(),
        ..Query::default()
    };
    let total = u64::try_from(expected.len()).unwrap();
    let page = Page {
        items: expected,
        total,
        request: query.page,
    };
    assert_eq!(store.list_audit_events(&query).await.unwrap(), page);
}

fn every_kind_of_details(build: &Builders) -> Vec<Details> {
    let told = |before, after| FieldChange {
        field: ChangedField::FullName,
        change: ValueChange::Told { before, after },
    };
    let refused = Refusals {
        reason: RefusalReason::WrongPassword,
        times: u64::from(u32::MAX) + 1,
        first: after(1),
        last: after(2),
        about: About::Target,
        many_networks: false,
        unknown_names: None,
        unknown_key: None,
    };
    let until = after(3);
    let request = RequestFacts {
        at: until,
        traits: DeviceTraits {
            hostname: Some(text_of(TRICKY)),
            ..DeviceTraits::default()
        },
    };
    vec![
        Details::Note(text_of("retained for 60 minutes")),
        Details::Note(text_of(TRICKY)),
        Details::Changes(Vec::new()),
        Details::Changes(vec![
            told(FieldValue::Missing, FieldValue::Flag(true)),
            // As much as an update of one field adds to the trail.
            told(
                FieldValue::text(&"\u{1}🚀".repeat(1000)),
                FieldValue::text(TRICKY),
            ),
            FieldChange::untold(ChangedField::Password),
        ]),
        Details::UserCreated {
            administrator: true,
            invited_until: Some(until),
        },
        Details::Invited { until },
        Details::Trust { trusted: false },
        Details::WrongCode {
            attempt: 1,
            most: 3,
            request: Some(request.clone()),
        },
        request.decided(Some(false)),
        Details::Requests {
            times: 7,
            refused: 2,
            first: after(1),
            last: until,
            of_other_networks: false,
        },
        Details::SealedUnder {
            key: EncryptionKeyId::new("2026-11").unwrap(),
        },
        Details::Purged {
            entries: 12,
            kept_days: 365,
        },
        Details::Rotated {
            old_value_until: Some(until),
        },
        Details::Rotated {
            old_value_until: None,
        },
        Details::TokenIssued { expires: until },
        Details::Refused(Refusals {
            about: About::Unknown,
            many_networks: true,
            unknown_names: Some(1000),
            unknown_key: Some(ApiKeyId::from_uuid(build.uuid())),
            ..refused.clone()
        }),
        Details::Refused(refused),
    ]
}

pub(super) async fn extremes_come_back(store: Arc<dyn Store>) {
    let build = Builders::new();
    let user = User {
        credentials_gen: u32::MAX,
        password_changed: Some(Timestamp::MIN),
        created: Timestamp::MIN,
        updated: Timestamp::MAX,
        version: Version::new(u32::MAX),
        ..build.user("extreme")
    };
    let grant = DeviceGrant {
        polling: Polling {
            interval: Duration::from_secs(100 * 365 * 24 * 3600),
            last: Some(Timestamp::UNIX_EPOCH),
        },
        failed_attempts: u32::MAX,
        created: Timestamp::from_micros(-1),
        expires: Timestamp::MAX,
        ..build.grant()
    };
    make_all(
        &*store,
        [
            Change::InsertUser(user.clone()),
            Change::InsertGrant(grant.clone()),
        ],
    )
    .await;
    assert_eq!(store.user(user.id).await.unwrap(), Some(user));
    assert_eq!(store.grant(grant.id).await.unwrap(), Some(grant));
}

pub(super) async fn nothing_is_found_in_an_empty_store(store: Arc<dyn Store>) {
    let build = Builders::new();
    let (user, account) = (build.user("alice"), build.service_account("ci"));
    let (device, grant) = (build.device(&user), build.grant());
    store.ping().await.unwrap();
    assert_eq!(store.signing_keys().await.unwrap(), []);
    assert_eq!(store.user(user.id).await.unwrap(), None);
    assert_eq!(store.user_by_name("alice").await.unwrap(), None);
    assert_eq!(store.session(build.session(&user).id).await.unwrap(), None);
    assert_eq!(store.grant(grant.id).await.unwrap(), None);
    assert_eq!(store.grant_by_user_code(&grant.user_code).await.unwrap(), None);
    assert_eq!(store.device(device.id).await.unwrap(), None);
    assert_eq!(store.device_of(device.client_id, user.id).await.unwrap(), None);
    assert_eq!(store.service_account(account.id).await.unwrap(), None);
    assert_eq!(store.service_account_by_name("ci").await.unwrap(), None);
    assert_eq!(
        store.api_key(build.api_key(&account, "key").id).await.unwrap(),
        None
    );
    assert_eq!(store.api_key_by_name(account.id, "key").await.unwrap(), None);
    assert!(!store.client_is_known(build.client()).await.unwrap());
    assert_eq!(store.list_users(&Query::default(), None).await.unwrap().total, 0);
    assert_eq!(
        store
            .list_devices(&Query::default(), user.id)
            .await
            .unwrap()
            .total,
        0
    );
    assert_eq!(
        store
            .list_service_accounts(&Query::default())
            .await
            .unwrap()
            .total,
        0
    );
    assert_eq!(
        store
            .list_api_keys(&Query::default(), account.id)
            .await
            .unwrap()
            .total,
        0
    );
    assert_eq!(store.list_audit_events(&Query::default()).await.unwrap().total, 0);
}

pub(super) async fn clients_are_known_by_grants_and_devices(store: Arc<dyn Store>) {
    let build = Builders::new();
    let user = build.user("alice");
    let (grant, device) = (build.grant(), build.device(&user));
    let changes = [
        Change::InsertUser(user),
        Change::InsertGrant(grant.clone()),
        Change::InsertDevice(device.clone()),
    ];
    make_all(&*store, changes).await;
    assert!(store.client_is_known(grant.client_id).await.unwrap());
    assert!(store.client_is_known(device.client_id).await.unwrap());
    assert!(!store.client_is_known(build.client()).await.unwrap());
    // Anybody can make a request. A device says more.
    assert!(!store.client_has_device(grant.client_id).await.unwrap());
    assert!(store.client_has_device(device.client_id).await.unwrap());
    make(&*store, Change::DeleteDevice(device.id, device.version)).await;
    assert!(!store.client_is_known(device.client_id).await.unwrap());
}

pub(super) async fn administrators_are_counted(store: Arc<dyn Store>) {
    let build = Builders::new();
    let administrator = |name: &str| User {
        is_admin: true,
        ..build.user(name)
    };
    let counted = administrator("counted");
    let users = [
        counted.clone(),
        administrator("counted too"),
        User {
            active: false,
            ..administrator("inactive")
        },
        User {
            password: None,
            ..administrator("invited")
        },
        build.user("nobody"),
    ];
    assert_eq!(store.count_administrators().await.unwrap(), 0);
    make_all(&*store, users.map(Change::InsertUser)).await;
    assert_eq!(store.count_administrators().await.unwrap(), 2);
    make(
        &*store,
        Change::UpdateUser(User {
            is_admin: false,
            ..counted
        }),
    )
    .await;
    assert_eq!(store.count_administrators().await.unwrap(), 1);
}
