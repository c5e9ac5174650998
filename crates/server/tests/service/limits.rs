//! Guessing and flooding are limited, success never counts, and proxies are believed only when they are trusted.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use zenml_auth_core::password::HashingCost;
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

/// A server that believes the address in `X-Forwarded-For`, with the limits that are on by default.
fn behind_a_proxy() -> TestOptions {
    TestOptions {
        trusted_proxies: vec!["127.0.0.0/8".to_owned()],
        ..TestOptions::limited()
    }
}

async fn guess_from(server: &TestServer, address: &str, name: &str, password: &str) -> TestResponse {
    server
        .post("/api/v1/login")
        .header("x-forwarded-for", address)
        .form(&[("username", name), ("password", password)])
        .send()
        .await
}

fn seconds_to_wait(refused: &TestResponse) -> u64 {
    refused.expect(StatusCode::TOO_MANY_REQUESTS);
    refused.header("retry-after").parse().unwrap()
}

/// The status of each request of many that are sent at the same time, sorted.
async fn at_once<R>(number: usize, request: impl Fn(usize) -> R) -> Vec<StatusCode>
where
    R: Future<Output = TestResponse> + Send + 'static,
{
    let running: Vec<_> = (0..number).map(|number| tokio::spawn(request(number))).collect();
    let mut statuses = Vec::new();
    for one in running {
        statuses.push(one.await.unwrap().status);
    }
    statuses.sort_unstable();
    statuses
}

