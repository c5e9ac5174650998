//! Service accounts and their keys, from the only time a key is shown to its end.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use zenml_auth_testkit::server::{TestOptions, TestServer, text};

const KEY: &str = "/api/v1/service_accounts/ci/api_keys/default";
const MICRO: Duration = Duration::from_micros(1);

/// Exchanges a key for a token.
async fn token(server: &TestServer, key: &str) -> Option<String> {
    let answer = server
        .post("/api/v1/login")
        .form(&[("password", key)])
        .send()
        .await;
    (answer.status == StatusCode::OK).then(|| text(&answer.json()["access_token"]))
}

async fn rotate(server: &TestServer, admin: &str, minutes: u32) -> String {
    let body = json!({"retain_period_minutes": minutes});
    let answer = server.change(admin, &format!("{KEY}/rotate"), &body).await;
    text(&answer.expect(StatusCode::OK).json()["body"]["key"])
}

async fn change(server: &TestServer, admin: &str, path: &str, body: Value) {
    server.change(admin, path, &body).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_key_is_shown_once() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    let key = server.api_key(&admin, "ci", "default").await;
    assert!(key.starts_with("ZENKEY_"));
    for path in [KEY, "/api/v1/service_accounts/ci/api_keys?hydrate=true"] {
        let shown = server.get(path).bearer(&admin).send().await;
        assert!(!shown.expect(StatusCode::OK).text().contains("ZENKEY_"), "{path}");
    }
    let me = server.current_user(&key).await.json();
    assert_eq!(
        (me["name"].clone(), me["body"]["is_service_account"].clone()),
        (json!("ci"), json!(true))
    );
}

#[tokio::test]
async fn a_rotation_keeps_the_old_value_exactly_as_long_as_asked() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    let first = server.api_key(&admin, "ci", "default").await;
    let from_first = token(&server, &first).await.unwrap();
    let second = rotate(&server, &admin, 30).await;
    assert!(server.good(&first).await && server.good(&from_first).await && server.good(&second).await);
    server.clock.advance(Duration::from_secs(30 * 60) - MICRO);
    assert!(server.good(&first).await && server.good(&from_first).await);
    assert!(token(&server, &first).await.is_some());
    server.clock.advance(MICRO);
    assert!(!server.good(&first).await && !server.good(&from_first).await);
    assert!(token(&server, &first).await.is_none());
    assert!(server.good(&second).await);
}

#[tokio::test]
async fn a_token_of_a_retained_value_never_outlives_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let first = server.api_key(&admin, "ci", "default").await;
    rotate(&server, &admin, 1).await;
    let answer = server
        .post("/api/v1/login")
        .form(&[("password", first.as_str())])
        .send()
        .await;
    assert_eq!(answer.expect(StatusCode::OK).json()["expires_in"], 60);
}

#[tokio::test]
async fn a_second_rotation_ends_the_retained_value_and_zero_ends_it_now() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let first = server.api_key(&admin, "ci", "default").await;
    let second = rotate(&server, &admin, 60).await;
    let from_second = token(&server, &second).await.unwrap();
    let third = rotate(&server, &admin, 60).await;
    assert!(!server.good(&first).await);
    assert!(server.good(&second).await && server.good(&from_second).await && server.good(&third).await);
    let fourth = rotate(&server, &admin, 0).await;
    assert!(!server.good(&second).await && !server.good(&from_second).await && !server.good(&third).await);
    assert!(server.good(&fourth).await);
    let shown = server.get(KEY).bearer(&admin).send().await.json();
    assert_eq!(shown["metadata"]["retain_period_minutes"], 0);
}

#[tokio::test]
async fn switches_work_at_once_on_keys_and_tokens() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    let key = server.api_key(&admin, "ci", "default").await;
    let token_of_key = token(&server, &key).await.unwrap();
    for path in [KEY, "/api/v1/service_accounts/ci"] {
        change(&server, &admin, path, json!({"active": false})).await;
        for credential in [&key, &token_of_key] {
            let refused = server.current_user(credential).await;
            assert_eq!(
                refused.expect(StatusCode::UNAUTHORIZED).class(),
                "CredentialsNotValid",
                "{path}"
            );
        }
        assert!(token(&server, &key).await.is_none(), "{path}");
        change(&server, &admin, path, json!({"active": true})).await;
        assert!(
            server.good(&key).await && server.good(&token_of_key).await,
            "{path}"
        );
    }
    server
        .delete(KEY)
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::OK);
    assert!(!server.good(&key).await && !server.good(&token_of_key).await);
}

