//! Connecting machines, from the request to the end of the token.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use zenml_auth_core::memory::MemoryStore;
use zenml_auth_model::Timestamp;
use zenml_auth_testkit::server::{PASSWORD, TestOptions, TestServer, device_id, text};

const LAPTOP: &str = "77ec22a2-335b-4130-ba6c-1e1c371236a7";
const PHONE: &str = "1312a7a1-f68c-4e79-a01c-1f2fdf454f8e";
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// A poll's error, after a look at what every one of them has in common.
async fn poll_error(server: &TestServer, client: &str, code: &str) -> String {
    let answer = server.poll(client, code).await;
    answer.expect(StatusCode::BAD_REQUEST);
    assert!(answer.header("cache-control").contains("no-store"));
    text(&answer.json()["error"])
}

#[tokio::test]
async fn every_answer_to_a_poll() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    assert_eq!(poll_error(&server, LAPTOP, "00ff").await, "invalid_client");

    let asked = server.request_device(LAPTOP).await;
    let code = text(&asked["device_code"]);
    assert_eq!(
        (asked["expires_in"].clone(), asked["interval"].clone()),
        (json!(300), json!(5))
    );
    assert_eq!(poll_error(&server, LAPTOP, "00ff").await, "invalid_grant");
    assert_eq!(
        poll_error(&server, PHONE, &code).await,
        "invalid_client",
        "a code is its client's alone"
    );
    assert_eq!(poll_error(&server, LAPTOP, &code).await, "authorization_pending");
    // Each poll that comes too early adds five seconds.
    for wait in [5, 10, 15] {
        server.clock.advance(SECOND * wait - Duration::from_micros(1));
        assert_eq!(poll_error(&server, LAPTOP, &code).await, "slow_down");
    }
    server.clock.advance(SECOND * 20);
    assert_eq!(poll_error(&server, LAPTOP, &code).await, "authorization_pending");

    assert_eq!(server.approve(&admin, &asked).await.status, StatusCode::OK);
    assert_eq!(
        poll_error(&server, LAPTOP, "00ff").await,
        "invalid_grant",
        "the code comes before the state"
    );
    let granted = server.poll(LAPTOP, &code).await.expect(StatusCode::OK).json();
    assert_eq!(granted["token_type"], "bearer");
    assert_eq!(granted["expires_in"], 86_400);
    assert_eq!(poll_error(&server, LAPTOP, &code).await, "expired_token");
}

#[tokio::test]
async fn a_request_expires_at_every_step() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let pending = server.request_device(LAPTOP).await;
    let approved = server.request_device(PHONE).await;
    assert_eq!(server.approve(&admin, &approved).await.status, StatusCode::OK);
    server.clock.advance(SECOND * 300);
    assert_eq!(
        poll_error(&server, LAPTOP, pending["device_code"].as_str().unwrap()).await,
        "expired_token"
    );
    assert_eq!(
        poll_error(&server, PHONE, approved["device_code"].as_str().unwrap()).await,
        "expired_token"
    );
    let late = server.approve(&admin, &pending).await.status;
    assert_eq!(late, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn wrong_codes_are_counted_wherever_they_are_tried() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let asked = server.request_device(LAPTOP).await;
    let look = format!("/api/v1/devices/{}?user_code=BBBB-BBBB", device_id(&asked));
    server
        .get(&look)
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::NOT_FOUND);
    assert_eq!(
        server
            .verify(&admin, &asked, &json!({"user_code": "wrong"}))
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
    server
        .get(&look)
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::NOT_FOUND);
    let right = json!({"user_code": asked["user_code"]});
    assert_eq!(
        server.verify(&admin, &asked, &right).await.status,
        StatusCode::BAD_REQUEST,
        "three were enough"
    );
    assert_eq!(
        poll_error(&server, LAPTOP, asked["device_code"].as_str().unwrap()).await,
        "access_denied"
    );
}

#[tokio::test]
async fn trusted_for_thirty_days_and_others_for_one() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (trusted, _) = server.connect_device(&admin, LAPTOP, true).await;
    let (untrusted, _) = server.connect_device(&admin, PHONE, false).await;
    server.clock.advance(DAY - SECOND * 2);
    assert!(server.good(&untrusted).await);
    server.clock.advance(SECOND * 2);
    assert!(!server.good(&untrusted).await);
    server.clock.advance(29 * DAY - SECOND * 2);
    assert!(server.good(&trusted).await);
    server.clock.advance(SECOND * 2);
    assert!(!server.good(&trusted).await);
}