#[tokio::test]
async fn each_failure_slows_an_account_down_further() {
    let server = TestServer::start_with(TestOptions::limited()).await;
    for _ in 0..10 {
        guess(&server, ADMIN, "wrong-password")
            .await
            .expect(StatusCode::UNAUTHORIZED);
    }
    for expected in [1, 2, 4, 8, 16] {
        let wait = seconds_to_wait(&guess(&server, ADMIN, PASSWORD).await);
        assert_eq!(wait, expected);
        // What is refused does not make it longer.
        assert_eq!(seconds_to_wait(&guess(&server, ADMIN, PASSWORD).await), expected);
        server.clock.advance(Duration::from_secs(wait));
        guess(&server, ADMIN, "wrong-password")
            .await
            .expect(StatusCode::UNAUTHORIZED);
    }
    server.clock.advance(Duration::from_secs(32));
    guess(&server, ADMIN, PASSWORD).await.expect(StatusCode::OK);
    // From now on the address is the owner's, with a count of its own.
    for _ in 0..2 {
        for _ in 0..9 {
            guess(&server, ADMIN, "wrong-password")
                .await
                .expect(StatusCode::UNAUTHORIZED);
        }
        guess(&server, ADMIN, PASSWORD).await.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn strangers_do_not_lock_the_owner_out_of_an_address_they_use() {
    let server = TestServer::start_with(behind_a_proxy()).await;
    guess_from(&server, "192.0.2.1", ADMIN, PASSWORD)
        .await
        .expect(StatusCode::OK);
    for number in 0..10 {
        guess_from(&server, &format!("198.51.100.{number}"), ADMIN, "wrong-password")
            .await
            .expect(StatusCode::UNAUTHORIZED);
    }
    seconds_to_wait(&guess_from(&server, "198.51.100.99", ADMIN, PASSWORD).await);
    guess_from(&server, "192.0.2.1", ADMIN, PASSWORD)
        .await
        .expect(StatusCode::OK);
    // The 30 days begin anew with each sign-in, and then it is one of many addresses again.
    server.clock.advance(Duration::from_secs(29 * 86_400));
    guess_from(&server, "192.0.2.1", ADMIN, PASSWORD)
        .await
        .expect(StatusCode::OK);
    server.clock.advance(Duration::from_secs(30 * 86_400));
    for number in 0..10 {
        guess_from(&server, &format!("198.51.100.{number}"), ADMIN, "wrong-password")
            .await
            .expect(StatusCode::UNAUTHORIZED);
    }
    seconds_to_wait(&guess_from(&server, "192.0.2.1", ADMIN, PASSWORD).await);
}

#[tokio::test]
async fn names_that_nobody_has_are_slowed_down_alike() {
    let server = TestServer::start_with(behind_a_proxy()).await;
    let mut seen = Vec::new();
    for name in [ADMIN, "nobody"] {
        let mut answers = Vec::new();
        for number in 0..14 {
            let answer = guess_from(&server, &format!("198.51.100.{number}"), name, "wrong-password").await;
            let wait = answer.headers.get("retry-after").cloned();
            answers.push((answer.status, wait, answer.json()["detail"].clone()));
        }
        seen.push(answers);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0][13].0, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn right_passwords_at_once_are_all_right() {
    let server = Arc::new(TestServer::start_with(TestOptions::limited()).await);
    let statuses = at_once(25, |_| {
        let server = server.clone();
        async move { guess(&server, ADMIN, PASSWORD).await }
    })
    .await;
    assert_eq!(statuses, [StatusCode::OK; 25]);
}

#[tokio::test]
async fn right_passwords_among_wrong_ones_do_not_count() {
    let server = Arc::new(TestServer::start_with(TestOptions::limited()).await);
    let statuses = at_once(25, |number| {
        let server = server.clone();
        let password = if number % 3 == 0 {
            "wrong-password"
        } else {
            PASSWORD
        };
        async move { guess(&server, ADMIN, password).await }
    })
    .await;
    let expected = [[StatusCode::OK; 16].as_slice(), &[StatusCode::UNAUTHORIZED; 9]].concat();
    assert_eq!(statuses, expected);
}

#[tokio::test]
async fn people_behind_one_address_sign_in_at_once() {
    let server = TestServer::start_with(TestOptions::limited()).await;
    let admin = server.admin().await;
    for number in 0..60 {
        let body = json!({"name": format!("user-{number}"), "password": PASSWORD, "is_admin": false, "active": true});
        let made = server
            .post("/api/v1/users")
            .bearer(&admin)
            .json(&body)
            .send()
            .await;
        made.expect(StatusCode::OK);
    }
    let server = Arc::new(server);
    let statuses = at_once(60, |number| {
        let server = server.clone();
        async move { guess(&server, &format!("user-{number}"), PASSWORD).await }
    })
    .await;
    assert_eq!(statuses, [StatusCode::OK; 60]);
}

async fn with_key(server: &TestServer, key: &str) -> TestResponse {
    let form = [("grant_type", "zenml-api-key"), ("password", key)];
    server.post("/api/v1/login").form(&form).send().await
}

#[tokio::test]
async fn a_valid_key_is_never_refused_however_many_connections_use_it() {
    let server = TestServer::start_with(TestOptions::limited()).await;
    let key = Arc::new(server.api_key(&server.admin().await, "ci", "default").await);
    let server = Arc::new(server);
    let running: Vec<_> = (0..16)
        .map(|_| {
            let (server, key) = (server.clone(), key.clone());
            tokio::spawn(async move {
                for _ in 0..50 {
                    with_key(&server, &key).await.expect(StatusCode::OK);
                }
            })
        })
        .collect();
    for one in running {
        one.await.unwrap();
    }
}

#[tokio::test]
async fn wrong_keys_are_limited_and_keep_no_valid_one_out() {
    let server = TestServer::start_with(TestOptions::limited()).await;
    let admin = server.admin().await;
    let (valid, gone) = (
        server.api_key(&admin, "ci", "default").await,
        server.api_key(&admin, "ci", "gone").await,
    );
    let path = "/api/v1/service_accounts/ci/api_keys/gone";
    let deleted = server.delete(path).bearer(&admin).send().await;
    deleted.expect(StatusCode::OK);
    let server = Arc::new(server);
    let statuses = at_once(40, |_| {
        let (server, gone) = (server.clone(), gone.clone());
        async move { with_key(&server, &gone).await }
    })
    .await;
    let expected = [
        [StatusCode::UNAUTHORIZED; 10].as_slice(),
        &[StatusCode::TOO_MANY_REQUESTS; 30],
    ]
    .concat();
    assert_eq!(statuses, expected);
    with_key(&server, &valid).await.expect(StatusCode::OK);
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
async fn a_flood_of_passwords_is_turned_away() {
    // As slow as the product, one at a time; another one waits.
    let options = TestOptions {
        hashing: HashingCost {
            parallel: 1,
            queue: 2,
            ..HashingCost::default()
        },
        ..TestOptions::default()
    };
    let server = Arc::new(TestServer::start_with(options).await);
    let guesses = (0..30).map(|number| {
        let server = server.clone();
        tokio::spawn(async move { guess(&server, &format!("nobody-{number}"), "wrong-password").await })
    });
    let (mut checked, mut turned_away) = (0, 0);
    for answer in guesses.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        if answer.status == StatusCode::UNAUTHORIZED {
            checked += 1;
        } else {
            turned_away += 1;
            answer.expect(StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.header("retry-after"), "5");
            assert!(answer.text().contains("Too many people sign in"), "{answer:?}");
        }
    }
    assert!(checked >= 1 && turned_away >= 1, "{checked} and {turned_away}");
    // When it is over, the right one is right.
    guess(&server, ADMIN, PASSWORD).await.expect(StatusCode::OK);
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

#[tokio::test]
async fn a_flood_of_requests_keeps_no_known_device_out() {
    let limits = Limits {
        device_authorization_total: Rate {
            burst: 20,
            per: Duration::from_secs(60),
        },
        ..Limits::default()
    };
    let options = TestOptions {
        settings: Settings {
            limits,
            ..Settings::default()
        },
        ..behind_a_proxy()
    };
    let server = TestServer::start_with(options).await;
    let admin = server.admin().await;
    server.connect_device(&admin, CLIENT, true).await;
    let ask = |client: &'static str, number: usize| {
        server
            .post("/api/v1/device_authorization")
            .header("x-forwarded-for", &format!("2001:db8:{number:x}::1"))
            .form(&[("client_id", client)])
            .send()
    };
    let stranger = "0a9c1f0e-4f6b-4b7e-9a6e-0f6f6a1f2d11";
    let mut taken = 0;
    let refused = loop {
        let answer = ask(stranger, taken).await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        taken += 1;
    };
    assert_eq!(taken, 19, "one was the device's");
    assert_eq!(seconds_to_wait(&refused), 3);
    // A request of its own does not make a client a known one.
    ask(stranger, 100).await.expect(StatusCode::TOO_MANY_REQUESTS);
    ask(CLIENT, 101).await.expect(StatusCode::OK);
    // Who is connected does not notice either.
    server.current_user(&admin).await.expect(StatusCode::OK);
    guess(&server, ADMIN, PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn wrong_device_codes_are_limited() {
    let server = TestServer::start_with(TestOptions::limited()).await;
    let asked = server.request_device(CLIENT).await;
    let wrong = "ee0ecf0a-9d8c-4a83-8bfa-3d7a0e54e4a1.0000";
    for _ in 0..60 {
        server.poll(CLIENT, wrong).await.expect(StatusCode::BAD_REQUEST);
    }
    assert_eq!(seconds_to_wait(&server.poll(CLIENT, wrong).await), 1);
    // The right one is not concerned.
    let pending = server.poll(CLIENT, asked["device_code"].as_str().unwrap()).await;
    pending.expect(StatusCode::BAD_REQUEST);
    assert_eq!(pending.json()["error"], "authorization_pending");
}
