//! Every endpoint, called with every kind of credential, against the table that reviewers read.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use zenml_auth_testkit::server::{ADMIN, PASSWORD, TestResponse, TestServer};

/// A number that no other name has.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::SeqCst)
}

/// What a caller comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum With {
    Nothing,
    PersonsSignIn,
    AdministratorsSignIn,
    AdministratorsDevice,
    MadeByAdministrator,
    WorkloadsKey,
}

const ALL: [With; 6] = [
    With::Nothing,
    With::PersonsSignIn,
    With::AdministratorsSignIn,
    With::AdministratorsDevice,
    With::MadeByAdministrator,
    With::WorkloadsKey,
];

impl With {
    async fn credential(self, server: &TestServer) -> Option<String> {
        Some(match self {
            Self::Nothing => return None,
            Self::PersonsSignIn => server.sign_in("ann", PASSWORD).await,
            Self::AdministratorsSignIn => server.admin().await,
            Self::AdministratorsDevice => {
                let client = "22222222-2222-4222-8222-222222222222";
                server.connect_device(&server.admin().await, client, true).await.0
            }
            Self::MadeByAdministrator => {
                let made = server.get("/api/v1/api_token?token_type=generic&expires_in=60");
                let made = made.bearer(&server.admin().await).send().await;
                made.expect(StatusCode::OK).json().as_str().unwrap().to_owned()
            }
            Self::WorkloadsKey => {
                server
                    .api_key(&server.admin().await, "ci", &format!("key-{}", next()))
                    .await
            }
        })
    }
}

/// Makes what a part of a path names, which belongs to somebody other than the caller.
async fn make(server: &TestServer, part: &str) -> String {
    let admin = server.admin().await;
    let name = format!("target-{}", next());
    match part {
        "{device_id}" => {
            let client = format!("44444444-4444-4444-8444-{:012}", next());
            server
                .connect_device(&server.user(&name).await, &client, true)
                .await
                .1
        }
        "{service_account_id}" | "{service_account_name_or_id}" => {
            server.api_key(&admin, &name, "key").await;
            name
        }
        "{api_key_name_or_id}" => "key".to_owned(),
        "{user_name_or_id}" => {
            server.user(&name).await;
            name
        }
        "{project_name_or_id}" | "{workspace_name_or_id}" => "default".to_owned(),
        "{stack_id}" => {
            let stacks = server.get("/api/v1/stacks").bearer(&admin).send().await;
            stacks.json()["items"][0]["id"].as_str().unwrap().to_owned()
        }
        _ => panic!("{part}: what is it to be?"),
    }
}

/// A body that the endpoint can use, so that it is refused for nothing but the caller.
fn body(method: &Method, path: &str) -> Option<Value> {
    let name = format!("new-{}", next());
    Some(match (method.as_str(), path.rsplit('/').next()?) {
        ("GET" | "DELETE", _) => return None,
        ("POST", "users") => json!({"name": name, "active": false}),
        ("POST", "service_accounts") => json!({"name": name, "active": true}),
        ("POST", "api_keys") => json!({"name": name}),
        ("PUT", "verify") => json!({"user_code": "WDJB-MJHT", "trusted_device": true}),
        ("PUT", "rotate") => json!({"retain_period_minutes": 0}),
        ("PUT", "activate") => json!({"activation_token": "x", "password": "another-Passw0rd"}),
        ("PUT", "email-opt-in") => json!({"email_opted_in": false}),
        ("PUT", "{device_id}") => json!({"locked": true}),
        ("PUT", "current-user") => json!({"full_name": "x"}),
        _ => json!({}),
    })
}

async fn call(server: &TestServer, method: &Method, path: &str, with: With) -> TestResponse {
    let mut filled = Vec::new();
    for part in path.split('/') {
        filled.push(if part.starts_with('{') {
            make(server, part).await
        } else {
            part.to_owned()
        });
    }
    let mut request = server.request(method.clone(), &filled.join("/"));
    if let Some(credential) = with.credential(server).await {
        request = request.bearer(&credential);
    }
    request = match path {
        "/api/v1/login" => request.form(&[("username", ADMIN), ("password", PASSWORD)]),
        "/api/v1/device_authorization" => {
            request.form(&[("client_id", "33333333-3333-4333-8333-333333333333")])
        }
        _ => match body(method, path) {
            Some(body) => request.json(&body),
            None => request,
        },
    };
    request.send().await
}

const HEAD: &str = "\
| Method | Path | Nobody | Person | Administrator | Administrator's device | Made by hand for an administrator | Workload |
|---|---|---|---|---|---|---|---|
";

#[tokio::test]
async fn every_endpoint_is_for_those_whom_the_table_names() {
    let server = TestServer::start().await;
    server.user("ann").await;
    let description = serde_json::to_value(zenml_auth_server::routes::description()).unwrap();
    let mut table = HEAD.to_owned();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let mut statuses = Vec::new();
            for with in ALL {
                statuses.push(call(&server, &method, path, with).await.status);
            }
            write!(table, "| {method} | `{path}` |").unwrap();
            if operation["security"].is_null() {
                let first = statuses[0];
                assert!(
                    statuses.iter().all(|status| *status == first),
                    "{path}: {statuses:?}"
                );
                table.push_str(&" public |".repeat(ALL.len()));
            } else {
                for status in statuses {
                    let cell = match status {
                        StatusCode::UNAUTHORIZED => "401",
                        StatusCode::FORBIDDEN => "403",
                        StatusCode::NOT_FOUND => "404",
                        StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => "yes",
                        other => panic!("{method} {path}: {other}"),
                    };
                    write!(table, " {cell} |").unwrap();
                }
            }
            table.push('\n');
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/authorization.md");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(
        kept.contains(&table),
        "docs/authorization.md has another table; is this one meant?\n\n{table}"
    );
}
