//! People's accounts: who may do what to whom, and what ends with it.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use zenml_auth_core::caller::Caller;
use zenml_auth_model::Secret;
use zenml_auth_model::query::{PageRequest, Query};
use zenml_auth_testkit::server::{ADMIN, PASSWORD, TestOptions, TestResponse, TestServer, text};

const ME: &str = "/api/v1/current-user";

async fn put(server: &TestServer, token: &str, path: &str, body: Value) -> TestResponse {
    server.change(token, path, &body).await
}

#[tokio::test]
async fn people_see_only_themselves() {
    let server = TestServer::start().await;
    let ann = server.user("ann").await;
    server.user("bob").await;
    let listed = server.get("/api/v1/users").bearer(&ann).send().await.json();
    assert_eq!(
        (listed["total"].clone(), listed["items"][0]["name"].clone()),
        (json!(1), json!("ann"))
    );
    server
        .get("/api/v1/users/ann")
        .bearer(&ann)
        .send()
        .await
        .expect(StatusCode::OK);
    for other in ["bob", "nobody", ADMIN] {
        let path = format!("/api/v1/users/{other}");
        for answer in [
            server.get(&path).bearer(&ann).send().await,
            put(&server, &ann, &path, json!({"full_name": "x"})).await,
            put(&server, &ann, &format!("{path}/deactivate"), json!({})).await,
            server.delete(&path).bearer(&ann).send().await,
        ] {
            assert_eq!(
                answer.expect(StatusCode::FORBIDDEN).class(),
                "IllegalOperationError",
                "{other}"
            );
        }
    }
    let body = json!({"name": "eve", "password": PASSWORD, "is_admin": true, "active": true});
    let created = server.post("/api/v1/users").bearer(&ann).json(&body).send().await;
    created.expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn nobody_changes_their_own_rights() {
    let server = TestServer::start().await;
    let (admin, ann) = (server.admin().await, server.user("ann").await);
    let ignored = put(
        &server,
        &ann,
        ME,
        json!({"is_admin": true, "active": false, "full_name": "Ann"}),
    )
    .await;
    let body = ignored.expect(StatusCode::OK).json()["body"].clone();
    assert_eq!(
        (&body["is_admin"], &body["active"], &body["full_name"]),
        (&json!(false), &json!(true), &json!("Ann"))
    );
    put(&server, &ann, "/api/v1/users/ann", json!({"is_admin": true}))
        .await
        .expect(StatusCode::FORBIDDEN);
    let own = format!("/api/v1/users/{ADMIN}");
    for body in [json!({"is_admin": false}), json!({"active": false})] {
        put(&server, &admin, &own, body)
            .await
            .expect(StatusCode::FORBIDDEN);
    }
    put(&server, &admin, &format!("{own}/deactivate"), json!({}))
        .await
        .expect(StatusCode::FORBIDDEN);
    server
        .delete(&own)
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn people_set_their_own_passwords() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let (admin, ann) = (server.admin().await, server.user("ann").await);
    let (device, _) = server
        .connect_device(&ann, "77ec22a2-335b-4130-ba6c-1e1c371236a7", true)
        .await;
    let others = json!({"password": "Other-Passw0rd", "old_password": PASSWORD});
    put(&server, &admin, "/api/v1/users/ann", others)
        .await
        .expect(StatusCode::FORBIDDEN);
    put(&server, &ann, ME, json!({"password": "Second-Passw0rd"}))
        .await
        .expect(StatusCode::FORBIDDEN);
    let wrong = json!({"password": "Second-Passw0rd", "old_password": "nope"});
    put(&server, &ann, ME, wrong).await.expect(StatusCode::FORBIDDEN);
    assert!(server.good(&ann).await);
    let right = json!({"password": "Second-Passw0rd", "old_password": PASSWORD});
    put(&server, &ann, ME, right).await.expect(StatusCode::OK);
    assert!(
        !server.good(&ann).await && !server.good(&device).await,
        "everything signed in before has ended"
    );
    server.sign_in("ann", "Second-Passw0rd").await;
}

#[tokio::test]
async fn an_invitation_is_redeemed_once() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let body = json!({"name": "bob", "is_admin": false, "active": true});
    let made = server
        .post("/api/v1/users")
        .bearer(&admin)
        .json(&body)
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(
        made["body"]["active"], false,
        "without a password there is nothing to sign in with"
    );
    let token = text(&made["body"]["activation_token"]);
    let shown = server.get("/api/v1/users/bob").bearer(&admin).send().await.json();
    assert_eq!(shown["body"]["activation_token"], Value::Null, "shown once");
    put(&server, &admin, "/api/v1/users/bob", json!({"active": true}))
        .await
        .expect(StatusCode::BAD_REQUEST);
    let redeem = async |token: &str, password: &str| {
        let body = json!({"activation_token": token, "password": password, "is_admin": true});
        server.put("/api/v1/users/bob/activate").json(&body).send().await
    };
    redeem("wrong", "Other-Passw0rd")
        .await
        .expect(StatusCode::UNAUTHORIZED);
    redeem(&token, "short")
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    let active = redeem(&token, "Other-Passw0rd")
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(
        (&active["body"]["active"], &active["body"]["is_admin"]),
        (&json!(true), &json!(false))
    );
    redeem(&token, "Again-Passw0rd")
        .await
        .expect(StatusCode::UNAUTHORIZED);
    server.sign_in("bob", "Other-Passw0rd").await;
}