#[tokio::test]
async fn keys_go_with_their_account() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    let key = server.api_key(&admin, "ci", "default").await;
    let token_of_key = token(&server, &key).await.unwrap();
    server
        .delete("/api/v1/service_accounts/ci")
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::OK);
    assert!(!server.good(&key).await && !server.good(&token_of_key).await);
    // A new account of the same name is another one.
    server.api_key(&admin, "ci", "default").await;
    assert!(!server.good(&key).await && !server.good(&token_of_key).await);
}

#[tokio::test]
async fn keys_expire_when_told_to() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let forever = server.api_key(&admin, "ci", "default").await;
    let body = json!({"name": "short", "expires_in": 3600});
    let made = server
        .post("/api/v1/service_accounts/ci/api_keys")
        .bearer(&admin)
        .json(&body)
        .send()
        .await;
    let short = text(&made.expect(StatusCode::OK).json()["body"]["key"]);
    server.clock.advance(Duration::from_secs(3600) - MICRO);
    assert!(server.good(&short).await);
    server.clock.advance(MICRO);
    assert!(!server.good(&short).await);
    let path = "/api/v1/service_accounts/ci/api_keys/short/rotate";
    server
        .change(&server.admin().await, path, &json!({}))
        .await
        .expect(StatusCode::BAD_REQUEST);
    server.clock.advance(Duration::from_secs(50 * 365 * 86_400));
    assert!(server.good(&forever).await, "keys don't expire unless told to");
}

#[tokio::test]
async fn renaming_changes_nothing_else() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let key = server.api_key(&admin, "ci", "default").await;
    change(
        &server,
        &admin,
        KEY,
        json!({"name": "main", "description": "🚀 nightly"}),
    )
    .await;
    let path = "/api/v1/service_accounts/ci/api_keys/main";
    let shown = server
        .get(path)
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::OK)
        .json();
    assert_eq!(shown["metadata"]["description"], "🚀 nightly");
    server
        .get(KEY)
        .bearer(&admin)
        .send()
        .await
        .expect(StatusCode::NOT_FOUND);
    assert!(server.good(&key).await);
}

#[tokio::test]
async fn the_latest_use_is_shown() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    let key = server.api_key(&admin, "ci", "default").await;
    let last_login =
        async || server.get(KEY).bearer(&admin).send().await.json()["metadata"]["last_login"].clone();
    assert_eq!(last_login().await, Value::Null);
    server.clock.advance(Duration::from_secs(7));
    let now = server.engine.now().to_string();
    assert!(server.good(&key).await);
    assert_eq!(last_login().await, json!(now));
}

