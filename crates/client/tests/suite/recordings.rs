//! The client against what two releases of ZenML's server really answered: for every recorded exchange that a typed client can bring about, it has to
//! ask what was asked, and to make of the answer what it was.

use serde_json::Value;
use uuid::Uuid;
use zenml_auth_api::RequestBody;
use zenml_auth_api::api_key::{ApiKeyRequest, ApiKeyRotateRequest, ApiKeyUpdate};
use zenml_auth_api::api_token::ApiTokenQuery;
use zenml_auth_api::device::{DeviceUpdate, DeviceVerifyRequest};
use zenml_auth_api::device_authorization::DeviceAuthorizationRequest;
use zenml_auth_api::login::LoginRequest;
use zenml_auth_api::query::ListRequest;
use zenml_auth_api::service_account::{ServiceAccountRequest, ServiceAccountUpdate};
use zenml_auth_api::user::{UserRequest, UserUpdate};
use zenml_auth_client::{Client, ClientError, Credentials};
use zenml_auth_model::Secret;

use crate::support::{Fake, Reply};

#[derive(serde::Deserialize)]
struct Exchange {
    note: String,
    method: String,
    path: String,
    auth: Option<String>,
    request: Option<String>,
    status: u16,
    headers: std::collections::BTreeMap<String, String>,
    response: Value,
}

impl Exchange {
    fn reply(&self) -> Reply {
        let text = self
            .headers
            .get("content-type")
            .is_some_and(|kind| kind.starts_with("text/plain"));
        let mut reply = match &self.response {
            Value::String(body) if text => Reply::html(self.status, body),
            body => Reply::json(self.status, body),
        };
        for (name, value) in &self.headers {
            reply = reply.with_header(name, value);
        }
        reply
    }

    fn split(&self) -> (&str, &str) {
        self.path.split_once('?').unwrap_or((&self.path, ""))
    }

    fn body<T: RequestBody>(&self) -> Option<T> {
        T::from_json(self.request.as_deref().unwrap_or_default().as_bytes()).ok()
    }
}

fn id(text: &str) -> Option<Uuid> {
    text.parse().ok()
}

fn list(query: &str) -> ListRequest {
    let mut request = ListRequest::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap();
        request = request.filter(name, value);
    }
    request
}

/// Brings a recorded exchange about; `None` when no typed client could. The outcome is nothing but whether it went well.
async fn perform(client: &Client, exchange: &Exchange) -> Option<Result<(), ClientError>> {
    let (path, query) = exchange.split();
    let form = exchange.request.as_deref().unwrap_or_default().as_bytes();
    let Some(rest) = path.strip_prefix("/api/v1/") else {
        return Some(client.health().await);
    };
    let steps: Vec<&str> = rest.split('/').collect();
    Some(match (exchange.method.as_str(), steps.as_slice()) {
        ("GET", ["info"]) => client.info().await.map(drop),
        ("POST", ["login"]) => client.login(&LoginRequest::from_form(form).ok()?).await.map(drop),
        ("GET", ["logout"]) => client.logout().await,
        ("POST", ["device_authorization"]) => client
            .device_authorization(DeviceAuthorizationRequest::from_form(form).ok()?)
            .await
            .map(drop),
        ("GET", ["api_token"]) => client
            .api_token(ApiTokenQuery::parse(query).ok()?)
            .await
            .map(drop),
        ("GET", ["current-user"]) if query.is_empty() => client.current_user().await.map(drop),
        ("PUT", ["current-user"]) => client.update_current_user(&exchange.body()?).await.map(drop),
        ("GET", ["devices"]) => client.devices(&list(query)).await.map(drop),
        ("GET", ["devices", device]) => match query.strip_prefix("user_code=") {
            Some(code) => client
                .device_with_code(id(device)?, &Secret::new(code))
                .await
                .map(drop),
            None => client.device(id(device)?).await.map(drop),
        },
        ("PUT", ["devices", device]) => client
            .update_device(id(device)?, exchange.body::<DeviceUpdate>()?)
            .await
            .map(drop),
        ("PUT", ["devices", device, "verify"]) => client
            .verify_device(id(device)?, &exchange.body::<DeviceVerifyRequest>()?)
            .await
            .map(drop),
        ("DELETE", ["devices", device]) => client.delete_device(id(device)?).await,
        ("GET", ["users"]) => client.users(&list(query)).await.map(drop),
        ("POST", ["users"]) => client
            .create_user(&exchange.body::<UserRequest>()?)
            .await
            .map(drop),
        ("GET", ["users", user]) => client.user(user).await.map(drop),
        ("PUT", ["users", user]) => client
            .update_user(user, &exchange.body::<UserUpdate>()?)
            .await
            .map(drop),
        ("PUT", ["users", user, "deactivate"]) => client.deactivate_user(user).await.map(drop),
        ("DELETE", ["users", user]) => client.delete_user(user).await,
        ("GET", ["service_accounts"]) => client.service_accounts(&list(query)).await.map(drop),
        ("POST", ["service_accounts"]) => client
            .create_service_account(&exchange.body::<ServiceAccountRequest>()?)
            .await
            .map(drop),
        ("GET", ["service_accounts", account]) => client.service_account(account).await.map(drop),
        ("PUT", ["service_accounts", account]) => client
            .update_service_account(account, &exchange.body::<ServiceAccountUpdate>()?)
            .await
            .map(drop),
        ("DELETE", ["service_accounts", account]) => client.delete_service_account(account).await,
        ("GET", ["service_accounts", account, "api_keys"]) => {
            client.api_keys(id(account)?, &list(query)).await.map(drop)
        }
        ("POST", ["service_accounts", account, "api_keys"]) => client
            .create_api_key(id(account)?, &exchange.body::<ApiKeyRequest>()?)
            .await
            .map(drop),
        ("GET", ["service_accounts", account, "api_keys", key]) => {
            client.api_key(id(account)?, key).await.map(drop)
        }
        ("PUT", ["service_accounts", account, "api_keys", key]) => client
            .update_api_key(id(account)?, key, &exchange.body::<ApiKeyUpdate>()?)
            .await
            .map(drop),
        ("PUT", ["service_accounts", account, "api_keys", key, "rotate"]) => client
            .rotate_api_key(id(account)?, key, exchange.body::<ApiKeyRotateRequest>()?)
            .await
            .map(drop),
        ("DELETE", ["service_accounts", account, "api_keys", key]) => {
            client.delete_api_key(id(account)?, key).await
        }
        ("GET", ["projects"]) => client.projects(&list(query)).await.map(drop),
        ("GET", ["projects", project]) if query.is_empty() => client.project(project).await.map(drop),
        ("GET", ["workspaces", workspace]) if query.is_empty() => client.workspace(workspace).await.map(drop),
        ("GET", ["stacks"]) => client.stacks(&list(query)).await.map(drop),
        ("GET", ["stacks", stack]) if query.is_empty() => client.stack(id(stack)?).await.map(drop),
        _ => return None,
    })
}