#[tokio::test]
async fn what_a_deactivation_ended_stays_ended() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let (admin, ann) = (server.admin().await, server.user("ann").await);
    let (device, _) = server
        .connect_device(&ann, "77ec22a2-335b-4130-ba6c-1e1c371236a7", true)
        .await;
    let left = put(&server, &admin, "/api/v1/users/ann/deactivate", json!({})).await;
    let token = text(&left.expect(StatusCode::OK).json()["body"]["activation_token"]);
    assert!(!server.good(&ann).await && !server.good(&device).await);
    let refused = server
        .post("/api/v1/login")
        .form(&[("username", "ann"), ("password", PASSWORD)])
        .send()
        .await;
    refused.expect(StatusCode::UNAUTHORIZED);
    let body = json!({"activation_token": token, "password": "Third-Passw0rd"});
    server
        .put("/api/v1/users/ann/activate")
        .json(&body)
        .send()
        .await
        .expect(StatusCode::OK);
    assert!(!server.good(&ann).await && !server.good(&device).await);
    server.sign_in("ann", "Third-Passw0rd").await;
    // The other way, by a switch.
    let again = server.sign_in("ann", "Third-Passw0rd").await;
    put(&server, &admin, "/api/v1/users/ann", json!({"active": false}))
        .await
        .expect(StatusCode::OK);
    put(&server, &admin, "/api/v1/users/ann", json!({"active": true}))
        .await
        .expect(StatusCode::OK);
    assert!(!server.good(&again).await);
}

#[tokio::test]
async fn names_are_separate_and_never_ids() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.user("ci").await;
    let key = server.api_key(&admin, "ci", "default").await;
    let by_name = server.get("/api/v1/users/ci").bearer(&admin).send().await.json();
    assert_eq!(by_name["body"]["is_service_account"], false);
    let id = text(&server.current_user(&key).await.json()["id"]);
    let by_id = server
        .get(&format!("/api/v1/users/{id}"))
        .bearer(&admin)
        .send()
        .await
        .json();
    assert_eq!(
        (&by_id["body"]["is_service_account"], &by_id["name"]),
        (&json!(true), &json!("ci"))
    );
    let body = json!({"name": id, "password": PASSWORD, "is_admin": false});
    server
        .post("/api/v1/users")
        .bearer(&admin)
        .json(&body)
        .send()
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    server.user("Ann").await;
    server.user("ann").await;
}

