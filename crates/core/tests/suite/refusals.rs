//! What strangers fail at, in the audit trail: told, counted, and bounded.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use zenml_auth_core::caller::Caller;
use zenml_auth_core::services::{NewServiceAccount, UserCode};
use zenml_auth_core::settings::Settings;
use zenml_auth_model::audit::{About, RefusalReason, Refusals};
use zenml_auth_model::query::{AuditField, Condition, Operator, PageRequest, Query};
use zenml_auth_model::{Action, Actor, ApiKeyId, AuditEvent, Details, Origin, Secret, TargetKind, Text};

use crate::common::{PASSWORD, World, client, name, traits};

const MINUTE: Duration = Duration::from_secs(60);

fn from(address: impl Into<IpAddr>) -> Origin {
    Origin {
        address: Some(address.into()),
        ..Origin::default()
    }
}

fn network(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + number)
}

async fn fail(world: &World, user: &str, origin: &Origin) {
    let wrong = Secret::new("wrong");
    let failed = world.engine.sign_in().with_password(user, wrong, origin).await;
    assert!(failed.is_err());
}

/// What the trail has of the actions that begin so, in the order in which it was written.
async fn trail(world: &World, action: &str) -> Vec<AuditEvent> {
    let query = Query {
        conditions: vec![
            Condition::new(AuditField::Action, Operator::StartsWith, &[action.to_owned()]).unwrap(),
        ],
        page: PageRequest::new(1, 10_000).unwrap(),
        ..Query::default()
    };
    world
        .engine
        .audit()
        .list(&Caller::operator(), &query)
        .await
        .unwrap()
        .items
}

async fn flush(world: &World) {
    world.engine.maintenance().flush_refusals().await.unwrap();
}

fn told(event: &AuditEvent) -> &Refusals {
    match &event.details {
        Some(Details::Refused(refusals)) => refusals,
        other => panic!("not about refusals: {other:?}"),
    }
}

#[tokio::test]
async fn a_failed_sign_in_is_told_with_account_and_address() {
    let world = World::unlimited(1).await;
    let ann = world.add_user("ann", false).await;
    let at = world.engine.now();
    fail(&world, "ann", &from(network(1))).await;
    assert_eq!(
        trail(&world, "sign_in").await.len(),
        0,
        "not while somebody waits"
    );
    flush(&world).await;
    let trail = trail(&world, "sign_in").await;
    let [event] = &trail[..] else { panic!("{trail:?}") };
    assert_eq!(
        (event.action, &event.actor),
        (Action::SignInFailed, &Actor::Anonymous)
    );
    assert_eq!(
        (event.target.kind, event.target.id),
        (TargetKind::User, ann.id.as_uuid())
    );
    assert_eq!(event.target.name.as_ref().map(Text::as_str), Some("ann"));
    assert_eq!(event.origin.address, Some(network(1).into()));
    assert_eq!(
        told(event),
        &Refusals {
            reason: RefusalReason::WrongPassword,
            times: 1,
            first: at,
            last: at,
            about: About::Target,
            many_networks: false,
            unknown_names: None,
            unknown_key: None,
        }
    );
}

