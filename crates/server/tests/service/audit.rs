//! What the audit trail says, who may be called what, and what an operator reads of it.

use http::StatusCode;
use serde_json::{Value, json};
use zenml_auth_core::audit_details;
use zenml_auth_core::caller::Caller;
use zenml_auth_model::query::{PageRequest, Query};
use zenml_auth_model::{AuditEvent, Text};
use zenml_auth_testkit::server::{PASSWORD, TestOptions, TestServer, text};

const ME: &str = "/api/v1/current-user";
const USERS: &str = "/api/v1/users";
const ACCOUNTS: &str = "/api/v1/service_accounts";

async fn trail(server: &TestServer) -> Vec<AuditEvent> {
    let query = Query {
        page: PageRequest::new(1, 10_000).unwrap(),
        ..Query::default()
    };
    let audit = server.engine.audit();
    audit.list(&Caller::operator(), &query).await.unwrap().items
}

/// Action, name of the target and details of what has been added since, sorted.
async fn since(server: &TestServer, before: usize) -> Vec<(String, String, Value)> {
    let mut told: Vec<_> = trail(server)
        .await
        .split_off(before)
        .iter()
        .map(|event| {
            let target = event.target.name.as_ref().map_or("", Text::as_str).to_owned();
            let details = event.details.as_ref().map_or(Value::Null, audit_details::to_json);
            (event.action.as_str().to_owned(), target, details)
        })
        .collect();
    told.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    told
}

fn changes(changes: &Value) -> Value {
    json!({"kind": "changes", "changes": changes})
}

async fn length(server: &TestServer) -> usize {
    // The trail is sorted by time, which stands still unless it is moved.
    server.clock.advance(std::time::Duration::from_secs(1));
    trail(server).await.len()
}

#[tokio::test]
async fn an_update_says_what_changed_from_what_to_what() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let (admin, ann) = (server.admin().await, server.user("ann").await);

    let before = length(&server).await;
    let update =
        json!({"full_name": "Ann Other", "email": "ann@example.com", "user_metadata": {"k": "hidden"}});
    server.change(&ann, ME, &update).await.expect(StatusCode::OK);
    let expected = changes(&json!([
        {"field": "full_name", "before": "", "after": "Ann Other"},
        {"field": "email", "before": null, "after": "ann@example.com"},
        {"field": "email_opted_in", "before": null, "after": true},
        {"field": "user_metadata"},
    ]));
    assert_eq!(
        since(&server, before).await,
        [("user.updated".to_owned(), "ann".to_owned(), expected)]
    );

    // One request, three things: each is an entry of its own.
    let before = length(&server).await;
    let update = json!({"name": "anna", "is_admin": true, "active": false});
    let path = format!("{USERS}/ann");
    server.change(&admin, &path, &update).await.expect(StatusCode::OK);
    let renamed = changes(&json!([{"field": "name", "before": "ann", "after": "anna"}]));
    let entry = |action: &str, details| (action.to_owned(), "anna".to_owned(), details);
    assert_eq!(
        since(&server, before).await,
        [
            entry("user.admin_granted", Value::Null),
            entry("user.deactivated", Value::Null),
            entry("user.updated", renamed),
        ]
    );
    let before = length(&server).await;
    let path = format!("{USERS}/anna");
    let update = json!({"is_admin": false});
    server.change(&admin, &path, &update).await.expect(StatusCode::OK);
    assert_eq!(
        since(&server, before).await,
        [entry("user.admin_revoked", Value::Null)]
    );

    // The same for workloads and keys.
    let key = server.api_key(&admin, "ci", "nightly").await;
    assert!(!key.is_empty());
    let before = length(&server).await;
    let path = format!("{ACCOUNTS}/ci/api_keys/nightly");
    let update = json!({"name": "weekly", "active": false});
    server.change(&admin, &path, &update).await.expect(StatusCode::OK);
    let update = json!({"description": "for CI"});
    server
        .change(&admin, &format!("{ACCOUNTS}/ci"), &update)
        .await
        .expect(StatusCode::OK);
    let renamed = changes(&json!([{"field": "name", "before": "nightly", "after": "weekly"}]));
    let described = changes(&json!([{"field": "description", "before": "", "after": "for CI"}]));
    assert_eq!(
        since(&server, before).await,
        [
            (
                "api_key.deactivated".to_owned(),
                "ci/weekly".to_owned(),
                Value::Null
            ),
            ("api_key.updated".to_owned(), "ci/weekly".to_owned(), renamed),
            ("service_account.updated".to_owned(), "ci".to_owned(), described),
        ]
    );

    // A password is changed, and that is all that is said of it.
    let ann = server.user("cara").await;
    let before = length(&server).await;
    let update = json!({"password": "Second-Passw0rd", "old_password": PASSWORD});
    server.change(&ann, ME, &update).await.expect(StatusCode::OK);
    assert_eq!(
        since(&server, before).await,
        [("user.password_changed".to_owned(), "cara".to_owned(), Value::Null)]
    );
    let all = format!("{:?}", trail(&server).await);
    assert!(!all.contains("Passw0rd") && !all.contains("hidden"));
}

