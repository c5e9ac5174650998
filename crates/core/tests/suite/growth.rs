//! What anybody may cause without signing in does not grow without end.

use std::net::Ipv4Addr;
use std::time::Duration;

use zenml_auth_core::caller::Caller;
use zenml_auth_core::services::{PollError, UserCode};
use zenml_auth_core::settings::{Lifetimes, Settings};
use zenml_auth_model::query::{PageRequest, Query};
use zenml_auth_model::{Action, AuditEvent, DeviceTraits, Origin, Text};

use crate::common::{World, client, origin, traits};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn trail(world: &World, action: Action) -> Vec<AuditEvent> {
    let query = Query {
        page: PageRequest::new(1, 1000).unwrap(),
        ..Query::default()
    };
    let page = world
        .engine
        .audit()
        .list(&Caller::operator(), &query)
        .await
        .unwrap();
    assert_eq!(usize::try_from(page.total).unwrap(), page.items.len());
    page.items
        .into_iter()
        .filter(|event| event.action == action)
        .collect()
}

fn details(event: &AuditEvent) -> String {
    event
        .details
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[tokio::test]
async fn requests_are_counted_and_decisions_tell_of_them() {
    let world = World::unlimited(1).await;
    world.add_user("ann", false).await;
    let flow = world.engine.device_flow();
    for number in 0..600_u32 {
        let origin = Origin {
            address: Some(Ipv4Addr::from(number % 40).into()),
            ..Origin::default()
        };
        flow.request(client(0), DeviceTraits::default(), &origin)
            .await
            .unwrap();
    }
    world.clock.advance(HOUR - SECOND);
    world.engine.maintenance().write_requests().await.unwrap();
    assert_eq!(trail(&world, Action::DeviceRequested).await, []);
    world.clock.advance(SECOND);
    world.engine.maintenance().write_requests().await.unwrap();
    let told = trail(&world, Action::DeviceRequested).await;
    assert_eq!(told.len(), 21);
    let of_one = told.iter().filter(|event| event.origin.address.is_some());
    assert!(
        of_one
            .clone()
            .all(|event| details(event).starts_with("15 requests from "))
    );
    assert_eq!(of_one.count(), 20);
    let others = told.iter().find(|event| event.origin.address.is_none()).unwrap();
    assert!(details(others).starts_with("300 requests of other networks from "));

    // One that somebody decides on is told of, with what was known of it.
    let known = DeviceTraits {
        ip_address: Some(Text::from_stored("192.0.2.77".to_owned())),
        ..traits("laptop")
    };
    let requested = world.engine.now();
    let asked = flow.request(client(1), known, &origin()).await.unwrap();
    world.clock.advance(SECOND * 10);
    let code = UserCode::typed(asked.user_code.expose());
    flow.approve(&world.sign_in("ann").await, asked.id, &code, true)
        .await
        .unwrap();
    flow.poll(client(1), &asked.device_code, &origin()).await.unwrap();
    for action in [Action::DeviceApproved, Action::DeviceConnected] {
        let told = trail(&world, action).await;
        let expected = format!(r#"trusted; requested at {requested} from "192.0.2.77", host "laptop""#);
        assert!(details(&told[0]).starts_with(&expected), "{:?}", told[0].details);
    }
    // The last count is written before the end.
    world.engine.maintenance().write_all_requests().await.unwrap();
    assert_eq!(trail(&world, Action::DeviceRequested).await.len(), 22);
    world.engine.maintenance().write_all_requests().await.unwrap();
    assert_eq!(trail(&world, Action::DeviceRequested).await.len(), 22);
}

async fn purge(world: &World) -> u64 {
    let mut rows = 0;
    loop {
        let tidied = world.engine.maintenance().purge_audit(2).await.unwrap();
        rows += tidied.rows;
        if !tidied.more {
            return rows;
        }
    }
}

#[tokio::test]
async fn the_audit_trail_has_an_end_and_says_so() {
    let settings = |keep_audit| Settings {
        lifetimes: Lifetimes {
            keep_audit,
            ..Lifetimes::default()
        },
        ..Settings::default()
    };
    let world = World::new(1, settings(Some(DAY * 10))).await;
    for number in 0..5 {
        world.add_user(&format!("old-{number}"), false).await;
    }
    world.clock.advance(DAY * 10);
    world.add_user("new", false).await;
    assert_eq!(purge(&world).await, 0, "to the microsecond");
    world.clock.advance(Duration::from_micros(1));
    // Those and what was written when it was set up.
    let removed = purge(&world).await;
    assert!(removed >= 5, "{removed}");
    assert_eq!(trail(&world, Action::UserCreated).await.len(), 1);
    let told = trail(&world, Action::AuditPurged).await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        details(&told[0]),
        format!("{removed} entries that were older than 10 days")
    );

    // Once a day.
    world.add_user("later", false).await;
    world.clock.advance(HOUR);
    assert_eq!(purge(&world).await, 0);
    world.clock.advance(DAY * 10);
    assert!(purge(&world).await >= 2);
    assert_eq!(
        trail(&world, Action::AuditPurged).await.len(),
        1,
        "the first one is gone itself"
    );

    let world = World::new(1, settings(None)).await;
    world.add_user("old", false).await;
    world.clock.advance(DAY * 4000);
    assert_eq!(purge(&world).await, 0);
    assert_eq!(
        trail(&world, Action::UserCreated).await.len(),
        2,
        "with the first administrator"
    );
}

/// With the limits that there are by default, or without any.
async fn world(limited: bool) -> World {
    if limited {
        World::new(1, Settings::default()).await
    } else {
        World::unlimited(1).await
    }
}

#[tokio::test]
async fn polls_write_only_so_often() {
    for limited in [false, true] {
        let world = world(limited).await;
        world.add_user("ann", false).await;
        let flow = world.engine.device_flow();
        let asked = flow
            .request(client(0), traits("laptop"), &origin())
            .await
            .unwrap();
        let code = UserCode::typed(asked.user_code.expose());
        for _ in 0..290 {
            for _ in 0..20 {
                match flow.poll(client(0), &asked.device_code, &origin()).await {
                    Err(PollError::Pending | PollError::SlowDown { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
            world.clock.advance(SECOND);
        }
        let polled = flow.find(&world.sign_in("ann").await, &code).await.unwrap();
        // The first one, eleven that were early, and one a minute from there on.
        let writes = polled.version.get() - zenml_auth_model::Version::FIRST.get();
        assert!((2..=17).contains(&writes), "{writes}");
        // Who has polled that much still gets in.
        flow.approve(&world.sign_in("ann").await, asked.id, &code, true)
            .await
            .unwrap();
        let mut tries = 0;
        while flow.poll(client(0), &asked.device_code, &origin()).await.is_err() {
            tries += 1;
            assert!(tries <= 2);
            world.clock.advance(SECOND);
        }
    }
}

/// A change that was made meanwhile shows whether the store was asked.
#[tokio::test]
async fn beyond_thirty_a_minute_polls_do_not_ask_the_store() {
    for limited in [false, true] {
        let world = world(limited).await;
        world.add_user("ann", false).await;
        let flow = world.engine.device_flow();
        let asked = flow
            .request(client(0), traits("laptop"), &origin())
            .await
            .unwrap();
        for _ in 0..30 {
            let polled = flow.poll(client(0), &asked.device_code, &origin()).await;
            assert!(
                matches!(polled, Err(PollError::Pending | PollError::SlowDown { .. })),
                "{polled:?}"
            );
        }
        let code = UserCode::typed(asked.user_code.expose());
        flow.deny(&world.sign_in("ann").await, asked.id, &code)
            .await
            .unwrap();
        for _ in 0..100 {
            let polled = flow.poll(client(0), &asked.device_code, &origin()).await;
            let from_memory =
                matches!(polled, Err(PollError::SlowDown { interval }) if interval == SECOND * 60);
            let from_store = matches!(polled, Err(PollError::Denied));
            assert_eq!((from_memory, from_store), (limited, !limited), "{polled:?}");
        }
        // From another address, and after a moment from the same one, the store is asked again.
        let elsewhere = Origin {
            address: Some(Ipv4Addr::new(192, 0, 2, 200).into()),
            ..Origin::default()
        };
        let polled = flow.poll(client(0), &asked.device_code, &elsewhere).await;
        assert!(matches!(polled, Err(PollError::Denied)), "{polled:?}");
        world.clock.advance(SECOND * 2);
        let polled = flow.poll(client(0), &asked.device_code, &origin()).await;
        assert!(matches!(polled, Err(PollError::Denied)), "{polled:?}");
    }
}