#[tokio::test]
async fn every_change_leaves_one_trace_and_no_secret() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let (admin, ann) = (server.admin().await, server.user("ann").await);
    let trail = async || {
        let query = Query {
            page: PageRequest::new(1, 10_000).unwrap(),
            ..Query::default()
        };
        server
            .engine
            .audit()
            .list(&Caller::operator(), &query)
            .await
            .unwrap()
            .items
    };
    // The trail is sorted by time, which stands still unless it is moved.
    let tick = || server.clock.advance(std::time::Duration::from_secs(1));
    let before = trail().await.len();
    let accounts = "/api/v1/service_accounts";
    tick();
    let keys = "/api/v1/service_accounts/ci/api_keys";
    let post = async |path: &str, body: Value| server.post(path).bearer(&admin).json(&body).send().await;
    tick();
    post(accounts, json!({"name": "ci"})).await.expect(StatusCode::OK);
    tick();
    let key = text(&post(keys, json!({"name": "default"})).await.json()["body"]["key"]);
    tick();
    put(&server, &admin, &format!("{keys}/default/rotate"), json!({}))
        .await
        .expect(StatusCode::OK);
    tick();
    put(
        &server,
        &admin,
        &format!("{keys}/default"),
        json!({"active": false}),
    )
    .await
    .expect(StatusCode::OK);
    tick();
    put(&server, &admin, "/api/v1/users/ann", json!({"full_name": "Ann"}))
        .await
        .expect(StatusCode::OK);
    tick();
    server
        .delete(accounts.to_owned().as_str())
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::METHOD_NOT_ALLOWED);
    tick();
    server
        .delete("/api/v1/service_accounts/ci")
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::OK);
    // What was refused has changed nothing, and so leaves nothing.
    post(accounts, json!({"name": ""}))
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    server
        .post(accounts)
        .bearer(&ann)
        .json(&json!({"name": "x"}))
        .send()
        .await
        .expect(StatusCode::FORBIDDEN);
    put(
        &server,
        &ann,
        ME,
        json!({"password": "Second-Passw0rd", "old_password": "nope"}),
    )
    .await
    .expect(StatusCode::FORBIDDEN);

    let events = &trail().await[before..];
    let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "service_account.created",
            "api_key.created",
            "api_key.rotated",
            "api_key.deactivated",
            "user.updated",
            "service_account.deleted"
        ]
    );
    for event in events {
        assert_eq!(event.origin.address.unwrap().to_string(), "127.0.0.1");
        assert!(
            event.origin.request_id.is_some() && event.credential.is_some() && event.target.name.is_some()
        );
        let printed = format!("{event:?}");
        assert!(
            !printed.contains(&key) && !printed.contains(PASSWORD),
            "{printed}"
        );
    }
}

async fn invite(server: &TestServer, admin: &str, name: &str) -> String {
    let body = json!({"name": name, "is_admin": false, "active": false});
    let made = server
        .post("/api/v1/users")
        .bearer(admin)
        .json(&body)
        .send()
        .await;
    text(&made.expect(StatusCode::OK).json()["body"]["activation_token"])
}

async fn redeem(server: &TestServer, name: &str, token: &str, password: &str) -> TestResponse {
    let body = json!({"activation_token": token, "password": password});
    let path = format!("/api/v1/users/{name}/activate");
    server.put(&path).json(&body).send().await
}

#[tokio::test]
async fn an_invitation_ends() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let token = invite(&server, &server.admin().await, "bob").await;
    server
        .clock
        .advance(Duration::from_secs(72 * 60 * 60) - Duration::from_micros(1));
    // Far enough to be told that the password is weak: the token is still good.
    redeem(&server, "bob", &token, "short")
        .await
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    server.clock.advance(Duration::from_micros(1));
    let ended = redeem(&server, "bob", &token, "Other-Passw0rd").await;
    let wrong = redeem(&server, "bob", "wrong", "Other-Passw0rd").await;
    let unknown = redeem(&server, "nobody", &token, "Other-Passw0rd").await;
    let answer = |answer: &TestResponse| {
        answer.expect(StatusCode::UNAUTHORIZED);
        answer.json()["detail"].clone()
    };
    assert_eq!(answer(&ended), answer(&wrong), "strangers are not told which");
    assert_eq!(answer(&ended), answer(&unknown));
    server.engine.maintenance().flush_refusals().await.unwrap();
    let query = Query {
        page: PageRequest::new(1, 10_000).unwrap(),
        ..Query::default()
    };
    let trail = server
        .engine
        .audit()
        .list(&Caller::operator(), &query)
        .await
        .unwrap();
    let trail = format!("{:?}", trail.items);
    assert!(trail.contains("UserActivationRefused") && trail.contains("InvitationEnded"));
    // A new one is had by deactivating, and is good for as long.
    let admin = server.admin().await;
    let left = put(&server, &admin, "/api/v1/users/bob/deactivate", json!({})).await;
    let again = text(&left.expect(StatusCode::OK).json()["body"]["activation_token"]);
    server.clock.advance(Duration::from_secs(71 * 60 * 60));
    redeem(&server, "bob", &again, "Other-Passw0rd")
        .await
        .expect(StatusCode::OK);
    server.sign_in("bob", "Other-Passw0rd").await;
}