#[tokio::test]
async fn failures_add_up_and_none_is_lost() {
    let world = World::unlimited(2).await;
    world.add_user("ann", false).await;
    let mut failures = 0;
    // Five hours of a failure a second, but for a tenth of them.
    for second in 0..5 * 60 * 60_u64 {
        if second % 10 == 0 {
            fail(&world, "ann", &from(network(1))).await;
            failures += 1;
        }
        if second % 5 == 0 {
            flush(&world).await;
        }
        world.clock.advance(Duration::from_secs(1));
    }
    world.engine.maintenance().flush_all_refusals().await.unwrap();
    let trail = trail(&world, "sign_in.failed").await;
    assert_eq!(trail.iter().map(|event| told(event).times).sum::<u64>(), failures);
    // At once, after a minute, after ten, each hour, and when it stops.
    assert_eq!(trail.len(), 8, "{trail:#?}");
    let waits: Vec<_> = trail
        .windows(2)
        .map(|pair| pair[1].at.since(pair[0].at).as_secs() / 60)
        .collect();
    assert_eq!(waits[..6], [1, 10, 60, 60, 60, 60]);
    assert!(told(&trail[3]).last.since(told(&trail[3]).first) > 50 * MINUTE);
    // Somebody who comes back after a quiet hour is told at once again.
    world.clock.advance(61 * MINUTE);
    flush(&world).await;
    fail(&world, "ann", &from(network(1))).await;
    flush(&world).await;
    assert_eq!(self::trail(&world, "sign_in.failed").await.len(), 9);
}