#[tokio::test]
async fn lock_unlock_and_delete_take_effect_on_the_next_request() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    let (token, id) = server.connect_device(&admin, LAPTOP, true).await;
    let path = format!("/api/v1/devices/{id}");
    for _ in 0..3 {
        let locked = server.change(&admin, &path, &json!({"locked": true})).await;
        assert_eq!(locked.expect(StatusCode::OK).json()["body"]["status"], "locked");
        let refused = server.current_user(&token).await;
        assert_eq!(
            refused.expect(StatusCode::UNAUTHORIZED).class(),
            "CredentialsNotValid"
        );
        let active = server.change(&admin, &path, &json!({"locked": false})).await;
        assert_eq!(active.expect(StatusCode::OK).json()["body"]["status"], "active");
        assert!(server.good(&token).await);
    }
    server
        .delete(&path)
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::OK);
    assert!(!server.good(&token).await);
    server
        .get(&path)
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn connecting_again_keeps_the_id_and_ends_the_token_before() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (first, id) = server.connect_device(&admin, LAPTOP, true).await;
    let (second, same) = server.connect_device(&admin, LAPTOP, false).await;
    assert_eq!(id, same);
    assert!(!server.good(&first).await);
    assert!(server.good(&second).await);
    let device = server
        .get(&format!("/api/v1/devices/{id}"))
        .bearer(&admin)
        .send()
        .await
        .json();
    assert_eq!(device["body"]["trusted_device"], false);
}

#[tokio::test]
async fn two_people_share_a_machine() {
    let server = TestServer::start().await;
    let (admin, ann) = (server.admin().await, server.user("ann").await);
    let (admins, first) = server.connect_device(&admin, LAPTOP, true).await;
    let (anns, second) = server.connect_device(&ann, LAPTOP, true).await;
    assert_ne!(first, second);
    let hers = format!("/api/v1/devices/{second}");
    // What is somebody else's looks like nothing at all.
    for answer in [
        server.get(&hers).bearer(&admin).send().await,
        server.change(&admin, &hers, &json!({"locked": true})).await,
        server.delete(&hers).bearer(&admin).send().await,
    ] {
        assert_eq!(answer.expect(StatusCode::NOT_FOUND).class(), "KeyError");
    }
    server
        .change(&ann, &hers, &json!({"locked": true}))
        .await
        .expect(StatusCode::OK);
    assert!(server.good(&admins).await && !server.good(&anns).await);
    let listed = server.get("/api/v1/devices").bearer(&admin).send().await.json();
    assert_eq!(
        (listed["total"].clone(), listed["items"][0]["id"].clone()),
        (json!(1), json!(first))
    );
}

#[tokio::test]
async fn a_lock_stays_until_it_is_lifted() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (token, id) = server.connect_device(&admin, LAPTOP, true).await;
    let path = format!("/api/v1/devices/{id}");
    server
        .change(&admin, &path, &json!({"locked": true}))
        .await
        .expect(StatusCode::OK);
    let asked = server.request_device(LAPTOP).await;
    let body = json!({"user_code": asked["user_code"]});
    assert_eq!(
        server.verify(&admin, &asked, &body).await.status,
        StatusCode::BAD_REQUEST
    );
    assert!(!server.good(&token).await);
    server
        .change(&admin, &path, &json!({"locked": false}))
        .await
        .expect(StatusCode::OK);
    assert_eq!(server.verify(&admin, &asked, &body).await.status, StatusCode::OK);

    // Locked between the approval and the poll: no token, and the lock is still there.
    server
        .change(&admin, &path, &json!({"locked": true}))
        .await
        .expect(StatusCode::OK);
    assert_eq!(
        poll_error(&server, LAPTOP, asked["device_code"].as_str().unwrap()).await,
        "access_denied"
    );
    let device = server.get(&path).bearer(&admin).send().await.json();
    assert_eq!(device["body"]["status"], "locked");
}

#[tokio::test]
async fn strangers_change_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (token, id) = server.connect_device(&admin, LAPTOP, true).await;
    let path = format!("/api/v1/devices/{id}");
    let before = server.get(&path).bearer(&admin).send().await.json();
    for _ in 0..20 {
        let asked = server.request_device(LAPTOP).await;
        poll_error(&server, LAPTOP, asked["device_code"].as_str().unwrap()).await;
        poll_error(&server, LAPTOP, "00ff").await;
        server
            .put(&path)
            .json(&json!({"locked": true}))
            .send()
            .await
            .expect(StatusCode::UNAUTHORIZED);
        server.delete(&path).send().await.expect(StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.get(&path).bearer(&admin).send().await.json(), before);
    assert!(server.good(&token).await);
}

#[tokio::test]
async fn an_approval_falls_with_the_person() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for ends in ["password", "deactivate", "delete"] {
        let name = format!("ann-{ends}");
        let ann = server.user(&name).await;
        let asked = server.request_device(LAPTOP).await;
        assert_eq!(server.approve(&ann, &asked).await.status, StatusCode::OK);
        let path = format!("/api/v1/users/{name}");
        let done = match ends {
            "password" => {
                let body = json!({"password": "Second-Passw0rd", "old_password": PASSWORD});
                server.change(&ann, "/api/v1/current-user", &body).await
            }
            "deactivate" => {
                server
                    .put(&format!("{path}/deactivate"))
                    .bearer(&admin)
                    .send()
                    .await
            }
            _ => server.delete(&path).bearer(&admin).send().await,
        };
        done.expect(StatusCode::OK);
        let code = text(&asked["device_code"]);
        assert_eq!(
            server.poll(LAPTOP, &code).await.status,
            StatusCode::BAD_REQUEST,
            "{ends}"
        );
    }
}