#[tokio::test]
async fn who_becomes_an_administrator_is_told() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let granted = |told: &[(String, String, Value)]| {
        told.iter()
            .filter(|(action, _, _)| action == "user.admin_granted")
            .map(|(_, target, _)| target.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        granted(&since(&server, 0).await),
        ["default"],
        "the first one, too"
    );
    let before = length(&server).await;
    for (name, is_admin) in [("ann", true), ("bob", false)] {
        let body = json!({"name": name, "password": PASSWORD, "is_admin": is_admin, "active": true});
        let made = server.post(USERS).bearer(&admin).json(&body).send().await;
        made.expect(StatusCode::OK);
    }
    let told = since(&server, before).await;
    assert_eq!(granted(&told), ["ann"]);
    let created: Vec<_> = told
        .iter()
        .filter(|(action, _, _)| action == "user.created")
        .map(|(_, target, details)| (target.as_str(), details["administrator"].clone()))
        .collect();
    assert_eq!(created, [("ann", json!(true)), ("bob", json!(false))]);
}

#[tokio::test]
async fn only_administrators_rename_users() {
    let server = TestServer::start().await;
    let (admin, ann) = (server.admin().await, server.user("ann").await);
    for path in [ME, "/api/v1/users/ann"] {
        let refused = server.change(&ann, path, &json!({"name": "default2"})).await;
        assert_eq!(
            refused.expect(StatusCode::FORBIDDEN).class(),
            "IllegalOperationError"
        );
        // Clients send the name that is there along.
        let same = server
            .change(&ann, path, &json!({"name": "ann", "full_name": "Ann"}))
            .await;
        same.expect(StatusCode::OK);
    }
    let path = "/api/v1/users/ann";
    let renamed = server.change(&admin, path, &json!({"name": "anna"})).await;
    renamed.expect(StatusCode::OK);
    let me = server.current_user(&ann).await.expect(StatusCode::OK).json();
    assert_eq!(me["name"], "anna", "she stays signed in");
    let own = server.change(&admin, ME, &json!({"name": "boss"})).await;
    own.expect(StatusCode::OK);
}