#[tokio::test]
async fn unknown_names_are_counted_and_not_kept() {
    let world = World::unlimited(3).await;
    // A password in the field for the name, and a list of names.
    for tried in ["hunter2-hunter2", "root", "root", "admin"] {
        fail(&world, tried, &from(network(1))).await;
    }
    flush(&world).await;
    let trail = trail(&world, "").await;
    let event = trail
        .iter()
        .find(|event| event.action == Action::SignInFailed)
        .unwrap();
    assert_eq!(
        (told(event).reason, told(event).about, told(event).times),
        (RefusalReason::UnknownAccount, About::Unknown, 4)
    );
    assert_eq!(told(event).unknown_names, Some(3));
    assert_eq!(event.target.kind, TargetKind::Server);
    assert!(!format!("{trail:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_flood_is_bounded_and_counted_to_the_last() {
    let world = World::unlimited(4).await;
    world.add_user("ann", false).await;
    // A fourth of them on an account that exists; each from a network of its own.
    let networks = 30_000_u32;
    let unknown = ApiKeyId::from_random([9; 16]);
    for number in 0..networks {
        let origin = from(network(number));
        if number % 4 == 0 && number < 4000 {
            fail(&world, "ann", &origin).await;
        } else {
            let refused = world
                .engine
                .sign_in()
                .with_api_key(unknown, &Secret::new("x"), &origin)
                .await;
            assert!(refused.is_err());
        }
    }
    let minutes = 30;
    for _ in 0..minutes {
        for _ in 0..3 {
            flush(&world).await;
        }
        world.clock.advance(MINUTE);
    }
    let before = trail(&world, "").await;
    let written = before
        .iter()
        .filter(|event| matches!(event.details, Some(Details::Refused(_))));
    assert!(written.count() <= 60 * minutes, "at most sixty in a minute");
    let of_ann = before
        .iter()
        .filter(|event| event.action == Action::SignInFailed)
        .map(|event| told(event).times);
    assert_eq!(of_ann.sum::<u64>(), 1000, "what exists comes first");
    assert!(
        before
            .iter()
            .any(|event| event.action == Action::SignInFailed && told(event).many_networks)
    );

    world.engine.maintenance().flush_all_refusals().await.unwrap();
    let all = trail(&world, "").await;
    let refused: Vec<_> = all
        .iter()
        .filter(|event| matches!(event.details, Some(Details::Refused(_))))
        .collect();
    let times: u64 = refused.iter().map(|event| told(event).times).sum();
    assert_eq!(times, u64::from(networks));
    assert!(all.len() - before.len() < 300, "{} at the end", all.len());
}

#[tokio::test]
async fn what_is_turned_away_is_told() {
    let world = World::new(5, Settings::default()).await;
    let ann = world.add_user("ann", false).await;
    let origin = from(network(1));
    for _ in 0..15 {
        fail(&world, "ann", &origin).await;
    }
    for _ in 0..12 {
        fail(&world, "nobody", &origin).await;
    }
    flush(&world).await;
    let failed = trail(&world, "sign_in.failed").await;
    assert_eq!(failed.iter().map(|event| told(event).times).sum::<u64>(), 20);
    let turned_away = trail(&world, "sign_in.throttled").await;
    let of_ann = turned_away
        .iter()
        .find(|event| event.target.id == ann.id.as_uuid())
        .unwrap();
    assert_eq!(
        (told(of_ann).times, told(of_ann).reason),
        (5, RefusalReason::TooMany)
    );
    let of_nobody = turned_away
        .iter()
        .find(|event| event.target.kind == TargetKind::Server)
        .unwrap();
    assert_eq!(
        (told(of_nobody).times, told(of_nobody).about),
        (2, About::Unknown)
    );
    assert!(!format!("{turned_away:?}").contains("nobody"));
}

#[tokio::test]
async fn refused_keys_are_told_by_the_key() {
    let world = World::unlimited(6).await;
    let operator = Caller::operator();
    let account = NewServiceAccount {
        name: name("ci"),
        full_name: Text::default(),
        description: Text::default(),
        avatar_url: None,
        active: true,
    };
    let account = world
        .engine
        .service_accounts()
        .create(&operator, account)
        .await
        .unwrap();
    let new = zenml_auth_core::services::NewApiKey {
        name: name("default"),
        description: Text::default(),
        expires: None,
    };
    let issued = world
        .engine
        .api_keys()
        .create(&operator, &account.id.into(), new)
        .await
        .unwrap();
    let sign_in = world.engine.sign_in();
    let origin = from(network(1));
    let wrong = Secret::new("0".repeat(64));
    assert!(
        sign_in
            .with_api_key(issued.key.id, &wrong, &origin)
            .await
            .is_err()
    );
    let gone = ApiKeyId::from_random([7; 16]);
    assert!(sign_in.with_api_key(gone, &wrong, &origin).await.is_err());
    let off = zenml_auth_core::services::ApiKeyChanges {
        active: Some(false),
        ..Default::default()
    };
    world
        .engine
        .api_keys()
        .update(&operator, &account.id.into(), &issued.key.id.into(), &off)
        .await
        .unwrap();
    let refused = world
        .engine
        .authenticator()
        .authenticate(
            zenml_auth_core::services::Presented::ApiKey {
                id: issued.key.id,
                value: &issued.value,
            },
            origin,
        )
        .await;
    assert!(refused.is_err());
    flush(&world).await;
    let trail = trail(&world, "api_key.refused").await;
    let mut seen: Vec<_> = trail
        .iter()
        .map(|event| {
            (
                told(event).reason.as_str(),
                event.target.name.as_ref().map_or("", Text::as_str),
                told(event).unknown_key,
            )
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            ("inactive", "ci/default", None),
            ("unknown_key", "", Some(gone)),
            ("wrong_value", "ci/default", None),
        ]
    );
}

#[tokio::test]
async fn a_name_is_found_however_it_is_typed() {
    let world = World::unlimited(7).await;
    world.add_user("ren\u{e9}", false).await;
    for typed in ["ren\u{e9}", "rene\u{301}"] {
        let signed_in = world
            .engine
            .sign_in()
            .with_password(typed, Secret::new(PASSWORD), &crate::common::origin())
            .await;
        assert!(signed_in.is_ok(), "{typed:?}");
    }
    fail(&world, "rene\u{301}", &from(network(1))).await;
    flush(&world).await;
    let trail = trail(&world, "sign_in.failed").await;
    assert_eq!(trail[0].target.name.as_ref().map(Text::as_str), Some("ren\u{e9}"));
}

#[tokio::test]
async fn wrong_codes_are_told_with_who_typed_them() {
    let world = World::new(8, Settings::default()).await;
    let ann = world.add_user("ann", false).await;
    for _ in 0..12 {
        let wrong = UserCode::typed("WDJB-MJHT");
        let found = world
            .engine
            .device_flow()
            .find(&world.sign_in("ann").await, &wrong)
            .await;
        assert!(found.is_err());
    }
    flush(&world).await;
    for (action, reason, times) in [
        ("device.code_rejected", RefusalReason::UnknownCode, 10),
        ("device.code_throttled", RefusalReason::TooMany, 2),
    ] {
        let trail = trail(&world, action).await;
        let [event] = &trail[..] else { panic!("{trail:?}") };
        assert_eq!((told(event).reason, told(event).times), (reason, times));
        assert_eq!(event.target.id, ann.id.as_uuid());
        assert!(event.actor.to_string().starts_with("user \"ann\""));
    }
}

#[tokio::test]
async fn wrong_device_codes_are_told_and_bounded() {
    let world = World::new(9, Settings::default()).await;
    let flow = world.engine.device_flow();
    let origin = from(network(1));
    let asked = flow.request(client(1), traits("laptop"), &origin).await.unwrap();
    // Guesses at the secret of a request that exists, the right code of another client, and what names no request at all.
    let named = &asked.device_code.expose()[..32];
    let guess = Secret::new(format!("{named}{}", "0".repeat(64)));
    let unknown = Secret::new("f".repeat(96));
    for (client, code) in [
        (client(1), &guess),
        (client(2), &asked.device_code),
        (client(1), &unknown),
        (client(2), &Secret::new("x")),
    ] {
        assert!(flow.poll(client, code, &origin).await.is_err());
    }
    flush(&world).await;
    let rejected = trail(&world, "device.code_rejected").await;
    let mut seen: Vec<_> = rejected
        .iter()
        .map(|event| (event.target.kind, event.target.name.clone(), told(event).times))
        .collect();
    seen.sort_by_key(|(kind, ..)| kind.as_str());
    assert_eq!(
        seen,
        [
            (TargetKind::DeviceGrant, Some(Text::new("laptop").unwrap()), 2),
            (TargetKind::Server, None, 2),
        ]
    );
    for event in &rejected {
        assert_eq!(told(event).reason, RefusalReason::WrongDeviceCode);
        assert_eq!(event.actor, Actor::Anonymous);
        assert_eq!(event.origin.address, Some(network(1).into()));
        assert!(!format!("{event:?}").contains(&unknown.expose()[..32]));
    }
    // Beyond the limit they are turned away, and that is told as well.
    for _ in 0..100 {
        assert!(flow.poll(client(1), &unknown, &origin).await.is_err());
    }
    world.engine.maintenance().flush_all_refusals().await.unwrap();
    let times = |events: &[AuditEvent]| events.iter().map(|event| told(event).times).sum::<u64>();
    let rejected = trail(&world, "device.code_rejected").await;
    let throttled = trail(&world, "device.code_throttled").await;
    assert_eq!((times(&rejected), times(&throttled)), (60, 44));
    assert_eq!((rejected.len(), throttled.len()), (3, 1));
    assert_eq!(told(&throttled[0]).reason, RefusalReason::TooMany);
    assert_eq!(throttled[0].target.kind, TargetKind::Server);
}

#[tokio::test]
async fn polls_that_are_turned_away_are_told_once() {
    let world = World::new(10, Settings::default()).await;
    let flow = world.engine.device_flow();
    let origin = from(network(1));
    let asked = flow.request(client(1), traits("laptop"), &origin).await.unwrap();
    for _ in 0..50 {
        assert!(flow.poll(client(1), &asked.device_code, &origin).await.is_err());
    }
    flush(&world).await;
    let trail = trail(&world, "device.code").await;
    let [event] = &trail[..] else { panic!("{trail:?}") };
    assert_eq!(event.action, Action::DeviceCodeThrottled);
    assert_eq!(
        (told(event).reason, told(event).times),
        (RefusalReason::PollsTooOften, 20)
    );
    assert_eq!(
        (event.target.kind, event.target.id),
        (TargetKind::DeviceGrant, asked.id.as_uuid())
    );
}