#[tokio::test]
async fn a_deactivation_ends_the_invitation_that_is_out() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    let first = invite(&server, &admin, "bob").await;
    let left = put(&server, &admin, "/api/v1/users/bob/deactivate", json!({})).await;
    let second = text(&left.expect(StatusCode::OK).json()["body"]["activation_token"]);
    redeem(&server, "bob", &first, "Other-Passw0rd")
        .await
        .expect(StatusCode::UNAUTHORIZED);
    // The switch ends it and gives none.
    put(&server, &admin, "/api/v1/users/bob", json!({"active": false}))
        .await
        .expect(StatusCode::OK);
    redeem(&server, "bob", &second, "Other-Passw0rd")
        .await
        .expect(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn weak_passwords_are_refused_wherever_they_are_set() {
    let server = TestServer::start().await;
    let (admin, ann) = (server.admin().await, server.user("ann").await);
    let token = invite(&server, &admin, "bobby").await;
    for (weak, why) in [
        ("k7Vq!x0pWz3", "at least 12 characters"),
        ("Password1234", "among the first that are guessed"),
    ] {
        let created = json!({"name": "cara", "password": weak, "is_admin": false, "active": true});
        let changed = json!({"password": weak, "old_password": PASSWORD});
        for refused in [
            server
                .post("/api/v1/users")
                .bearer(&admin)
                .json(&created)
                .send()
                .await,
            put(&server, &ann, ME, changed).await,
            redeem(&server, "bobby", &token, weak).await,
        ] {
            refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
            assert!(refused.text().contains(why), "{refused:?}");
            assert!(!refused.text().contains(weak));
        }
        let reset = server
            .engine
            .users()
            .reset_password("ann", Secret::new(weak))
            .await;
        assert!(reset.unwrap_err().to_string().contains(why));
    }
    let own = redeem(&server, "bobby", &token, "bobby-otter-vanish-9").await;
    own.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(own.text().contains("the name of the account"), "{own:?}");
    server.sign_in("ann", PASSWORD).await;

    // What is too short for new ones is good for as long as it is there; and the length is a setting.
    let mut options = TestOptions::default();
    options.settings.limits.password_min_length = 20;
    let server = TestServer::start_with(options).await;
    let admin = server.admin().await;
    let created = json!({"name": "cara", "password": PASSWORD, "is_admin": false, "active": true});
    let refused = server
        .post("/api/v1/users")
        .bearer(&admin)
        .json(&created)
        .send()
        .await;
    refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().contains("at least 20 characters"));
}

#[tokio::test]
async fn that_an_account_is_switched_off_is_told_to_those_only_who_have_its_password() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    for name in ["ann", "bob"] {
        server.user(name).await;
    }
    invite(&server, &admin, "cara").await;
    put(&server, &admin, "/api/v1/users/bob/deactivate", json!({}))
        .await
        .expect(StatusCode::OK);
    let sign_in = async |name: &str, password: &str| {
        let form = [("username", name), ("password", password)];
        let answer = server.post("/api/v1/login").form(&form).send().await;
        answer.expect(StatusCode::UNAUTHORIZED).json()["detail"].clone()
    };
    let wrong = sign_in("ann", "wrong-password").await;
    // One that is switched off, one that was never on, and none.
    for name in ["bob", "cara", "nobody"] {
        assert_eq!(sign_in(name, "wrong-password").await, wrong, "{name}");
    }
    let told = sign_in("bob", PASSWORD).await;
    assert!(
        told[1].as_str().unwrap().contains("the user bob is not active"),
        "{told}"
    );
    // Nor does the way with an activation token tell.
    let redeemed = async |name: &str| {
        let answer = redeem(&server, name, "wrong", "Other-Passw0rd").await;
        answer.expect(StatusCode::UNAUTHORIZED).json()["detail"].clone()
    };
    let wrong = redeemed("ann").await;
    for name in ["bob", "cara", "nobody"] {
        assert_eq!(redeemed(name).await, wrong, "{name}");
    }
}
