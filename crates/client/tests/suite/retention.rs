//! Waiting for a replaced key to fall quiet, with a clock that moves by waiting.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use zenml_auth_api::api_key::ApiKeyResponse;
use zenml_auth_client::{ClientError, Credentials, RetentionEvent, RetentionOutcome, RetentionWatch};
use zenml_auth_model::Secret;

use crate::support::{Fake, ManualTimer, Reply};

const ID: &str = "4dd61a55-b8c9-4214-b613-292d167af1bc";
const ROTATED: &str = "2026-11-25T12:00:00.000000";
const MINUTE: Duration = Duration::from_secs(60);

/// The key as the server tells it, with who used which value at which second past 12 o'clock.
fn key(uses: &[(&str, &str, u32)]) -> Value {
    let uses: Vec<_> = uses
        .iter()
        .map(|(value, agent, at)| {
            let at = format!("2026-11-25T12:{:02}:{:02}.000000", at / 60, at % 60);
            json!({"value": value, "last_login": at, "ip_address": "192.0.2.1", "user_agent": agent})
        })
        .collect();
    with_metadata(&json!({"last_rotated": ROTATED, "recent_uses": uses}))
}

fn with_metadata(metadata: &Value) -> Value {
    let dates = json!({"created": ROTATED, "updated": ROTATED});
    let account = json!({"id": ID, "name": "ci", "body": dates});
    let body = json!({"created": ROTATED, "updated": ROTATED, "service_account": account});
    json!({"id": ID, "name": "default", "body": body, "metadata": metadata})
}

struct Waited {
    outcome: Result<RetentionOutcome, ClientError>,
    told: Vec<String>,
    seconds: u64,
    users: Vec<(String, bool, bool)>,
}

/// Waits for a minute of quiet within ten; the server's answers come one for each question.
async fn wait(fake: &Fake, uses: &[Value]) -> Waited {
    let (builder, timer): (_, Arc<ManualTimer>) = fake.builder();
    let client = builder
        .credentials(Credentials::Token(Secret::new("t")))
        .retries(0)
        .build()
        .unwrap();
    let rotated: ApiKeyResponse =
        serde_json::from_value(with_metadata(&json!({"last_rotated": ROTATED}))).unwrap();
    for answer in uses {
        fake.reply_json(200, answer.clone());
    }
    let mut watch = RetentionWatch::start(&client, &rotated, 10 * MINUTE, MINUTE);
    let mut told = Vec::new();
    let outcome = watch
        .wait(|event| {
            told.push(match event {
                RetentionEvent::Known(user) => format!("known {}", agent(user)),
                RetentionEvent::Used { user, again } => {
                    format!("used {}{}", agent(user), if again { " again" } else { "" })
                }
                RetentionEvent::Moved(user) => format!("moved {}", agent(user)),
                RetentionEvent::Interrupted { next_poll, .. } => {
                    format!("interrupted {}", next_poll.as_secs_f64())
                }
            });
        })
        .await;
    use zenml_auth_client::Timer as _;
    Waited {
        outcome,
        told,
        seconds: timer.elapsed().as_secs(),
        users: watch
            .users()
            .iter()
            .map(|user| (agent(user), user.since_rotation, user.moved))
            .collect(),
    }
}

fn agent(user: &zenml_auth_client::OldValueUser) -> String {
    user.latest.user_agent.clone().unwrap_or_default()
}

#[tokio::test]
async fn nobody_for_long_enough_is_quiet() {
    let fake = Fake::start().await;
    let waited = wait(&fake, &vec![key(&[]); 30]).await;
    assert_eq!(waited.outcome.unwrap(), RetentionOutcome::Quiet);
    assert_eq!((waited.seconds, waited.told.len()), (60, 0));
    let asked = fake.asked();
    assert_eq!(
        asked.len(),
        21,
        "twenty times while the quiet lasts, and at its end"
    );
    assert_eq!(
        asked[0].path,
        format!("/api/v1/service_accounts/{ID}/api_keys/{ID}")
    );
}

