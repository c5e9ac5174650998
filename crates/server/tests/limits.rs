//! Guessing and flooding are limited, success never counts, and proxies are believed only when they are trusted.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is test code"
)]

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use zenml_auth_core::settings::{Limits, Rate, Settings};
use zenml_auth_testkit::server::{ADMIN, PASSWORD, TestOptions, TestResponse, TestServer};

const CLIENT: &str = "77ec22a2-335b-4130-ba6c-1e1c371236a7";

async fn guess(server: &TestServer, name: &str, password: &str) -> TestResponse {
    server
        .post("/api/v1/login")
        .form(&[("username", name), ("password", password)])
        .send()
        .await
}

#[tokio::test]
async fn failed_sign_ins_are_limited_per_account() {
    let server = TestServer::start_with(TestOptions::limited()).await;
    for _ in 0..10 {
        guess(&server, ADMIN, "wrong-password")
            .await
            .expect(StatusCode::UNAUTHORIZED);
    }
    let refused = guess(&server, ADMIN, PASSWORD).await;
    refused.expect(StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert_eq!(wait, 90);
    server.clock.advance(Duration::from_secs(wait));
    guess(&server, ADMIN, PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn guesses_at_once_count_as_many() {
    let server = Arc::new(TestServer::start_with(TestOptions::limited()).await);
    let running: Vec<_> = (0..60)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { guess(&server, ADMIN, "wrong-password").await.status })
        })
        .collect();
    let mut checked = 0;
    for one in running {
        checked += usize::from(one.await.unwrap() == StatusCode::UNAUTHORIZED);
    }
    assert_eq!(checked, 10);
}

#[tokio::test]
async fn failed_sign_ins_are_limited_per_address() {
    let server = TestServer::start_with(TestOptions::limited()).await;
    for number in 0..50 {
        guess(&server, &format!("nobody-{number}"), "wrong-password")
            .await
            .expect(StatusCode::UNAUTHORIZED);
    }
    guess(&server, "nobody-51", "wrong-password")
        .await
        .expect(StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn success_never_counts() {
    let server = TestServer::start_with(TestOptions::limited()).await;
    let key = server.api_key(&server.admin().await, "ci", "default").await;
    for _ in 0..100 {
        guess(&server, ADMIN, PASSWORD).await.expect(StatusCode::OK);
        let form = [("grant_type", "zenml-api-key"), ("password", key.as_str())];
        server
            .post("/api/v1/login")
            .form(&form)
            .send()
            .await
            .expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn wrong_user_codes_are_limited_per_person() {
    let server = TestServer::start_with(TestOptions::limited()).await;
    let (admin, ann) = (server.admin().await, server.user("ann").await);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let asked = server.request_device(CLIENT).await;
        for _ in 0..3 {
            let wrong = json!({"user_code": "BBBB-BBBB"});
            let answer = server.verify(&admin, &asked, &wrong).await;
            statuses.push(answer.status);
        }
    }
    assert_eq!(
        statuses
            .iter()
            .filter(|status| **status == StatusCode::BAD_REQUEST)
            .count(),
        10
    );
    assert!(
        statuses[10..]
            .iter()
            .all(|status| *status == StatusCode::TOO_MANY_REQUESTS)
    );
    // Somebody else is not concerned.
    server.connect_device(&ann, CLIENT, false).await;
}

#[tokio::test]
async fn requests_of_machines_are_limited_per_address() {
    let limits = Limits {
        device_authorization_per_address: Rate {
            burst: 3,
            per: Duration::from_secs(60),
        },
        ..Limits::default()
    };
    let options = TestOptions {
        settings: Settings {
            limits,
            ..Settings::default()
        },
        ..TestOptions::limited()
    };
    let server = TestServer::start_with(options).await;
    let ask = || {
        server
            .post("/api/v1/device_authorization")
            .form(&[("client_id", CLIENT)])
            .send()
    };
    for _ in 0..3 {
        ask().await.expect(StatusCode::OK);
    }
    let refused = ask().await;
    refused.expect(StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("retry-after"), "20");
    server.clock.advance(Duration::from_secs(20));
    ask().await.expect(StatusCode::OK);
}

async fn last_of(server: &TestServer, addresses: &[&str]) -> StatusCode {
    let mut last = StatusCode::OK;
    for address in addresses {
        let form = [("client_id", CLIENT)];
        let request = server
            .post("/api/v1/device_authorization")
            .header("x-forwarded-for", address);
        last = request.form(&form).send().await.status;
    }
    last
}

#[tokio::test]
async fn the_address_comes_from_trusted_proxies_only() {
    let limits = Limits {
        device_authorization_per_address: Rate {
            burst: 2,
            per: Duration::from_secs(60),
        },
        ..Limits::default()
    };
    let settings = Settings {
        limits,
        ..Settings::default()
    };
    let options = |proxies: &[&str]| TestOptions {
        settings,
        trusted_proxies: proxies.iter().map(|&proxy| proxy.to_owned()).collect(),
        ..TestOptions::limited()
    };
    let three = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
    let open = TestServer::start_with(options(&[])).await;
    assert_eq!(
        last_of(&open, &three).await,
        StatusCode::TOO_MANY_REQUESTS,
        "a made-up address does not help"
    );
    let behind = TestServer::start_with(options(&["127.0.0.0/8"])).await;
    assert_eq!(
        last_of(&behind, &three).await,
        StatusCode::OK,
        "each address is somebody else"
    );
    let forged = [
        "10.0.0.1, 192.0.2.9",
        "10.0.0.2, 192.0.2.9",
        "10.0.0.3, 192.0.2.9",
    ];
    assert_eq!(
        last_of(&behind, &forged).await,
        StatusCode::TOO_MANY_REQUESTS,
        "what stands before may be made up"
    );
}

#[tokio::test]
async fn off_means_off() {
    let server = TestServer::start().await;
    for _ in 0..100 {
        guess(&server, ADMIN, "wrong-password")
            .await
            .expect(StatusCode::UNAUTHORIZED);
    }
    guess(&server, ADMIN, PASSWORD).await.expect(StatusCode::OK);
}
