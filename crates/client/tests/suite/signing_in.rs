//! Signing in, again if need be, and failing well.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use zenml_auth_api::ErrorClass;
use zenml_auth_api::api_key::ApiKeyRotateRequest;
use zenml_auth_client::{Client, ClientError, Credentials, WireEvent};
use zenml_auth_model::Secret;

use crate::support::{Fake, Reply};

fn token(text: &str) -> Value {
    json!({"access_token": text, "token_type": "bearer", "expires_in": 3600})
}

fn not_valid() -> Value {
    json!({"detail": ["CredentialsNotValid", "Authentication error: the key was rotated"], "request_id": "r-1"})
}

fn user() -> Value {
    let time = "2026-11-23T18:49:49.109472";
    let body = json!({"created": time, "updated": time, "is_service_account": true, "is_admin": false});
    json!({"id": "69a3daa3-9dd1-4539-b832-e88ccd0393b7", "name": "ci", "body": body})
}

fn with_key(fake: &Fake) -> Client {
    fake.builder()
        .0
        .credentials(Credentials::api_key(Secret::new("ZENKEY_k")))
        .build()
        .unwrap()
}

#[tokio::test]
async fn an_api_key_is_exchanged_once() {
    let fake = Fake::start().await;
    fake.reply_json(200, token("t1"))
        .reply_json(200, user())
        .reply_json(200, user());
    let client = with_key(&fake);
    client.current_user().await.unwrap();
    client.current_user().await.unwrap();
    let asked = fake.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[0].body, "grant_type=zenml-api-key&password=ZENKEY_k");
    assert_eq!(asked[0].header("authorization"), None);
    assert_eq!(asked[1].header("authorization"), Some("Bearer t1"));
    assert_eq!(asked[2].header("authorization"), Some("Bearer t1"));
    let issued = client.issued_token().await.unwrap();
    assert_eq!(
        (issued.access_token.expose(), issued.expires_in),
        ("t1", Some(3600))
    );
}

#[tokio::test]
async fn a_kept_token_saves_the_exchange() {
    let fake = Fake::start().await;
    fake.reply_json(200, user());
    let credentials = Credentials::api_key(Secret::new("ZENKEY_k")).with_token(Some(Secret::new("t0")));
    let client = fake.builder().0.credentials(credentials).build().unwrap();
    client.current_user().await.unwrap();
    assert_eq!(fake.asked().len(), 1);
    assert!(client.issued_token().await.is_none());
}

#[tokio::test]
async fn a_token_that_ended_is_exchanged_again_even_for_what_may_not_be_repeated() {
    let fake = Fake::start().await;
    let credentials = Credentials::api_key(Secret::new("ZENKEY_k")).with_token(Some(Secret::new("t0")));
    let client = fake.builder().0.credentials(credentials).build().unwrap();
    fake.reply_json(401, not_valid())
        .reply_json(200, token("t1"))
        .reply_json(409, json!({"detail": ["ValueError", "x"]}));
    let account = uuid::Uuid::nil();
    let error = client
        .rotate_api_key(account, "k", ApiKeyRotateRequest::default())
        .await
        .unwrap_err();
    assert!(error.is_conflict());
    let paths: Vec<_> = fake
        .asked()
        .into_iter()
        .map(|asked| (asked.method, asked.path))
        .collect();
    assert_eq!(paths[0], paths[2]);
    assert_eq!(paths[1].1, "/api/v1/login");
}

#[tokio::test]
async fn signing_in_again_is_tried_once_only() {
    let fake = Fake::start().await;
    fake.reply_json(200, token("t1"))
        .reply_json(401, not_valid())
        .reply_json(200, token("t2"));
    fake.reply_json(401, not_valid());
    let error = with_key(&fake).current_user().await.unwrap_err();
    assert!(error.is_unauthenticated());
    assert_eq!(fake.asked().len(), 4);
}

#[tokio::test]
async fn a_key_that_is_not_good_is_told_as_it_is() {
    let fake = Fake::start().await;
    fake.reply_json(401, not_valid());
    let error = with_key(&fake).current_user().await.unwrap_err();
    let ClientError::Api {
        status,
        class,
        message,
        request_id,
        ..
    } = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(
        (*status, class.as_ref()),
        (401, Some(&ErrorClass::CredentialsNotValid))
    );
    assert_eq!(message, "Authentication error: the key was rotated");
    assert_eq!(request_id.as_deref(), Some("r-1"));
    assert_eq!(error.hint(), Some("Sign in again."));
}