#[tokio::test]
async fn users_of_the_old_value_are_named() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    let first = server.api_key(&admin, "ci", "default").await;
    let use_as = async |credential: &str, agent: &str| {
        server.clock.advance(Duration::from_secs(1));
        let request = server.get("/api/v1/current-user").bearer(credential);
        let answer = request.header("user-agent", agent).send().await;
        answer.expect(StatusCode::OK);
        server.engine.now().to_string()
    };
    let uses = async || {
        let shown = server.get(KEY).bearer(&admin).send().await.json();
        shown["metadata"]["recent_uses"].clone()
    };
    let told = |value: &str, at: &str, agent: &str| json!({"value": value, "last_login": at, "ip_address": "127.0.0.1", "user_agent": agent});
    assert_eq!(uses().await, json!([]), "told, and nobody");
    let runner = use_as(&first, "runner").await;
    assert_eq!(uses().await, json!([told("current", &runner, "runner")]));

    // A token made from the old value counts as a use of it.
    let from_first = token(&server, &first).await.unwrap();
    let second = rotate(&server, &admin, 30).await;
    let pod = use_as(&from_first, "pod").await;
    let moved = use_as(&second, "runner").await;
    let told_at_last = json!([
        told("current", &moved, "runner"),
        told("previous", &pod, "pod"),
        told("previous", &runner, "runner"),
    ]);
    let without_the_login = |uses: Value| {
        let uses = uses.as_array().unwrap().clone().into_iter();
        Value::from(
            uses.filter(|user| user["user_agent"] != Value::Null)
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(without_the_login(uses().await), told_at_last);
    let shown = server.get(KEY).bearer(&admin).send().await.json();
    assert_eq!(shown["metadata"]["last_ip_address"], "127.0.0.1");
    assert_eq!(shown["metadata"]["last_user_agent"], "runner");

    // Written down, it is the same.
    server.engine.maintenance().flush_all_uses().await.unwrap();
    server.clock.advance(Duration::from_secs(60));
    server.engine.maintenance().flush_uses().await.unwrap();
    assert_eq!(without_the_login(uses().await), told_at_last);

    // After the next rotation the first value is forgotten.
    rotate(&server, &admin, 30).await;
    let after = without_the_login(uses().await);
    assert_eq!(after, json!([told("previous", &moved, "runner")]));

    // Lists and short answers leave it out, and so does the answer of anyone who is not an administrator.
    let list = server
        .get("/api/v1/service_accounts/ci/api_keys?hydrate=true")
        .bearer(&admin)
        .send()
        .await
        .json();
    assert_eq!(list["items"][0]["metadata"]["recent_uses"], Value::Null);
    let ann = server.user("ann").await;
    for stranger in [&ann, &second] {
        let refused = server.get(KEY).bearer(stranger).send().await;
        refused.expect(StatusCode::FORBIDDEN);
        assert!(!refused.text().contains("runner"));
    }
}

#[tokio::test]
async fn holding_the_replaced_value_proves_having_had_it() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    let said = async |credential: &str| {
        let login = [("password", credential)];
        let login = server.post("/api/v1/login").form(&login).send().await;
        let bearer = server.current_user(credential).await;
        assert_eq!(
            login.expect(StatusCode::UNAUTHORIZED).json()["detail"],
            bearer.json()["detail"]
        );
        text(&bearer.json()["detail"][1])
    };
    let first = server.api_key(&admin, "ci", "default").await;
    let made_up = {
        let key: zenml_auth_api::key::KeyText = zenml_auth_api::key::KeyText::parse(&first).unwrap();
        let other = zenml_auth_api::key::KeyText {
            id: key.id,
            key: zenml_auth_model::Secret::new("0".repeat(64)),
        };
        other.encode().expose().to_owned()
    };
    let nothing = said(&made_up).await;
    let second = rotate(&server, &admin, 0).await;
    assert!(
        said(&first)
            .await
            .contains("default of the service account ci was rotated")
    );
    rotate(&server, &admin, 1).await;
    assert!(server.good(&second).await);
    server.clock.advance(Duration::from_secs(60));
    assert!(said(&second).await.contains("was rotated"));
    // What was replaced twice, and what never was right, are told apart by nobody.
    assert_eq!(said(&first).await, nothing);
    assert_eq!(said(&made_up).await, nothing);
    // Neither is there a difference for a key that is gone.
    let gone = server.delete(KEY).bearer(&admin).send().await;
    gone.expect(StatusCode::OK);
    assert_eq!(said(&second).await, nothing);
}

#[tokio::test]
async fn accounts_and_keys_are_for_administrators() {
    let server = TestServer::start().await;
    let (admin, ann) = (server.admin().await, server.user("ann").await);
    let key = server.api_key(&admin, "ci", "default").await;
    for caller in [&ann, &key] {
        for answer in [
            server
                .post("/api/v1/service_accounts")
                .bearer(caller)
                .json(&json!({"name": "x"}))
                .send()
                .await,
            server.get("/api/v1/service_accounts").bearer(caller).send().await,
            server
                .change(caller, "/api/v1/service_accounts/ci", &json!({"active": false}))
                .await,
            server
                .delete("/api/v1/service_accounts/ci")
                .bearer(caller)
                .send()
                .await,
            server
                .get("/api/v1/service_accounts/ci/api_keys")
                .bearer(caller)
                .send()
                .await,
            server.get(KEY).bearer(caller).send().await,
            server.change(caller, &format!("{KEY}/rotate"), &json!({})).await,
            server.delete(KEY).bearer(caller).send().await,
            // Whether there is such a thing is nobody's business either.
            server
                .get("/api/v1/service_accounts/nobody/api_keys")
                .bearer(caller)
                .send()
                .await,
        ] {
            assert_eq!(
                answer.expect(StatusCode::FORBIDDEN).class(),
                "IllegalOperationError"
            );
        }
    }
    server
        .get("/api/v1/service_accounts/ci")
        .bearer(&key)
        .send()
        .await
        .expect(StatusCode::OK);
    server
        .get("/api/v1/service_accounts/ci")
        .bearer(&ann)
        .send()
        .await
        .expect(StatusCode::FORBIDDEN);
    assert!(server.good(&key).await);
}

