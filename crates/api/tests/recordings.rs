//! The recordings of ZenML's servers: every answer is read into its type, and what is written has every field that was recorded.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop"
)]

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;
use zenml_auth_api::api_key::{ApiKeyRequest, ApiKeyResponse, ApiKeyRotateRequest, ApiKeyUpdate};
use zenml_auth_api::device::{DeviceResponse, DeviceUpdate, DeviceVerifyRequest};
use zenml_auth_api::device_authorization::{DeviceAuthorizationRequest, DeviceAuthorizationResponse};
use zenml_auth_api::info::InfoResponse;
use zenml_auth_api::login::{LoginRequest, OAuthErrorBody, TokenResponse};
use zenml_auth_api::project::ProjectResponse;
use zenml_auth_api::query::ListQuery;
use zenml_auth_api::service_account::{ServiceAccountRequest, ServiceAccountResponse, ServiceAccountUpdate};
use zenml_auth_api::stack::StackResponse;
use zenml_auth_api::user::{UserRequest, UserResponse, UserUpdate};
use zenml_auth_api::{ErrorBody, Hydrate, PageResponse, RequestBody, SecretText};
use zenml_auth_model::query::{ApiKeyField, DeviceField, ServiceAccountField, UserField};
use zenml_auth_model::{
    ApiKey, ApiKeyId, ClientId, Device, DeviceGrant, DeviceId, DeviceState, DeviceTraits, GrantId,
    GrantState, KeptSecret, KeyGeneration, Name, Polling, Secret, SecretHash, ServerId, ServerIdentity,
    ServiceAccount, ServiceAccountId, Text, Timestamp, UsedFrom, User, UserId, Version,
};

const RECORDINGS: [(&str, &str); 2] = [
    ("0.98.0", include_str!("../wire/zenml-0.98.0.jsonl")),
    ("0.58.2", include_str!("../wire/zenml-0.58.2.jsonl")),
];

#[derive(serde::Deserialize)]
struct Exchange {
    note: String,
    method: String,
    path: String,
    status: u16,
    request: Option<String>,
    response: Value,
}

impl Exchange {
    fn path(&self) -> &str {
        self.path
            .split_once('?')
            .map_or(self.path.as_str(), |(path, _)| path)
    }

    fn query(&self) -> &str {
        self.path.split_once('?').map_or("", |(_, query)| query)
    }

    /// `/api/v1/users/ann/deactivate` is `["users", "ann", "deactivate"]`.
    fn steps(&self) -> Vec<&str> {
        self.path()
            .strip_prefix("/api/v1/")
            .map(|rest| rest.split('/').collect())
            .unwrap_or_default()
    }
}

fn exchanges() -> impl Iterator<Item = (String, Exchange)> {
    RECORDINGS.into_iter().flat_map(|(release, text)| {
        text.lines().enumerate().map(move |(number, line)| {
            let exchange: Exchange = serde_json::from_str(line).unwrap();
            (format!("{release} #{} {}", number + 1, exchange.note), exchange)
        })
    })
}

fn read<T: DeserializeOwned>(label: &str, value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{label}: {error}\n{value}"))
}

/// Reads an answer and writes it again; what was recorded has to be in what is written.
fn survives<T: DeserializeOwned + serde::Serialize>(label: &str, value: &Value) {
    let written = serde_json::to_value(read::<T>(label, value)).unwrap();
    contains(label, &written, value);
}

fn contains(label: &str, written: &Value, recorded: &Value) {
    match (written, recorded) {
        (Value::Object(written), Value::Object(recorded)) => {
            for (name, value) in recorded {
                let Some(ours) = written.get(name) else {
                    panic!("{label}: `{name}` got lost")
                };
                contains(&format!("{label}.{name}"), ours, value);
            }
        }
        (Value::Array(written), Value::Array(recorded)) => {
            assert_eq!(written.len(), recorded.len(), "{label}");
            for (ours, theirs) in written.iter().zip(recorded) {
                contains(label, ours, theirs);
            }
        }
        _ => assert_eq!(written, recorded, "{label}"),
    }
}