/// `a=b%3Ac` and `a=b:c` say the same.
fn decoded(query: &str) -> Vec<(String, String)> {
    serde_urlencoded(query)
}

fn serde_urlencoded(query: &str) -> Vec<(String, String)> {
    let url = format!("http://x/?{query}");
    reqwest::Url::parse(&url)
        .unwrap()
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn same_body(label: &str, sent: &str, recorded: &str) {
    if recorded.starts_with('{') {
        let (sent, recorded): (Value, Value) = (
            serde_json::from_str(sent).unwrap(),
            serde_json::from_str(recorded).unwrap(),
        );
        for (name, value) in recorded.as_object().unwrap() {
            assert_eq!(sent.get(name), Some(value), "{label}: {name}");
        }
    } else {
        let sent = decoded(sent);
        for pair in decoded(recorded) {
            assert!(
                sent.contains(&pair),
                "{label}: {pair:?} was not sent, but {sent:?}"
            );
        }
    }
}

async fn replay(recording: &str) -> usize {
    let fake = Fake::start().await;
    let mut performed = 0;
    for (number, line) in recording.lines().enumerate() {
        let exchange: Exchange = serde_json::from_str(line).unwrap();
        let label = format!("#{} {}", number + 1, exchange.note);
        let credentials = match exchange.auth {
            Some(_) => Credentials::Token(Secret::new("a-token")),
            None => Credentials::None,
        };
        let client = fake.builder().0.credentials(credentials).build().unwrap();
        fake.reply(exchange.reply());
        let Some(outcome) = perform(&client, &exchange).await else {
            // Nothing was asked; the answer is still there.
            let _ = reqwest_away(&fake).await;
            continue;
        };
        performed += 1;

        let asked = fake.asked();
        assert_eq!(asked.len(), 1, "{label}: {asked:?}");
        let (path, query) = exchange.split();
        let sent_path = asked[0].path.split('?').next().unwrap();
        let sent_query = asked[0].path.split_once('?').map_or("", |(_, query)| query);
        assert_eq!(
            (asked[0].method.as_str(), sent_path),
            (exchange.method.as_str(), path),
            "{label}"
        );
        assert_eq!(decoded(sent_query), decoded(query), "{label}");
        let bearer = asked[0].header("authorization");
        assert_eq!(
            bearer,
            exchange.auth.as_ref().map(|_| "Bearer a-token"),
            "{label}"
        );
        if let Some(body) = &exchange.request {
            same_body(&label, &asked[0].body, body);
            let kind = if body.starts_with('{') {
                "application/json"
            } else {
                "application/x-www-form-urlencoded"
            };
            assert_eq!(asked[0].header("content-type"), Some(kind), "{label}");
        }

        match outcome {
            Ok(()) => assert!(exchange.status < 300, "{label}"),
            Err(ClientError::OAuth(error)) => {
                assert_eq!(exchange.response["error"], error.error.as_str(), "{label}");
            }
            Err(ClientError::Api {
                status,
                class,
                message,
                ..
            }) => {
                assert_eq!(status, exchange.status, "{label}");
                assert!(!message.is_empty(), "{label}");
                let detail = exchange.response.get("detail").unwrap_or(&exchange.response);
                let recorded = detail.get(0).and_then(Value::as_str);
                assert_eq!(
                    class.as_ref().map(zenml_auth_api::ErrorClass::as_str),
                    recorded,
                    "{label}"
                );
            }
            Err(ClientError::NoCredentials { .. }) => {
                assert_eq!((exchange.status, &exchange.auth), (401, &None), "{label}");
            }
            Err(error) => panic!("{label}: {error:?}"),
        }
    }
    performed
}

/// Takes an answer away that nobody asked for.
async fn reqwest_away(fake: &Fake) -> Result<(), ClientError> {
    let outcome = fake.client().0.health().await;
    fake.asked();
    outcome
}

#[tokio::test]
async fn release_0_98_0_is_understood() {
    let performed = replay(include_str!("../../../api/wire/zenml-0.98.0.jsonl")).await;
    assert_eq!(performed, 119);
}

#[tokio::test]
async fn release_0_58_2_is_understood() {
    let performed = replay(include_str!("../../../api/wire/zenml-0.58.2.jsonl")).await;
    assert_eq!(performed, 117);
}