#[tokio::test]
async fn tokens_for_use_by_hand_stand_and_fall_with_what_they_were_made_from() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let key = server.api_key(&admin, "ci", "default").await;
    let (device, id) = server
        .connect_device(&admin, "77ec22a2-335b-4130-ba6c-1e1c371236a7", true)
        .await;
    let issue = async |from: &str, query: &str| {
        let path = format!("/api/v1/api_token?token_type=generic{query}");
        server.get(&path).bearer(from).send().await
    };
    let by_key = text(
        &issue(&key, "&expires_in=604800")
            .await
            .expect(StatusCode::OK)
            .json(),
    );
    let by_device = text(&issue(&device, "").await.expect(StatusCode::OK).json());
    assert!(server.good(&by_key).await && server.good(&by_device).await);
    issue(&admin, "&expires_in=604801")
        .await
        .expect(StatusCode::BAD_REQUEST);
    rotate(&server, &admin, 0).await;
    assert!(!server.good(&by_key).await);
    change(
        &server,
        &admin,
        &format!("/api/v1/devices/{id}"),
        json!({"locked": true}),
    )
    .await;
    assert!(!server.good(&by_device).await);
    let workload = server
        .get("/api/v1/api_token?token_type=workload")
        .bearer(&admin)
        .send()
        .await;
    workload.expect(StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn a_workload_sees_the_key_that_it_came_with_and_no_other() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let old = server.api_key(&admin, "ci", "default").await;
    let other = server.api_key(&admin, "ci", "other").await;
    server.api_key(&admin, "cd", "default").await;
    let path = async |which: &str| {
        let found = server.get(which).bearer(&admin).send().await.json();
        let account = text(&found["body"]["service_account"]["id"]);
        (account, text(&found["id"]))
    };
    let (account, id) = path(KEY).await;
    let (elsewhere, foreign) = path("/api/v1/service_accounts/cd/api_keys/default").await;
    let own = format!("/api/v1/service_accounts/{account}/api_keys/{id}");
    let own_value = async |key: &str| {
        let answer = server.get(&own).bearer(key).send().await;
        let answer = answer.expect(StatusCode::OK).json();
        assert_eq!(answer["metadata"]["recent_uses"], Value::Null);
        assert_eq!(answer["body"]["key"], Value::Null);
        text(&answer["metadata"]["own_value"])
    };
    assert_eq!(own_value(&old).await, "current");
    let new = rotate(&server, &admin, 60).await;
    assert_eq!(
        (own_value(&old).await, own_value(&new).await),
        ("previous".to_owned(), "current".to_owned())
    );

    // Not the other key of the same account, not that of another account, whichever way they are named, and no change.
    for refused in [
        server.get(&own).bearer(&other).send().await,
        server
            .get(&format!(
                "/api/v1/service_accounts/{elsewhere}/api_keys/{foreign}"
            ))
            .bearer(&old)
            .send()
            .await,
        server
            .get(&format!("/api/v1/service_accounts/{elsewhere}/api_keys/{id}"))
            .bearer(&old)
            .send()
            .await,
        server
            .get(&format!("/api/v1/service_accounts/{account}/api_keys/{foreign}"))
            .bearer(&old)
            .send()
            .await,
        server.change(&old, &own, &json!({"description": "mine"})).await,
        server.change(&old, &format!("{own}/rotate"), &json!({})).await,
        server.delete(&own).bearer(&old).send().await,
    ] {
        refused.expect(StatusCode::FORBIDDEN);
    }
    let told = server.get(&own).bearer(&admin).send().await.json();
    assert_eq!(told["metadata"].get("own_value"), None);
}