#[test]
fn every_answer_is_read_and_loses_nothing() {
    let mut seen = 0;
    for (label, exchange) in exchanges() {
        let (label, value) = (label.as_str(), &exchange.response);
        if exchange.status >= 400 {
            let body: ErrorBody = read(label, value);
            assert!(!body.message().is_empty(), "{label}");
            let words = body.plain_words();
            assert!(
                !words.is_empty() && !words.contains("'loc'") && !words.contains("[type="),
                "{label}: {words}"
            );
            seen += 1;
            continue;
        }
        match (exchange.method.as_str(), exchange.steps().as_slice()) {
            ("DELETE", _) | (_, ["logout"]) => assert_eq!(value, &Value::Null, "{label}"),
            (_, []) => assert!(value.is_string(), "{label}"),
            (_, ["info"]) => survives::<InfoResponse>(label, value),
            (_, ["login"]) => survives::<TokenResponse>(label, value),
            (_, ["device_authorization"]) => survives::<DeviceAuthorizationResponse>(label, value),
            (_, ["api_token"]) => survives::<SecretText>(label, value),
            (_, ["current-user"] | ["users", _] | ["users", _, "deactivate"]) | ("POST", ["users"]) => {
                survives::<UserResponse>(label, value);
            }
            (_, ["users"]) => survives::<PageResponse<UserResponse>>(label, value),
            (_, ["devices"]) => survives::<PageResponse<DeviceResponse>>(label, value),
            (_, ["devices", ..]) => survives::<DeviceResponse>(label, value),
            ("GET", ["service_accounts"]) => survives::<PageResponse<ServiceAccountResponse>>(label, value),
            (_, ["service_accounts"] | ["service_accounts", _]) => {
                survives::<ServiceAccountResponse>(label, value);
            }
            ("GET", ["service_accounts", _, "api_keys"]) => {
                survives::<PageResponse<ApiKeyResponse>>(label, value);
            }
            (_, ["service_accounts", _, "api_keys", ..]) => survives::<ApiKeyResponse>(label, value),
            (_, ["projects"]) => survives::<PageResponse<ProjectResponse>>(label, value),
            (_, ["projects" | "workspaces", _]) => survives::<ProjectResponse>(label, value),
            (_, ["stacks"]) => survives::<PageResponse<StackResponse>>(label, value),
            (_, ["stacks", _]) => survives::<StackResponse>(label, value),
            (method, steps) => panic!("{label}: nobody reads {method} {steps:?}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 267);
}

#[test]
fn every_request_is_read_or_refused_as_it_was() {
    for (label, exchange) in exchanges() {
        let body = exchange.request.as_deref().unwrap_or_default().as_bytes();
        let (method, steps) = (exchange.method.as_str(), exchange.steps());
        // A negative retention was accepted; we refuse it on purpose. Releases from 0.70 on want a content type; we don't.
        let on_purpose =
            exchange.note.contains("negative retention") || exchange.note.contains("without a content type");
        let outcome = match (method, steps.as_slice()) {
            ("POST", ["login"]) => {
                // Whether a login is good is for the server to say; here only a request that is no login at all is refused.
                let refused = exchange.status == 400 && exchange.response.get("error").is_none();
                let read = LoginRequest::from_form(body);
                assert_eq!(read.is_err(), refused, "{label}: {read:?}");
                continue;
            }
            ("POST", ["device_authorization"]) => DeviceAuthorizationRequest::from_form(body).err(),
            ("PUT", ["devices", _]) => DeviceUpdate::from_json(body).err(),
            ("PUT", ["devices", _, "verify"]) => DeviceVerifyRequest::from_json(body).err(),
            ("POST", ["service_accounts"]) => ServiceAccountRequest::from_json(body).err(),
            ("PUT", ["service_accounts", _]) => ServiceAccountUpdate::from_json(body).err(),
            ("POST", ["service_accounts", _, "api_keys"]) => ApiKeyRequest::from_json(body).err(),
            ("PUT", ["service_accounts", _, "api_keys", _]) => ApiKeyUpdate::from_json(body).err(),
            ("PUT", ["service_accounts", _, "api_keys", _, "rotate"]) => {
                ApiKeyRotateRequest::from_json(body).err()
            }
            ("POST", ["users"]) => UserRequest::from_json(body).err(),
            ("PUT", ["users", _] | ["current-user"]) => UserUpdate::from_json(body).err(),
            ("GET", ["service_accounts"]) => ListQuery::<ServiceAccountField>::parse(exchange.query()).err(),
            ("GET", ["service_accounts", _, "api_keys"]) => {
                ListQuery::<ApiKeyField>::parse(exchange.query()).err()
            }
            ("GET", ["users"]) => ListQuery::<UserField>::parse(exchange.query()).err(),
            ("GET", ["devices"]) => ListQuery::<DeviceField>::parse(exchange.query()).err(),
            _ => continue,
        };
        if on_purpose {
            assert_eq!(
                outcome.is_some(),
                exchange.note.contains("negative retention"),
                "{label}"
            );
            continue;
        }
        match outcome {
            None => assert_ne!(
                exchange.status, 422,
                "{label} was refused with {}",
                exchange.response
            ),
            Some(errors) => {
                assert_eq!(exchange.status, 422, "{label}: {errors}");
                let mut ours = serde_json::to_value(errors.to_body()).unwrap();
                // ZenML's servers have no codes.
                if let Value::Object(body) = &mut ours {
                    assert_eq!(body.remove("code"), Some("validation_failed".into()), "{label}");
                }
                assert_eq!(shape(&ours), shape(&newer(&exchange.response)), "{label}");
            }
        }
    }
}

/// What 0.58's framework answered by itself, 0.98 answers in its own form.
fn newer(recorded: &Value) -> Value {
    match recorded.get("detail") {
        Some(Value::Array(items)) if items.iter().all(Value::is_object) => {
            serde_json::json!({"detail": ["ValueError", "…"]})
        }
        _ => recorded.clone(),
    }
}

/// A value without its texts, but for class names.
fn shape(value: &Value) -> Value {
    match value {
        Value::String(text) if text.ends_with("Error") => value.clone(),
        Value::String(_) => Value::from("text"),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect(),
        other => other.clone(),
    }
}

fn moment() -> Timestamp {
    "2026-11-23T18:51:37.454712".parse().unwrap()
}

fn ann() -> User {
    User {
        id: UserId::from_random([1; 16]),
        name: Name::new("ann").unwrap(),
        full_name: Text::default(),
        email: None,
        email_opted_in: None,
        active: true,
        is_admin: true,
        password: None,
        password_changed: None,
        invitation: None,
        credentials_gen: 1,
        metadata: Some(r#"{"primary_use":"personal"}"#.to_owned()),
        default_project_id: None,
        avatar_url: None,
        created: moment(),
        updated: moment(),
        version: Version::FIRST,
    }
}

fn laptop() -> Device {
    Device {
        id: DeviceId::from_random([2; 16]),
        user_id: ann().id,
        client_id: ClientId::from_random([3; 16]),
        state: DeviceState::Active,
        trusted: true,
        expires: moment(),
        traits: DeviceTraits::default(),
        token_gen: 1,
        last_login: Some(moment()),
        last_used_from: UsedFrom::default(),
        created: moment(),
        updated: moment(),
        version: Version::FIRST,
    }
}

fn request() -> DeviceGrant {
    DeviceGrant {
        id: GrantId::from_random([4; 16]),
        client_id: ClientId::from_random([3; 16]),
        device_code: SecretHash::from_bytes([0; 32]),
        user_code: zenml_auth_model::CodeMac::from_bytes([0; 32]),
        traits: DeviceTraits::default(),
        polling: Polling {
            interval: std::time::Duration::from_secs(5),
            last: None,
        },
        failed_attempts: 1,
        state: GrantState::Pending,
        created: moment(),
        updated: moment(),
        expires: moment(),
        version: Version::FIRST,
    }
}

fn ci() -> ServiceAccount {
    ServiceAccount {
        id: ServiceAccountId::from_random([5; 16]),
        name: Name::new("ci").unwrap(),
        full_name: Text::default(),
        description: Text::new("for CI").unwrap(),
        avatar_url: None,
        active: true,
        created: moment(),
        updated: moment(),
        version: Version::FIRST,
    }
}

fn key() -> ApiKey {
    ApiKey {
        id: ApiKeyId::from_random([6; 16]),
        service_account_id: ci().id,
        name: Name::new("default").unwrap(),
        description: Text::default(),
        active: true,
        current: KeyGeneration {
            number: 1,
            hash: SecretHash::from_bytes([0; 32]),
        },
        retained: None,
        retain_period_minutes: 0,
        expires: None,
        last_login: None,
        last_used_from: UsedFrom::default(),
        last_rotated: None,
        created: moment(),
        updated: moment(),
        version: Version::FIRST,
    }
}

fn server() -> ServerIdentity {
    let id = |byte| uuid::Uuid::from_bytes([byte; 16]);
    ServerIdentity {
        id: ServerId::from_random([7; 16]),
        secret: KeptSecret::Plain([0; 32].into()),
        project_id: id(8),
        stack_id: id(9),
        orchestrator_id: id(10),
        artifact_store_id: id(11),
        created: moment(),
    }
}

/// The names of the fields that lead to every value, and the JSON types found there; list items count as one.
fn outline(value: &Value, path: &str, found: &mut BTreeSet<(String, &'static str)>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    found.insert((path.to_owned(), kind));
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                outline(value, &format!("{path}.{name}"), found);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| outline(item, &format!("{path}[]"), found)),
        _ => {}
    }
}

/// Every field that any recorded answer of these endpoints has, as it reads with all of them joined.
fn recorded_outline(wanted: impl Fn(&Exchange) -> bool) -> BTreeSet<(String, &'static str)> {
    let mut found = BTreeSet::new();
    for (_, exchange) in exchanges().filter(|(_, exchange)| exchange.status < 400 && wanted(exchange)) {
        match exchange.response.get("items").and_then(Value::as_array) {
            Some(items) => items.iter().for_each(|item| outline(item, "", &mut found)),
            None => outline(&exchange.response, "", &mut found),
        }
    }
    found
}

/// What we write has every field of every release, of a type that was recorded there.
fn is_superset(name: &str, written: &[Value], wanted: impl Fn(&Exchange) -> bool) {
    let mut ours = BTreeSet::new();
    written.iter().for_each(|value| outline(value, "", &mut ours));
    let theirs = recorded_outline(wanted);
    assert!(!theirs.is_empty(), "{name}");
    let our_paths: BTreeSet<_> = ours.iter().map(|(path, _)| path).collect();
    for (path, _) in &theirs {
        // The part that breaks older clients is left out on purpose.
        if !path.contains(".deployer") {
            assert!(our_paths.contains(path), "{name}: `{path}` is missing");
        }
    }
    for (path, kind) in &ours {
        let kinds: Vec<_> = theirs
            .iter()
            .filter(|(other, _)| other == path)
            .map(|(_, kind)| *kind)
            .collect();
        let new_in_ours = kinds.is_empty() || *kind == "null" || kinds == ["null"];
        assert!(
            new_in_ours || kinds.contains(kind),
            "{name}: `{path}` is {kind}, was {kinds:?}"
        );
    }
}

fn json(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn what_we_answer_has_every_field_of_every_release() {
    let approved = GrantState::Approved {
        by: ann().id,
        credentials_gen: 1,
        trusted: true,
        at: moment(),
    };
    let secret = Secret::new("secret");
    is_superset(
        "device",
        &[
            json(DeviceResponse::from_device(&laptop(), &ann(), Hydrate::Yes)),
            json(DeviceResponse::from_grant(&request(), None, Hydrate::Yes)),
            json(DeviceResponse::from_grant(
                &DeviceGrant {
                    state: approved,
                    ..request()
                },
                Some(&ann()),
                Hydrate::Yes,
            )),
        ],
        |exchange| exchange.method != "DELETE" && exchange.steps().first() == Some(&"devices"),
    );
    is_superset(
        "user",
        &[
            json(UserResponse::from_user(&ann(), Hydrate::Yes, Some(&secret))),
            json(UserResponse::from_service_account(&ci(), Hydrate::Yes)),
        ],
        |exchange| {
            exchange.method != "DELETE"
                && matches!(exchange.steps().first(), Some(&("users" | "current-user")))
        },
    );
    is_superset(
        "service account",
        &[json(ServiceAccountResponse::from_account(&ci(), Hydrate::Yes))],
        |exchange| {
            exchange.method != "DELETE"
                && matches!(exchange.steps().as_slice(), ["service_accounts", rest @ ..] if rest.len() < 2)
        },
    );
    is_superset(
        "API key",
        &[
            json(ApiKeyResponse::from_key(
                &key(),
                &ci(),
                Hydrate::Yes,
                Some(&secret),
            )),
            json(ApiKeyResponse::from_key(&key(), &ci(), Hydrate::No, None)),
        ],
        |exchange| exchange.method != "DELETE" && exchange.steps().get(2) == Some(&"api_keys"),
    );
    is_superset(
        "project",
        &[json(ProjectResponse::of_server(&server(), Hydrate::Yes))],
        |exchange| matches!(exchange.steps().first(), Some(&("projects" | "workspaces"))),
    );
    is_superset(
        "stack",
        &[json(StackResponse::of_server(&server(), Hydrate::Yes))],
        |exchange| exchange.steps().first() == Some(&"stacks"),
    );
    is_superset(
        "info",
        &[json(InfoResponse::new(server().id, "default", "0.98.0"))],
        |exchange| exchange.steps() == ["info"],
    );
    is_superset(
        "token",
        &[json(TokenResponse::bearer(&secret, None))],
        |exchange| exchange.steps() == ["login"],
    );
}

#[test]
fn what_was_not_asked_for_is_null() {
    let device = json(DeviceResponse::from_device(&laptop(), &ann(), Hydrate::No));
    assert_eq!(device["metadata"], Value::Null);
    assert_eq!(device["resources"]["user"]["metadata"], Value::Null);
    assert_eq!(device["body"]["user"]["metadata"], Value::Null);
    assert_eq!(device["body"]["created"], "2026-11-23T18:51:37.454712");
    let answer = json(ApiKeyResponse::from_key(&key(), &ci(), Hydrate::Yes, None));
    assert_eq!(answer["body"]["key"], Value::Null);
    let user = json(UserResponse::from_user(&ann(), Hydrate::Yes, None));
    assert_eq!(user["body"]["activation_token"], Value::Null);
    assert_eq!(user["metadata"]["user_metadata"]["primary_use"], "personal");
}

#[test]
fn a_grant_shows_how_far_it_has_come() {
    let status = |state| {
        json(DeviceResponse::from_grant(
            &DeviceGrant { state, ..request() },
            None,
            Hydrate::Yes,
        ))
    };
    assert_eq!(status(GrantState::Pending)["body"]["status"], "pending");
    let approved = status(GrantState::Approved {
        by: ann().id,
        credentials_gen: 1,
        trusted: true,
        at: moment(),
    });
    assert_eq!(approved["body"]["status"], "verified");
    assert_eq!(approved["body"]["trusted_device"], true);
    assert_eq!(approved["body"]["user_id"], ann().id.to_string());
    assert_eq!(approved["metadata"]["failed_auth_attempts"], 1);
    let denied = GrantState::Denied {
        reason: zenml_auth_model::DenialReason::ByUser,
        at: moment(),
    };
    assert_eq!(status(denied)["body"]["status"], "locked");
}

#[test]
fn the_owner_is_found_in_every_release() {
    let mut owners = BTreeSet::new();
    for (label, exchange) in exchanges() {
        if exchange.note == "verify: trusted" {
            let device: DeviceResponse = read(&label, &exchange.response);
            owners.insert(device.owner().map(|user| user.name.clone()));
        }
    }
    assert_eq!(owners, BTreeSet::from([Some("default".to_owned())]));
}

#[test]
fn device_flow_errors_are_told_apart() {
    let mut codes = BTreeSet::new();
    for (label, exchange) in exchanges() {
        if exchange.response.get("error").is_some() {
            let error: OAuthErrorBody = read(&label, &exchange.response);
            codes.insert(error.error.as_str().to_owned());
        }
    }
    let expected = [
        "access_denied",
        "authorization_pending",
        "expired_token",
        "invalid_client",
    ];
    assert_eq!(codes, expected.map(str::to_owned).into());
}