#[tokio::test]
async fn nobody_is_called_what_the_trail_calls_actors() {
    let server = TestServer::start().await;
    let (admin, _) = (server.admin().await, server.user("ann").await);
    server.api_key(&admin, "ci", "server").await;
    for name in [
        "operator",
        "Server",
        "CONSOLE",
        "anonymous",
        "system",
        "\u{ff53}erver",
    ] {
        let user = json!({"name": name, "password": PASSWORD, "is_admin": false, "active": true});
        let account = json!({"name": name});
        let rename = json!({"name": name});
        for refused in [
            server.post(USERS).bearer(&admin).json(&user).send().await,
            server.post(ACCOUNTS).bearer(&admin).json(&account).send().await,
            server.change(&admin, &format!("{USERS}/ann"), &rename).await,
            server.change(&admin, &format!("{ACCOUNTS}/ci"), &rename).await,
        ] {
            refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
            assert!(refused.text().contains("is reserved"), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn names_are_composed_and_hold_nothing_that_deceives() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    for name in [
        "an\u{202e}n",
        "an\u{200b}n",
        "an\u{e000}n",
        "\u{feff}ann",
        "ann\u{2028}",
        " ann",
        "ann\u{a0}",
    ] {
        let user = json!({"name": name, "password": PASSWORD, "is_admin": false, "active": true});
        let account = json!({"name": name});
        for refused in [
            server.post(USERS).bearer(&admin).json(&user).send().await,
            server.post(ACCOUNTS).bearer(&admin).json(&account).send().await,
        ] {
            refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
        }
    }
    let (composed, decomposed) = ("ren\u{e9}", "rene\u{301}");
    let typed = ["ren%C3%A9", "rene%CC%81"];
    let user = json!({"name": decomposed, "password": PASSWORD, "is_admin": false, "active": true});
    let made = server.post(USERS).bearer(&admin).json(&user).send().await;
    assert_eq!(made.expect(StatusCode::OK).json()["name"], composed);
    let again = json!({"name": composed, "password": PASSWORD, "is_admin": false, "active": true});
    let taken = server.post(USERS).bearer(&admin).json(&again).send().await;
    taken.expect(StatusCode::CONFLICT);
    let account = json!({"name": decomposed});
    let made = server.post(ACCOUNTS).bearer(&admin).json(&account).send().await;
    made.expect(StatusCode::OK);
    let key = json!({"name": decomposed});
    let path = format!("{ACCOUNTS}/{}/api_keys", typed[0]);
    let made = server.post(&path).bearer(&admin).json(&key).send().await;
    made.expect(StatusCode::OK);
    for name in typed {
        for path in [
            format!("{USERS}/{name}"),
            format!("{ACCOUNTS}/{name}"),
            format!("{ACCOUNTS}/{name}/api_keys/{name}"),
        ] {
            let found = server.get(&path).bearer(&admin).send().await;
            assert_eq!(found.expect(StatusCode::OK).json()["name"], composed, "{path}");
        }
        let path = format!("{USERS}?name=equals:{name}");
        let listed = server.get(&path).bearer(&admin).send().await.json();
        assert_eq!(listed["total"], 1, "{path}");
    }
    for name in [composed, decomposed] {
        assert!(!server.sign_in(name, PASSWORD).await.is_empty());
    }
}

#[tokio::test]
async fn what_was_refused_is_in_the_trail_with_request_and_user_agent() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let ann = server.user("ann").await;
    let before = length(&server).await;
    let failed = server
        .post("/api/v1/login")
        .header("user-agent", "curl/8.1")
        .form(&[("username", "ann"), ("password", "wrong")])
        .send()
        .await;
    let request = failed
        .expect(StatusCode::UNAUTHORIZED)
        .header("x-request-id")
        .to_owned();
    let update = json!({"password": "Second-Passw0rd", "old_password": "wrong"});
    let refused = server.change(&ann, ME, &update).await;
    refused.expect(StatusCode::FORBIDDEN);
    let activation = json!({"activation_token": "wrong", "password": "Second-Passw0rd"});
    let refused = server.change("", "/api/v1/users/ann/activate", &activation).await;
    refused.expect(StatusCode::UNAUTHORIZED);
    server.engine.maintenance().flush_refusals().await.unwrap();
    let told: Vec<_> = since(&server, before)
        .await
        .into_iter()
        .map(|(action, target, details)| (action, target, text(&details["reason"])))
        .collect();
    let entry = |action: &str, reason: &str| (action.to_owned(), "ann".to_owned(), reason.to_owned());
    assert_eq!(
        told,
        [
            entry("sign_in.failed", "wrong_password"),
            entry("user.activation_refused", "wrong_token"),
            entry("user.password_refused", "wrong_password"),
        ]
    );
    let events = trail(&server).await.split_off(before);
    let failed = events
        .iter()
        .find(|event| event.action.as_str() == "sign_in.failed")
        .unwrap();
    assert_eq!(
        failed.origin.request_id.as_ref().map(Text::as_str),
        Some(&*request)
    );
    assert_eq!(failed.origin.address.unwrap().to_string(), "127.0.0.1");
    let refused = events
        .iter()
        .find(|event| event.action.as_str() == "user.password_refused")
        .unwrap();
    assert!(
        refused.actor.to_string().starts_with("user \"ann\" "),
        "{refused:?}"
    );
    assert!(refused.credential.is_some());
}