#[tokio::test]
async fn each_use_makes_the_wait_start_anew() {
    let fake = Fake::start().await;
    let mut answers = vec![key(&[("previous", "pod", 1)]); 10];
    // Every three seconds it is asked; the pod comes again half a minute later.
    answers.extend(vec![key(&[("previous", "pod", 30)]); 40]);
    let waited = wait(&fake, &answers).await;
    assert_eq!(waited.outcome.unwrap(), RetentionOutcome::Quiet);
    assert_eq!(waited.seconds, 30 + 60);
    assert_eq!(waited.told, ["used pod", "used pod again"]);
    assert_eq!(waited.users, [("pod".to_owned(), true, false)]);
}

#[tokio::test]
async fn who_used_it_before_the_rotation_does_not_hold_it_up() {
    let fake = Fake::start().await;
    let mut before = key(&[]);
    before["metadata"]["recent_uses"] = json!([
        {"value": "previous", "last_login": "2026-11-24T03:00:00.000000", "user_agent": "nightly"},
    ]);
    let mut moved = before.clone();
    let uses = moved["metadata"]["recent_uses"].as_array_mut().unwrap();
    uses.push(
        json!({"value": "current", "last_login": "2026-11-25T12:00:05.000000", "user_agent": "nightly"}),
    );
    let mut answers = vec![before; 5];
    answers.extend(vec![moved; 30]);
    let waited = wait(&fake, &answers).await;
    assert_eq!(waited.outcome.unwrap(), RetentionOutcome::Quiet);
    assert_eq!(waited.seconds, 60);
    assert_eq!(waited.told, ["known nightly", "moved nightly"]);
    assert_eq!(waited.users, [("nightly".to_owned(), false, true)]);
}

#[tokio::test]
async fn several_users_are_told_apart() {
    let fake = Fake::start().await;
    let both = key(&[("previous", "pod", 4), ("previous", "runner", 2)]);
    let waited = wait(&fake, &vec![both; 30]).await;
    assert_eq!(waited.told, ["used runner", "used pod"]);
    assert_eq!(waited.users[0].0, "pod", "the latest first");
}

#[tokio::test]
async fn the_window_ends_while_it_is_used() {
    let fake = Fake::start().await;
    let answers: Vec<_> = (0..300).map(|at| key(&[("previous", "pod", at)])).collect();
    let waited = wait(&fake, &answers).await;
    assert_eq!(waited.outcome.unwrap(), RetentionOutcome::WindowEnded);
    assert_eq!(waited.seconds, 600);
}

#[tokio::test]
async fn a_server_that_does_not_tell_is_not_waited_for() {
    for metadata in [
        json!({"last_rotated": ROTATED}),
        json!({"last_rotated": ROTATED, "recent_uses": null}),
    ] {
        let fake = Fake::start().await;
        let waited = wait(&fake, &[with_metadata(&metadata)]).await;
        assert_eq!(waited.outcome.unwrap(), RetentionOutcome::NotTold);
        assert_eq!(waited.seconds, 0);
    }
}

#[tokio::test]
async fn another_rotation_ends_it() {
    let fake = Fake::start().await;
    let mut again = key(&[]);
    again["metadata"]["last_rotated"] = json!("2026-11-25T12:00:09.000000");
    let waited = wait(&fake, &[key(&[]), again]).await;
    assert_eq!(waited.outcome.unwrap(), RetentionOutcome::RotatedAgain);
}

#[tokio::test]
async fn faults_are_waited_out_and_prove_no_quiet() {
    let fake = Fake::start().await;
    fake.reply_json(200, key(&[]));
    for _ in 0..10 {
        fake.reply(Reply::html(503, "down"));
    }
    let waited = wait(&fake, &vec![key(&[("previous", "pod", 40)]); 60]).await;
    assert_eq!(waited.outcome.unwrap(), RetentionOutcome::Quiet);
    assert_eq!(
        waited.told[..3],
        ["interrupted 3", "interrupted 3", "interrupted 4"]
    );
    assert_eq!(waited.told.last().unwrap(), "used pod");
    assert!(waited.seconds > 130, "{} s", waited.seconds);
}

#[tokio::test]
async fn what_cannot_be_told_ends_it() {
    let fake = Fake::start().await;
    fake.reply_json(404, json!({"detail": ["KeyError", "no such key"]}));
    let waited = wait(&fake, &[]).await;
    assert!(waited.outcome.unwrap_err().is_not_found());
}
