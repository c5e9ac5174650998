//! What makes no sense is refused in the wire's form, changes nothing and gives nothing away.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{Method, StatusCode};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zenml_auth_testkit::server::{TestResponse, TestServer, text};

const ACCOUNTS: &str = "/api/v1/service_accounts";
const KEYS: &str = "/api/v1/service_accounts/ci/api_keys";
const ROTATE: &str = "/api/v1/service_accounts/ci/api_keys/default/rotate";
const SECRET: &str = "hunter2-hunter2";

/// A server with one of everything, and what its listings say.
struct Subject {
    server: Arc<TestServer>,
    admin: String,
    key: String,
}

impl Subject {
    async fn new() -> Self {
        let server = Arc::new(TestServer::start().await);
        let admin = server.admin().await;
        let key = server.api_key(&admin, "ci", "default").await;
        server
            .connect_device(&admin, "77ec22a2-335b-4130-ba6c-1e1c371236a7", true)
            .await;
        server.user("ann").await;
        Self { server, admin, key }
    }

    async fn state(&self) -> Vec<Value> {
        let mut listings = Vec::new();
        for path in ["/api/v1/users", ACCOUNTS, KEYS, "/api/v1/devices"] {
            let path = format!("{path}?hydrate=true&size=1000");
            let mut listing = self.server.get(&path).bearer(&self.admin).send().await.json();
            // When something was last used is no change of it.
            for item in listing["items"].as_array_mut().unwrap() {
                item["metadata"]["last_login"] = Value::Null;
            }
            listings.push(listing);
        }
        listings
    }
}