#[tokio::test]
async fn a_token_that_was_given_is_not_exchanged() {
    let fake = Fake::start().await;
    fake.reply_json(401, not_valid());
    let client = fake
        .builder()
        .0
        .credentials(Credentials::Token(Secret::new("t0")))
        .build()
        .unwrap();
    assert!(client.current_user().await.unwrap_err().is_unauthenticated());
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn many_requests_at_once_sign_in_once() {
    let fake = Fake::start().await;
    fake.reply_json(200, token("t1"));
    for _ in 0..3 {
        fake.reply_json(200, user());
    }
    let client = with_key(&fake);
    let (a, b, c) = tokio::join!(
        client.current_user(),
        client.current_user(),
        client.current_user()
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(
        fake.asked()
            .iter()
            .filter(|asked| asked.path == "/api/v1/login")
            .count(),
        1
    );
}

#[tokio::test]
async fn what_may_be_repeated_is_repeated_with_growing_pauses() {
    let fake = Fake::start().await;
    let (client, timer) = fake.client();
    fake.reply(Reply::html(502, "<html>"))
        .reply(Reply::html(503, ""))
        .reply_json(200, user());
    client.current_user().await.unwrap();
    assert_eq!(timer.waits(), [0.3, 0.6]);
    fake.reply(Reply::html(503, "").with_header("retry-after", "2"))
        .reply_json(200, user());
    client.current_user().await.unwrap();
    assert_eq!(timer.waits(), [0.3, 0.6, 2.0]);
}

#[tokio::test]
async fn a_sign_in_is_repeated() {
    let fake = Fake::start().await;
    let (builder, timer) = fake.builder();
    let client = builder
        .credentials(Credentials::api_key(Secret::new("ZENKEY_k")))
        .build()
        .unwrap();
    fake.reply(Reply::html(503, "").with_header("retry-after", "5"))
        .reply(Reply::html(502, "<html>"))
        .reply_json(200, token("t1"))
        .reply_json(200, user());
    client.current_user().await.unwrap();
    assert_eq!(timer.waits(), [5.0, 0.6]);
}

#[tokio::test]
async fn what_changes_something_is_sent_once() {
    let fake = Fake::start().await;
    let (client, timer) = fake.client();
    fake.reply(Reply::html(502, "<html>"));
    let error = client.delete_user("ann").await.unwrap_err();
    assert!(matches!(error, ClientError::Api { status: 502, .. }), "{error:?}");
    assert!(timer.waits().is_empty());
}

#[tokio::test]
async fn a_long_wait_is_left_to_the_caller() {
    let fake = Fake::start().await;
    let (client, timer) = fake.client();
    let busy = json!({"detail": ["MaxConcurrentTasksError", "slow down"]});
    fake.reply(Reply::json(429, &busy).with_header("retry-after", "600"));
    let error = client.current_user().await.unwrap_err();
    assert!(
        matches!(error, ClientError::Api { retry_after: Some(wait), .. } if wait == Duration::from_secs(600))
    );
    assert!(timer.waits().is_empty());
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    // Taken, so that nobody else listens there, but not listened on either.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", taken.local_addr().unwrap());
    let client = Client::builder(&url).unwrap().retries(0).build().unwrap();
    let error = client.info().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::builder(&url)
        .unwrap()
        .retries(0)
        .timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    let error = client.info().await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_breaks() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            socket.readable().await.unwrap();
            drop(socket);
        }
    });
    let client = Client::builder(&url).unwrap().retries(1).build().unwrap();
    let error = client.info().await.unwrap_err();
    assert!(matches!(error, ClientError::Interrupted { .. }), "{error:?}");
}

#[tokio::test]
async fn something_else_that_answers() {
    let fake = Fake::start().await;
    let (client, _) = fake.client();
    for reply in [
        Reply::html(200, "<html>hello</html>"),
        Reply::html(404, "<html>not here</html>"),
        Reply::json(404, &json!({"detail": "Not Found"})),
        Reply::json(200, &json!({"name": "another server"})),
        Reply::json(200, &json!([])),
    ] {
        fake.reply(reply.clone());
        let error = client.info().await.unwrap_err();
        assert!(
            matches!(error, ClientError::NotAZenmlServer { .. }),
            "{reply:?}: {error:?}"
        );
    }
    fake.reply(Reply::html(301, "").with_header("location", "https://example.com/"));
    let error = client.info().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{} redirects to https://example.com/", fake.url)
    );
    fake.reply(Reply::html(500, "Internal Server Error"));
    assert!(matches!(
        client.info().await.unwrap_err(),
        ClientError::Api { status: 500, .. }
    ));
    assert_eq!(fake.unused_replies(), 0);
}

#[tokio::test]
async fn without_credentials_one_is_asked_to_sign_in() {
    let fake = Fake::start().await;
    fake.reply_json(401, json!({"detail": "Not authenticated"}));
    let error = fake.client().0.current_user().await.unwrap_err();
    assert!(matches!(error, ClientError::NoCredentials { .. }), "{error:?}");
}

#[tokio::test]
async fn the_traffic_can_be_watched_without_its_secrets() {
    let fake = Fake::start().await;
    fake.reply_json(200, token("t0p-s3cret")).reply_json(200, user());
    let events: Arc<Mutex<Vec<WireEvent>>> = Arc::default();
    let seen = Arc::clone(&events);
    let client = fake
        .builder()
        .0
        .credentials(Credentials::api_key(Secret::new("ZENKEY_s3cret")))
        .observer(Arc::new(move |event| seen.lock().unwrap().push(event)))
        .build()
        .unwrap();
    client.current_user().await.unwrap();
    let printed = format!("{:?}", events.lock().unwrap());
    assert!(!printed.contains("s3cret"), "{printed}");
    assert!(
        printed.contains("grant_type=zenml-api-key") && printed.contains("current-user"),
        "{printed}"
    );
    assert_eq!(events.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_token_that_cannot_be_sent_is_no_reason_to_panic() {
    let fake = Fake::start().await;
    let client = fake
        .builder()
        .0
        .credentials(Credentials::Token(Secret::new("a\r\nb: c")))
        .build()
        .unwrap();
    assert!(matches!(
        client.current_user().await.unwrap_err(),
        ClientError::Setup(_)
    ));
    assert!(fake.asked().is_empty());
}