#[tokio::test]
async fn signing_out_ends_the_token() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (device, id) = server.connect_device(&admin, LAPTOP, true).await;
    server
        .get("/api/v1/logout")
        .bearer(&device)
        .send()
        .await
        .expect(StatusCode::OK);
    assert!(!server.good(&device).await);
    let listed = server.get("/api/v1/devices").bearer(&admin).send().await.json();
    assert_eq!(listed["items"][0]["id"], json!(id), "the device itself stays");
    let ended: Timestamp = text(&listed["items"][0]["body"]["expires"]).parse().unwrap();
    assert!(
        ended <= server.engine.now(),
        "and shows that its connection has ended"
    );
    server
        .get("/api/v1/logout")
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::OK);
    assert!(!server.good(&admin).await);
    assert!(server.good(&server.admin().await).await);
}

#[tokio::test]
async fn a_connection_outlives_a_shorter_setting_and_a_new_signing_key() {
    let trusting_for = |days: u32| {
        let mut options = TestOptions::default();
        options.settings.lifetimes.trusted_device = DAY * days;
        options
    };
    let store = Arc::new(MemoryStore::new());
    let before = TestServer::start_on(store.clone(), trusting_for(365)).await;
    let admin = before.admin().await;
    let (device, _) = before.connect_device(&admin, LAPTOP, true).await;
    let server = TestServer::start_on(store, trusting_for(1)).await;
    // Two new keys, and every old one is gone that can go.
    for _ in 0..2 {
        server.clock.advance(DAY * 100);
        let maintenance = server.engine.maintenance();
        maintenance.rotate_signing_key_if_due().await.unwrap();
        maintenance.tidy_up(100).await.unwrap();
        maintenance.rotate_signing_key_if_due().await.unwrap();
        assert!(server.good(&device).await);
    }
    server.clock.advance(DAY * 165);
    assert!(!server.good(&device).await, "its own time is over");
}

#[tokio::test]
async fn a_former_signing_key_is_shown_for_a_day_more_than_its_tokens_last() {
    let server = TestServer::start().await;
    let shown = async |passed: Duration| {
        server.clock.advance(passed);
        let maintenance = server.engine.maintenance();
        maintenance.tidy_up(100).await.unwrap();
        maintenance.rotate_signing_key_if_due().await.unwrap();
        let answer = server.get("/.well-known/jwks.json").send().await.json();
        answer["keys"].as_array().unwrap().len()
    };
    assert_eq!(shown(DAY * 90 - SECOND).await, 1);
    assert_eq!(
        shown(SECOND).await,
        2,
        "after ninety days the next one takes over"
    );
    // A trusted device's token lasts for thirty days.
    assert_eq!(shown(DAY * 31 - SECOND).await, 2);
    assert_eq!(shown(SECOND * 2).await, 1);
}

#[tokio::test]
async fn what_has_ended_is_kept_for_an_hour_more() {
    let server = TestServer::start().await;
    // A session of an hour, and a request that can be answered for five minutes.
    let _token = server.admin().await;
    server.request_device(LAPTOP).await;
    for (minutes, tidied_away) in [(64, 0), (2, 1), (53, 0), (2, 1), (600, 0)] {
        server.clock.advance(SECOND * 60 * minutes);
        let tidied = server.engine.maintenance().tidy_up(100).await.unwrap();
        assert_eq!(tidied.rows, tidied_away, "after {minutes} more");
    }
}

#[tokio::test]
async fn workloads_have_no_devices() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let key = server.api_key(&admin, "ci", "default").await;
    let asked = server.request_device(LAPTOP).await;
    let refused = server.approve(&key, &asked).await.status;
    assert_eq!(refused, StatusCode::FORBIDDEN);
    let listed = server.get("/api/v1/devices").bearer(&key).send().await.json();
    assert_eq!(listed["total"], 0);
}

#[tokio::test]
async fn the_machine_is_shown_as_it_describes_itself() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let asked = server.request_device(LAPTOP).await;
    let look = format!(
        "/api/v1/devices/{}?user_code={}",
        device_id(&asked),
        text(&asked["user_code"])
    );
    let shown = server
        .get(&look)
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(shown["body"]["status"], "pending");
    assert_eq!(shown["body"]["hostname"], "laptop");
    assert_eq!(shown["body"]["os"], "Linux");
    assert_eq!(shown["body"]["ip_address"], "127.0.0.1");
    assert_eq!(shown["metadata"]["python_version"], "3.11.7");
}
