//! The device flow, with a clock that moves by waiting.

use serde_json::{Value, json};
use zenml_auth_client::{ClientError, DeviceFlow, DeviceFlowError, FlowEvent};
use zenml_auth_model::ClientId;

use crate::support::{Fake, Reply};

fn codes(verification_uri: &str) -> Value {
    json!({
        "device_code": "secret-device-code",
        "user_code": "WDJB-MJHT",
        "verification_uri": verification_uri,
        "verification_uri_complete": format!("{verification_uri}?user_code=WDJB-MJHT"),
        "expires_in": 300,
        "interval": 5,
    })
}

fn error(code: &str) -> Value {
    json!({"error": code, "error_description": format!("it is {code}"), "error_uri": null})
}

fn token() -> Value {
    json!({"access_token": "t1", "token_type": "bearer", "expires_in": null})
}

fn client_id() -> ClientId {
    "77ec22a2-335b-4130-ba6c-1e1c371236a7".parse().unwrap()
}

async fn started(fake: &Fake) -> (DeviceFlow, std::sync::Arc<crate::support::ManualTimer>) {
    let (client, timer) = fake.client();
    fake.reply_json(200, codes("/devices/verify"));
    let flow = DeviceFlow::start(&client, client_id(), None).await.unwrap();
    fake.asked();
    (flow, timer)
}

#[tokio::test]
async fn links_are_made_whole_and_codes_are_sent_as_recorded() {
    let fake = Fake::start().await;
    fake.reply_json(200, codes("/devices/verify"));
    let flow = DeviceFlow::start(&fake.client().0, client_id(), None)
        .await
        .unwrap();
    assert_eq!(
        flow.link(),
        format!("{}/devices/verify?user_code=WDJB-MJHT", fake.url)
    );
    assert_eq!(flow.short_link(), format!("{}/devices/verify", fake.url));
    assert_eq!(flow.user_code(), "WDJB-MJHT");
    assert_eq!(flow.left().as_secs(), 300);
    assert_eq!(
        fake.asked()[0].body,
        "client_id=77ec22a2-335b-4130-ba6c-1e1c371236a7"
    );
    assert!(!format!("{flow:?}").contains("secret-device-code"));
}

#[tokio::test]
async fn a_link_that_is_no_web_address_is_not_opened() {
    let fake = Fake::start().await;
    for link in [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//evil.example.com/x",
        "nonsense",
    ] {
        fake.reply_json(200, codes(link));
        let refused = DeviceFlow::start(&fake.client().0, client_id(), None)
            .await
            .unwrap_err();
        assert!(
            matches!(refused, ClientError::BadResponse { .. }),
            "{link}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn it_waits_as_long_as_it_is_told_and_slows_down() {
    let fake = Fake::start().await;
    let (mut flow, timer) = started(&fake).await;
    for code in [
        "authorization_pending",
        "slow_down",
        "authorization_pending",
        "slow_down",
        "authorization_pending",
    ] {
        fake.reply_json(400, error(code));
    }
    fake.reply_json(200, token());
    let mut intervals = Vec::new();
    let token = flow
        .wait(|event| {
            if let FlowEvent::SlowedDown { interval } = event {
                intervals.push(interval.as_secs());
            }
        })
        .await
        .unwrap();
    assert_eq!(token.access_token.expose(), "t1");
    assert_eq!(timer.waits(), [5.0, 10.0, 10.0, 15.0, 15.0]);
    assert_eq!(intervals, [10, 15]);
    let asked = fake.asked();
    assert_eq!(asked.len(), 6);
    assert!(
        asked[0].body.contains("device_code=secret-device-code"),
        "{}",
        asked[0].body
    );
}

#[tokio::test]
async fn it_ends_with_the_codes() {
    let fake = Fake::start().await;
    let (mut flow, timer) = started(&fake).await;
    for _ in 0..61 {
        fake.reply_json(400, error("authorization_pending"));
    }
    let mut left = Vec::new();
    let outcome = flow
        .wait(|event| {
            if let FlowEvent::Waiting { left: seconds, .. } = event {
                left.push(seconds.as_secs());
            }
        })
        .await;
    assert!(matches!(outcome, Err(DeviceFlowError::Expired)), "{outcome:?}");
    assert_eq!(timer.waits().iter().sum::<f64>(), 300.0);
    assert_eq!((left.first(), left.last()), (Some(&300), Some(&0)));
    assert_eq!(fake.unused_replies(), 0, "it asked a last time right at the end");
}

#[tokio::test]
async fn a_decision_is_told_as_it_is() {
    for (code, expected) in [
        ("access_denied", "Denied"),
        ("expired_token", "Expired"),
        ("invalid_grant", "Client"),
    ] {
        let fake = Fake::start().await;
        let (mut flow, timer) = started(&fake).await;
        fake.reply_json(400, error(code));
        let outcome = flow.wait(|_| {}).await.unwrap_err();
        assert!(
            format!("{outcome:?}").starts_with(expected),
            "{code}: {outcome:?}"
        );
        assert!(timer.waits().is_empty());
    }
}

#[tokio::test]
async fn faults_on_the_way_are_waited_out() {
    let fake = Fake::start().await;
    let (mut flow, timer) = started(&fake).await;
    fake.reply(Reply::html(502, "<html>"))
        .reply(Reply::html(503, ""))
        .reply_json(400, error("authorization_pending"));
    fake.reply(Reply::json(429, &json!({"detail": ["x", "y"]})).with_header("retry-after", "30"))
        .reply_json(200, token());
    let mut interruptions = 0;
    flow.wait(|event| interruptions += usize::from(matches!(event, FlowEvent::Interrupted { .. })))
        .await
        .unwrap();
    assert_eq!(interruptions, 3);
    assert_eq!(timer.waits(), [10.0, 20.0, 5.0, 30.0]);
}

#[tokio::test]
async fn faults_that_last_end_it() {
    let fake = Fake::start().await;
    let (mut flow, _) = started(&fake).await;
    for _ in 0..20 {
        fake.reply(Reply::html(502, "<html>"));
    }
    let outcome = flow.wait(|_| {}).await.unwrap_err();
    assert!(
        matches!(
            outcome,
            DeviceFlowError::Client(ClientError::Api { status: 502, .. })
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn an_answer_that_is_none_ends_it_at_once() {
    let fake = Fake::start().await;
    let (mut flow, timer) = started(&fake).await;
    fake.reply(Reply::html(200, "<html>"));
    let outcome = flow.wait(|_| {}).await.unwrap_err();
    assert!(
        matches!(
            outcome,
            DeviceFlowError::Client(ClientError::NotAZenmlServer { .. })
        ),
        "{outcome:?}"
    );
    assert!(timer.waits().is_empty());
}