/// Refused as `status`, in the wire's form, with an id to ask the operator about, and without repeating secrets.
#[track_caller]
fn refused(answer: &TestResponse, status: StatusCode, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json", "{what}");
    assert!(!answer.header("x-request-id").is_empty(), "{what}");
    let body = answer.json();
    assert!(
        body.get("detail").is_some() || body.get("error").is_some() || body.is_array(),
        "{what}: {body}"
    );
    assert!(
        !answer.text().contains(SECRET),
        "{what} repeats a secret: {}",
        answer.text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_make_no_sense() {
    let subject = Subject::new().await;
    let before = subject.state().await;
    let long = "x".repeat(256);
    let users = "/api/v1/users";
    let me = "/api/v1/current-user";
    let invalid = StatusCode::UNPROCESSABLE_ENTITY;
    let table: Vec<(Method, &str, Vec<u8>, StatusCode)> = vec![
        (Method::POST, ACCOUNTS, b"".to_vec(), invalid),
        (Method::POST, ACCOUNTS, b"{".to_vec(), invalid),
        (Method::POST, ACCOUNTS, b"[]".to_vec(), invalid),
        (Method::POST, ACCOUNTS, b"null".to_vec(), invalid),
        (Method::POST, ACCOUNTS, b"\"ci\"".to_vec(), invalid),
        (Method::POST, ACCOUNTS, b"{\"name\":\"\xff\"}".to_vec(), invalid),
        (Method::POST, ACCOUNTS, "[".repeat(100_000).into_bytes(), invalid),
        (
            Method::POST,
            ACCOUNTS,
            json!({}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": null}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": 7}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": ""}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": long}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": "a\nb"}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": "a\u{0}b"}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": " ci2"}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": "8e7f2a67-e953-4ef7-b395-39f4924716b7"})
                .to_string()
                .into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": "x", "active": "maybe"}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": "x", "description": 7}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": "x", "description": "y".repeat(20_000)})
                .to_string()
                .into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            ACCOUNTS,
            json!({"name": "ci"}).to_string().into_bytes(),
            StatusCode::CONFLICT,
        ),
        (
            Method::POST,
            KEYS,
            json!({"name": "default"}).to_string().into_bytes(),
            StatusCode::CONFLICT,
        ),
        (
            Method::POST,
            KEYS,
            json!({"name": "k", "expires_in": -1}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            KEYS,
            json!({"name": "k", "expires_in": 0}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::PUT,
            ROTATE,
            json!({"retain_period_minutes": -1}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::PUT,
            ROTATE,
            json!({"retain_period_minutes": 525_601}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::PUT,
            ROTATE,
            json!({"retain_period_minutes": 1e300}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::PUT,
            ROTATE,
            json!({"retain_period_minutes": 1.5}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::PUT,
            ROTATE,
            json!({"retain_period_minutes": "soon"}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::PUT,
            ROTATE,
            json!({"retain_period_minutes": [60]}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            users,
            json!({"name": "default", "password": SECRET})
                .to_string()
                .into_bytes(),
            StatusCode::CONFLICT,
        ),
        (
            Method::POST,
            users,
            json!({"name": "b", "password": "short"}).to_string().into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            users,
            json!({"name": "b", "password": [SECRET]})
                .to_string()
                .into_bytes(),
            invalid,
        ),
        (
            Method::POST,
            users,
            json!({"name": "b", "password": "x".repeat(256)})
                .to_string()
                .into_bytes(),
            invalid,
        ),
        (
            Method::PUT,
            me,
            json!({"password": SECRET, "old_password": "wrong"})
                .to_string()
                .into_bytes(),
            StatusCode::FORBIDDEN,
        ),
        (
            Method::PUT,
            me,
            json!({"password": SECRET}).to_string().into_bytes(),
            StatusCode::FORBIDDEN,
        ),
        (
            Method::PUT,
            me,
            json!({"name": "ann"}).to_string().into_bytes(),
            StatusCode::CONFLICT,
        ),
        (
            Method::PUT,
            "/api/v1/users/ann/activate",
            json!({"password": SECRET, "activation_token": "x"})
                .to_string()
                .into_bytes(),
            StatusCode::UNAUTHORIZED,
        ),
        (
            Method::PUT,
            "/api/v1/users/nobody/activate",
            json!({"password": SECRET, "activation_token": "x"})
                .to_string()
                .into_bytes(),
            StatusCode::UNAUTHORIZED,
        ),
        (
            Method::PUT,
            "/api/v1/users/ann/activate",
            json!({"activation_token": "x"}).to_string().into_bytes(),
            invalid,
        ),
    ];
    for (method, path, body, status) in table {
        let what = format!(
            "{method} {path} {}",
            String::from_utf8_lossy(&body)
                .chars()
                .take(80)
                .collect::<String>()
        );
        let answer = subject
            .server
            .request(method, path)
            .bearer(&subject.admin)
            .body(body)
            .send()
            .await;
        refused(&answer, status, &what);
    }
    assert_eq!(subject.state().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_nobody_knows_are_ignored() {
    let subject = Subject::new().await;
    let body = json!({"name": "newer", "active": true, "colour": "red", "nested": {"deep": [1, 2, 3]}});
    let answer = subject
        .server
        .post(ACCOUNTS)
        .bearer(&subject.admin)
        .json(&body)
        .send()
        .await;
    answer.expect(StatusCode::OK);
}

const DEVICE: &str = "/api/v1/devices/00000000-0000-0000-0000-000000000000";
const SMALL: usize = 16_384;
const LARGE: usize = 131_072;

/// Routes with a body: their handler, whether strangers may send it, and how many bytes it may have.
const BODIES: [(&str, Method, &str, bool, usize); 23] = [
    ("login::login", Method::POST, "/api/v1/login", true, SMALL),
    (
        "device_authorization::request",
        Method::POST,
        "/api/v1/device_authorization",
        true,
        SMALL,
    ),
    (
        "users::activate",
        Method::PUT,
        "/api/v1/users/ann/activate",
        true,
        SMALL,
    ),
    ("sign_in::submit", Method::POST, "/login", true, SMALL),
    ("sign_in::sign_out", Method::POST, "/logout", true, SMALL),
    ("activate::submit", Method::POST, "/activate-user", true, SMALL),
    ("activate::submit", Method::POST, "/signup", true, SMALL),
    ("password::submit", Method::POST, "/password", true, SMALL),
    ("device::enter_code", Method::POST, "/devices/verify", true, SMALL),
    (
        "device::decide",
        Method::POST,
        "/devices/verify/decision",
        true,
        SMALL,
    ),
    (
        "devices::lock",
        Method::POST,
        "/devices/00000000-0000-0000-0000-000000000000/lock",
        true,
        SMALL,
    ),
    (
        "devices::unlock",
        Method::POST,
        "/devices/00000000-0000-0000-0000-000000000000/unlock",
        true,
        SMALL,
    ),
    (
        "users::email_opt_in",
        Method::PUT,
        "/api/v1/users/ann/email-opt-in",
        false,
        SMALL,
    ),
    ("api_keys::rotate", Method::PUT, ROTATE, false, SMALL),
    ("devices::update", Method::PUT, DEVICE, false, SMALL),
    (
        "devices::verify",
        Method::PUT,
        "/api/v1/devices/00000000-0000-0000-0000-000000000000/verify",
        false,
        SMALL,
    ),
    ("users::create", Method::POST, "/api/v1/users", false, LARGE),
    ("users::update", Method::PUT, "/api/v1/users/ann", false, LARGE),
    (
        "current_user::update",
        Method::PUT,
        "/api/v1/current-user",
        false,
        LARGE,
    ),
    ("service_accounts::create", Method::POST, ACCOUNTS, false, LARGE),
    (
        "service_accounts::update",
        Method::PUT,
        "/api/v1/service_accounts/ci",
        false,
        LARGE,
    ),
    ("api_keys::create", Method::POST, KEYS, false, LARGE),
    (
        "api_keys::update",
        Method::PUT,
        "/api/v1/service_accounts/ci/api_keys/default",
        false,
        LARGE,
    ),
];

/// Routes that change something and have no body.
const WITHOUT_BODY: [(&str, Method, &str); 6] = [
    ("devices::delete", Method::DELETE, DEVICE),
    (
        "service_accounts::delete",
        Method::DELETE,
        "/api/v1/service_accounts/none",
    ),
    (
        "api_keys::delete",
        Method::DELETE,
        "/api/v1/service_accounts/ci/api_keys/none",
    ),
    ("users::delete", Method::DELETE, "/api/v1/users/none"),
    ("users::deactivate", Method::PUT, "/api/v1/users/none/deactivate"),
    ("login::logout", Method::POST, "/api/v1/logout"),
];

/// The handlers of pages with one of these methods, as their router names them.
fn page_handlers() -> BTreeSet<&'static str> {
    let router = include_str!("../../src/pages/mod.rs");
    let methods = ["post(", "put(", "patch(", "delete(", "any("];
    methods
        .iter()
        .flat_map(|method| router.match_indices(method))
        .map(|(at, method)| &router[at + method.len()..])
        .filter_map(|rest| rest.split(')').next())
        .filter(|handler| handler.contains("::") && !handler.contains([' ', '(']))
        .collect()
}

/// Whether a path is one of those that an endpoint has.
fn is_of(path: &str, endpoint: &str) -> bool {
    let (parts, of): (Vec<_>, Vec<_>) = (path.split('/').collect(), endpoint.split('/').collect());
    let fits = |(part, of): (&&str, &&str)| of.starts_with('{') || part == of;
    parts.len() == of.len() && parts.iter().zip(&of).all(fits)
}

#[test]
fn every_route_that_takes_a_body_is_tried() {
    let tried: BTreeSet<_> = BODIES
        .iter()
        .filter(|(_, _, path, ..)| !path.starts_with("/api/"))
        .map(|(handler, ..)| *handler)
        .collect();
    assert!(tried.len() >= 8, "{tried:?}");
    assert_eq!(page_handlers(), tried);

    let description = serde_json::to_value(zenml_auth_server::routes::description()).unwrap();
    let mut with_body = 0;
    for (endpoint, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let is_tried = |(tried, path): (&Method, &str)| {
                tried.as_str().eq_ignore_ascii_case(method) && is_of(path, endpoint)
            };
            if operation["requestBody"].is_object() {
                with_body += 1;
                let mut bodies = BODIES.iter().map(|(_, method, path, ..)| (method, *path));
                assert!(bodies.any(is_tried), "{method} {endpoint} with a body");
            } else if method != "get" {
                let mut others = WITHOUT_BODY.iter().map(|(_, method, path)| (method, *path));
                assert!(others.any(is_tried), "{method} {endpoint} without a body");
            }
        }
    }
    assert!(with_body >= 14, "{with_body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_without_a_body_ask_for_none() {
    let subject = Subject::new().await;
    for (_, method, path) in WITHOUT_BODY {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\
             expect: 100-continue\r\n\r\n",
            subject.admin,
            1024 * 1024
        );
        let answer = answer_to_head(&subject, &head).await;
        let status = answer.split(' ').nth(1).unwrap();
        assert!(["200", "404"].contains(&status), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_more_than_its_route_takes() {
    let subject = Subject::new().await;
    for (_, method, path, is_open, most) in BODIES {
        let send = |bytes: usize| {
            let request = subject.server.request(method.clone(), path);
            let request = if is_open {
                request
            } else {
                request.bearer(&subject.admin)
            };
            request.body(vec![b' '; bytes]).send()
        };
        let just = send(most).await;
        assert_ne!(just.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        assert!(just.status.as_u16() < 500, "{path}: {just:?}");
        let over = send(most + 1).await;
        if path.starts_with("/api") {
            refused(&over, StatusCode::PAYLOAD_TOO_LARGE, path);
        } else {
            over.expect(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let large = send(1024 * 1024).await;
        large.expect(StatusCode::PAYLOAD_TOO_LARGE);
    }
}

/// Sends a head, and gives what comes back until the server closes the connection, without sending a body.
async fn answer_to_head(subject: &Subject, head: &str) -> String {
    let mut stream = TcpStream::connect(subject.server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let count = stream.read(&mut answer).await.unwrap();
    answer.truncate(count);
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_never_asked_for() {
    let subject = Subject::new().await;
    for (_, method, path, is_open, most) in BODIES {
        let credential = if is_open {
            String::new()
        } else {
            format!("authorization: Bearer {}\r\n", subject.admin)
        };
        let head = |length: usize, credential: &str| {
            format!(
                "{method} {path} HTTP/1.1\r\nhost: x\r\n{credential}content-length: {length}\r\n\
                 expect: 100-continue\r\n\r\n"
            )
        };
        let answer = answer_to_head(&subject, &head(most + 1, &credential)).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{path}: {answer}");
        let answer = answer_to_head(&subject, &head(most, &credential)).await;
        assert!(answer.starts_with("HTTP/1.1 100 "), "{path}: {answer}");
        if !is_open {
            let answer = answer_to_head(&subject, &head(most, "")).await;
            assert!(answer.starts_with("HTTP/1.1 401 "), "{path}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_more_than_sixteen_kibibytes() {
    let subject = Subject::new().await;
    let one = format!("x-large: {}\r\n", "x".repeat(20_000));
    let many = "x: y\r\n".repeat(150);
    for headers in [one, many] {
        let head = format!("GET /health HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let answer = answer_to_head(&subject, &head).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_lead_nowhere() {
    let subject = Subject::new().await;
    let before = subject.state().await;
    let nil = "00000000-0000-0000-0000-000000000000";
    for (method, path, status) in [
        (
            Method::GET,
            "/api/v1/devices/xyz".to_owned(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            Method::GET,
            format!("/api/v1/devices/{nil}"),
            StatusCode::NOT_FOUND,
        ),
        (
            Method::DELETE,
            format!("/api/v1/devices/{nil}"),
            StatusCode::NOT_FOUND,
        ),
        (Method::GET, "/api/v1/users/%00".to_owned(), StatusCode::NOT_FOUND),
        (Method::GET, "/api/v1/users/%ff".to_owned(), StatusCode::NOT_FOUND),
        (
            Method::GET,
            "/api/v1/users/'%20OR%201=1--".to_owned(),
            StatusCode::NOT_FOUND,
        ),
        (Method::GET, format!("/api/v1/users/{nil}"), StatusCode::NOT_FOUND),
        (
            Method::DELETE,
            "/api/v1/users/nobody".to_owned(),
            StatusCode::NOT_FOUND,
        ),
        (Method::GET, format!("{ACCOUNTS}/nobody"), StatusCode::NOT_FOUND),
        (Method::GET, format!("{KEYS}/nokey"), StatusCode::NOT_FOUND),
        (
            Method::PUT,
            format!("{ACCOUNTS}/nobody/api_keys/k/rotate"),
            StatusCode::NOT_FOUND,
        ),
        (
            Method::GET,
            "/api/v1/stacks/default".to_owned(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            Method::GET,
            format!("/api/v1/stacks/{nil}"),
            StatusCode::NOT_FOUND,
        ),
        (
            Method::GET,
            "/api/v1/projects/other".to_owned(),
            StatusCode::NOT_FOUND,
        ),
        (Method::GET, "/api/v1/pipelines".to_owned(), StatusCode::NOT_FOUND),
        (
            Method::GET,
            "/api/v1/../../etc/passwd".to_owned(),
            StatusCode::NOT_FOUND,
        ),
        (
            Method::DELETE,
            "/api/v1/current-user".to_owned(),
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (Method::PATCH, ACCOUNTS.to_owned(), StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = subject
            .server
            .request(method.clone(), &path)
            .bearer(&subject.admin)
            .body("{}")
            .send()
            .await;
        refused(&answer, status, &format!("{method} {path}"));
    }
    assert_eq!(subject.state().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_that_make_no_sense() {
    let subject = Subject::new().await;
    let invalid = StatusCode::UNPROCESSABLE_ENTITY;
    for (query, status) in [
        ("size=0", invalid),
        ("size=-1", invalid),
        ("size=10001", invalid),
        ("size=many", invalid),
        ("page=0", invalid),
        ("page=99999999999999999999", invalid),
        ("page=99", StatusCode::BAD_REQUEST),
        ("sort_by=desc:colour", invalid),
        ("sort_by=sideways:name", invalid),
        ("logical_operator=xor", invalid),
        ("hydrate=perhaps", invalid),
        ("created=soon", invalid),
        ("created=gt:2026-99-99", invalid),
        ("created=in:2026-01-01", invalid),
        ("active=contains:tr", invalid),
        ("active=maybe", invalid),
        ("name=oneof:[1,", invalid),
        ("name=gt:a", invalid),
    ] {
        let path = format!("{ACCOUNTS}?{query}");
        refused(
            &subject.server.get(&path).bearer(&subject.admin).send().await,
            status,
            query,
        );
    }
    let many = (0..40)
        .map(|number| format!("name=contains:{number}"))
        .collect::<Vec<_>>()
        .join("&");
    let path = format!("{ACCOUNTS}?{many}");
    refused(
        &subject.server.get(&path).bearer(&subject.admin).send().await,
        invalid,
        "forty filters",
    );
    // A list of a thousand values will do, however it is written, and one of more will not.
    let values = |count: usize| vec!["a"; count];
    for operator in ["oneof", "notoneof"] {
        for (count, status) in [(1_000, StatusCode::OK), (1_001, invalid)] {
            let commas = values(count).join(",");
            let json = format!("[%22{}%22]", values(count).join("%22,%22"));
            for list in [&commas, &json] {
                let path = format!("{ACCOUNTS}?name={operator}:{list}");
                let answer = subject.server.get(&path).bearer(&subject.admin).send().await;
                if status == invalid {
                    refused(&answer, status, "a long list");
                    assert!(
                        answer.text().contains("a list has at most 1000 values"),
                        "{answer:?}"
                    );
                }
                answer.expect(status);
            }
        }
    }
    for harmless in [
        "colour=red",
        "name=%ff",
        "id=equals:x",
        "name=%27%3B+DROP+TABLE+users",
        "&&==&",
    ] {
        let path = format!("{ACCOUNTS}?{harmless}");
        subject
            .server
            .get(&path)
            .bearer(&subject.admin)
            .send()
            .await
            .expect(StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_none() {
    let subject = Subject::new().await;
    let token = subject.admin.clone();
    let mut shown: Vec<String> = vec![
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Basic {token}"),
        token.clone(),
        format!("Bearer {token} x"),
        format!("Bearer {}", token.replace('.', "")),
        format!("Bearer {}.", token.rsplit_once('.').unwrap().0),
        "Bearer ZENKEY_garbage".to_owned(),
        "Bearer ..".to_owned(),
    ];
    // `{"alg":"none"}`
    let (_, rest) = token.split_once('.').unwrap();
    shown.push(format!(
        "Bearer eyJhbGciOiJub25lIn0.{}.",
        rest.split_once('.').unwrap().0
    ));
    shown.extend(
        (0..subject.key.len())
            .step_by(7)
            .map(|end| format!("Bearer {}", &subject.key[..end])),
    );
    shown.extend(
        (0..token.len())
            .step_by(11)
            .map(|end| format!("Bearer {}", &token[..end])),
    );
    for value in shown {
        let answer = subject
            .server
            .get("/api/v1/current-user")
            .header("authorization", &value)
            .send()
            .await;
        refused(&answer, StatusCode::UNAUTHORIZED, &value);
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{value}");
    }
    let two = subject
        .server
        .get("/api/v1/current-user")
        .bearer(&token)
        .bearer(&token)
        .send()
        .await;
    refused(&two, StatusCode::UNAUTHORIZED, "two credentials");
    let cookie = format!("zenml-auth-session={token}; token={token}");
    let cookies = subject
        .server
        .get("/api/v1/current-user")
        .header("cookie", &cookie)
        .send()
        .await;
    refused(&cookies, StatusCode::UNAUTHORIZED, "a cookie");
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_that_make_no_sense() {
    let subject = Subject::new().await;
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    for (form, status) in [
        (vec![], StatusCode::BAD_REQUEST),
        (vec![("grant_type", "foo")], StatusCode::BAD_REQUEST),
        (vec![("grant_type", "password")], StatusCode::BAD_REQUEST),
        (vec![("username", "default")], StatusCode::UNAUTHORIZED),
        (
            vec![("username", "default"), ("password", SECRET)],
            StatusCode::UNAUTHORIZED,
        ),
        (
            vec![("username", "nobody"), ("password", SECRET)],
            StatusCode::UNAUTHORIZED,
        ),
        (
            vec![("username", "default"), ("username", "ann"), ("password", SECRET)],
            StatusCode::BAD_REQUEST,
        ),
        (
            vec![("grant_type", "zenml-api-key"), ("password", SECRET)],
            StatusCode::UNAUTHORIZED,
        ),
        (vec![("grant_type", "zenml-api-key")], StatusCode::BAD_REQUEST),
        (vec![("grant_type", device)], StatusCode::BAD_REQUEST),
        (
            vec![("grant_type", device), ("client_id", "x"), ("device_code", "y")],
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let answer = subject.server.post("/api/v1/login").form(&form).send().await;
        refused(&answer, status, &format!("{form:?}"));
    }
    let unknown = subject
        .server
        .post("/api/v1/login")
        .form(&[("username", "nobody"), ("password", SECRET)])
        .send()
        .await;
    let wrong = subject
        .server
        .post("/api/v1/login")
        .form(&[("username", "ann"), ("password", SECRET)])
        .send()
        .await;
    assert_eq!(
        unknown.json()["detail"],
        wrong.json()["detail"],
        "strangers don't learn who exists"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_lie() {
    let subject = Subject::new().await;
    for raw in [
        "GET /api/v1/info HTTP/1.1\r\nHost: x\r\nContent-Length: nonsense\r\n\r\n".to_owned(),
        "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello"
            .to_owned(),
        "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        format!(
            "GET /api/v1/info HTTP/1.1\r\nHost: x\r\nX-Filler: {}\r\n\r\n",
            "x".repeat(600_000)
        ),
        "GET /api/v1/info HTTP/1.1\r\nHost: x\r\nX-Bad\u{0}: y\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}".to_owned(),
    ] {
        let mut stream = TcpStream::connect(subject.server.address).await.unwrap();
        // The server may hang up before all of it is written.
        let _ = stream.write_all(raw.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let head = String::from_utf8_lossy(&answer)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        assert!(head.is_empty() || head.contains(" 4"), "{head}");
    }
    let odd = subject
        .server
        .get("/api/v1/info")
        .header("x-request-id", "<script>alert(1)</script>")
        .header("x-forwarded-for", "not an address")
        .header("user-agent", "Host/<b>red ZenML/ OS")
        .send()
        .await;
    odd.expect(StatusCode::OK);
    assert!(!odd.header("x-request-id").contains('<'));
    let kept = subject
        .server
        .get("/api/v1/info")
        .header("x-request-id", "trace-0123")
        .send()
        .await;
    assert_eq!(kept.header("x-request-id"), "trace-0123");
    subject.server.get("/health").send().await.expect(StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_with_the_wrong_alphabet() {
    let subject = Subject::new().await;
    let asked = subject
        .server
        .request_device("1312a7a1-f68c-4e79-a01c-1f2fdf454f8e")
        .await;
    let id = zenml_auth_testkit::server::device_id(&asked);
    let path = format!("/api/v1/devices/{id}/verify");
    for code in ["AEIO-UAEI", "1234-5678"] {
        let answer = subject
            .server
            .change(&subject.admin, &path, &json!({"user_code": code}))
            .await;
        refused(&answer, StatusCode::BAD_REQUEST, code);
    }
    for body in [
        json!({}),
        json!({"user_code": 7}),
        json!({"user_code": asked["user_code"], "trusted_device": "so so"}),
    ] {
        let answer = subject.server.change(&subject.admin, &path, &body).await;
        refused(&answer, StatusCode::UNPROCESSABLE_ENTITY, &body.to_string());
    }
    let right = json!({"user_code": text(&asked["user_code"]).to_lowercase().replace('-', " ")});
    subject
        .server
        .change(&subject.admin, &path, &right)
        .await
        .expect(StatusCode::OK);
}

/// Whatever is thrown at any endpoint, the server answers, and never with its own failure.
#[tokio::test(flavor = "multi_thread")]
async fn noise_never_makes_the_server_fail() {
    let subject = Subject::new().await;
    let segment = "([a-z0-9_.%{}'-]{0,12}|%00|%ff|\\.\\.|default|ci|ann)";
    let path = prop::sample::select(vec![
        "/api/v1/login",
        "/api/v1/device_authorization",
        "/api/v1/current-user",
        "/api/v1/devices/{}",
        "/api/v1/devices/{}/verify",
        "/api/v1/users",
        "/api/v1/users/{}",
        "/api/v1/users/{}/activate",
        "/api/v1/users/{}/email-opt-in",
        "/api/v1/service_accounts",
        "/api/v1/service_accounts/{}",
        "/api/v1/service_accounts/ci/api_keys/{}",
        "/api/v1/service_accounts/ci/api_keys/{}/rotate",
        "/api/v1/api_token",
        "/api/v1/projects/{}",
        "/api/v1/stacks/{}",
        "/devices/verify",
        "/login",
        "/activate-user",
        "/devices/verify/decision",
        "/{}",
    ]);
    let method = prop::sample::select(vec![Method::GET, Method::POST, Method::PUT]);
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        "[a-z_]{1,12}=[a-zA-Z0-9%+&=]{0,40}".prop_map(String::into_bytes),
        (
            prop::sample::select(vec![
                "name",
                "active",
                "password",
                "user_code",
                "locked",
                "retain_period_minutes",
                "email"
            ]),
            prop_oneof![
                any::<i64>().prop_map(|number| json!(number)),
                any::<f64>().prop_map(|number| json!(number)),
                ".{0,20}".prop_map(|text| json!(text)),
                any::<bool>().prop_map(|yes| json!(yes)),
                Just(Value::Null),
                Just(json!([[], {}])),
            ]
        )
            .prop_map(|(field, value)| json!({field: value}).to_string().into_bytes()),
    ];
    let noise = (
        method,
        path,
        segment,
        "[a-z_]{0,10}=[a-z:%0-9,\\[\\]]{0,20}",
        body,
    );
    let mut runner = TestRunner::deterministic();
    for _ in 0..600 {
        let (method, path, segment, query, body) = noise.new_tree(&mut runner).unwrap().current();
        let path = format!("{}?{query}", path.replace("{}", &segment));
        if path.parse::<http::Uri>().is_err() || path.contains("default") {
            continue;
        }
        let answer = subject
            .server
            .request(method.clone(), &path)
            .bearer(&subject.admin)
            .body(body.clone())
            .send()
            .await;
        let shown = String::from_utf8_lossy(&body).into_owned();
        assert!(
            answer.status.as_u16() < 500,
            "{method} {path} {shown}: {answer:?}"
        );
    }
    subject
        .server
        .current_user(&subject.admin)
        .await
        .expect(StatusCode::OK);
}
