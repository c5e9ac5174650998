//! A token never begets a stronger one: every kind of credential against every operation that gives something. And what
//! credentials are made of.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use zenml_auth_api::key::KeyText;
use zenml_auth_testkit::server::{ADMIN, PASSWORD, TestOptions, TestResponse, TestServer, device_id, text};

const HOUR: Duration = Duration::from_secs(3600);
const NEW_PASSWORD: &str = "another-Passw0rd";

/// What somebody comes with. All but the last two belong to the administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum With {
    FreshSignIn,
    OldSignIn,
    Device,
    MadeFromSignIn,
    MadeFromDevice,
    MadeFromMade,
    Key,
    KeyToken,
    MadeFromKey,
}

const CREDENTIALS: [With; 9] = [
    With::FreshSignIn,
    With::OldSignIn,
    With::Device,
    With::MadeFromSignIn,
    With::MadeFromDevice,
    With::MadeFromMade,
    With::Key,
    With::KeyToken,
    With::MadeFromKey,
];

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Approve,
    Trust,
    Unlock,
    ChangePassword,
    CreateAdministrator,
    MakeAdministrator,
    SwitchAdministratorOn,
    ActivationTokenOfAdministrator,
    CreateUser,
    InviteUser,
    SwitchUserOn,
    ActivationToken,
    CreateServiceAccount,
    SwitchServiceAccountOn,
    SwitchServiceAccountOff,
    DeleteServiceAccount,
    CreateKey,
    RotateKey,
    SwitchKeyOn,
    Lock,
    DeleteDevice,
    SwitchUserOff,
    SwitchKeyOff,
    DeleteKey,
    DeleteUser,
    SignOut,
}

/// What an operation asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// A person who signed in a short while ago.
    Person,
    /// Something that a person approved.
    Approved,
    /// Nothing more than the rights.
    Rights,
    /// Nothing more than to be known.
    Credential,
}

const OPERATIONS: [(Operation, Needs); 26] = [
    (Operation::Approve, Needs::Person),
    (Operation::Trust, Needs::Person),
    (Operation::Unlock, Needs::Person),
    (Operation::ChangePassword, Needs::Person),
    (Operation::CreateAdministrator, Needs::Person),
    (Operation::MakeAdministrator, Needs::Person),
    (Operation::SwitchAdministratorOn, Needs::Person),
    (Operation::ActivationTokenOfAdministrator, Needs::Person),
    (Operation::CreateUser, Needs::Approved),
    (Operation::InviteUser, Needs::Approved),
    (Operation::SwitchUserOn, Needs::Approved),
    (Operation::ActivationToken, Needs::Approved),
    (Operation::CreateServiceAccount, Needs::Approved),
    (Operation::SwitchServiceAccountOn, Needs::Approved),
    (Operation::CreateKey, Needs::Approved),
    (Operation::RotateKey, Needs::Approved),
    (Operation::SwitchKeyOn, Needs::Approved),
    (Operation::Lock, Needs::Rights),
    (Operation::DeleteDevice, Needs::Rights),
    (Operation::SwitchUserOff, Needs::Rights),
    (Operation::SwitchKeyOff, Needs::Rights),
    (Operation::DeleteKey, Needs::Rights),
    (Operation::DeleteUser, Needs::Rights),
    (Operation::SwitchServiceAccountOff, Needs::Rights),
    (Operation::DeleteServiceAccount, Needs::Rights),
    (Operation::SignOut, Needs::Credential),
];

/// The table of docs/security.md, in one function.
fn is_allowed(with: With, needs: Needs) -> bool {
    match (with, needs) {
        (_, Needs::Credential) => true,
        // Workloads never are administrators, nor have devices.
        (With::Key | With::KeyToken | With::MadeFromKey, _) => false,
        (With::FreshSignIn, _) | (_, Needs::Rights) => true,
        (With::OldSignIn | With::Device, Needs::Approved) => true,
        _ => false,
    }
}

/// Whether people without administrator rights may do it at all.
fn is_for_everybody(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Approve
            | Operation::Trust
            | Operation::Unlock
            | Operation::ChangePassword
            | Operation::Lock
            | Operation::DeleteDevice
            | Operation::SignOut
    )
}

/// A server on which everything is there that an operation can be done to.
struct World {
    server: TestServer,
    number: u32,
}

impl World {
    async fn new() -> Self {
        let mut options = TestOptions::sqlite();
        // So that there is a sign-in that is good and old.
        options.settings.lifetimes.access_token = HOUR * 8;
        Self {
            server: TestServer::start_with(options).await,
            number: 0,
        }
    }

    /// Another name.
    fn name(&mut self) -> String {
        self.number += 1;
        format!("name-{}", self.number)
    }

    fn client(&mut self) -> String {
        self.number += 1;
        format!("77ec22a2-335b-4130-ba6c-{:012}", self.number)
    }

    async fn made(&self, from: &str) -> String {
        let made = self
            .server
            .get("/api/v1/api_token?expires_in=60")
            .bearer(from)
            .send()
            .await;
        text(&made.expect(StatusCode::OK).json())
    }

    async fn credential(&mut self, with: With, name: &str) -> String {
        let fresh = self.server.sign_in(name, PASSWORD).await;
        match with {
            With::FreshSignIn => fresh,
            With::OldSignIn => {
                self.server.clock.advance(HOUR);
                fresh
            }
            With::Device => {
                let client = self.client();
                self.server.connect_device(&fresh, &client, false).await.0
            }
            With::MadeFromSignIn => self.made(&fresh).await,
            With::MadeFromDevice => {
                let client = self.client();
                let device = self.server.connect_device(&fresh, &client, true).await.0;
                self.made(&device).await
            }
            With::MadeFromMade => self.made(&self.made(&fresh).await).await,
            With::Key | With::KeyToken | With::MadeFromKey => {
                let (admin, account) = (self.server.admin().await, self.name());
                let key = self.server.api_key(&admin, &account, "default").await;
                if with == With::Key {
                    return key;
                }
                let form = [("grant_type", "zenml-api-key"), ("password", key.as_str())];
                let granted = self.server.post("/api/v1/login").form(&form).send().await;
                let token = text(&granted.expect(StatusCode::OK).json()["access_token"]);
                if with == With::MadeFromKey {
                    self.made(&token).await
                } else {
                    token
                }
            }
        }
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> TestResponse {
        let request = self.server.request(method, path).bearer(token);
        match body {
            Some(body) => request.json(&body).send().await,
            None => request.send().await,
        }
    }

    async fn add_user(&mut self, is_admin: bool) -> String {
        let (admin, name) = (self.server.admin().await, self.name());
        let body = json!({"name": name, "password": PASSWORD, "is_admin": is_admin, "active": true});
        let made = self.send(Method::POST, "/api/v1/users", &admin, Some(body)).await;
        made.expect(StatusCode::OK);
        name
    }

    /// Makes what the operation is done to, as somebody who may; gives the request that does it.
    async fn prepare(&mut self, operation: Operation, owner: &str) -> (Method, String, Option<Value>) {
        let (post, put, delete) = (Method::POST, Method::PUT, Method::DELETE);
        let admin = self.server.admin().await;
        let own = self.server.sign_in(owner, PASSWORD).await;
        let user = |name: &str| format!("/api/v1/users/{name}");
        match operation {
            Operation::Approve | Operation::Trust => {
                let client = self.client();
                let asked = self.server.request_device(&client).await;
                let body =
                    json!({"user_code": asked["user_code"], "trusted_device": operation == Operation::Trust});
                (
                    put,
                    format!("/api/v1/devices/{}/verify", device_id(&asked)),
                    Some(body),
                )
            }
            Operation::Unlock | Operation::Lock | Operation::DeleteDevice => {
                let client = self.client();
                let (_, id) = self.server.connect_device(&own, &client, true).await;
                let path = format!("/api/v1/devices/{id}");
                match operation {
                    Operation::DeleteDevice => (delete, path, None),
                    Operation::Lock => (put, path, Some(json!({"locked": true}))),
                    _ => {
                        let locked = self.server.change(&own, &path, &json!({"locked": true})).await;
                        locked.expect(StatusCode::OK);
                        (put, path, Some(json!({"locked": false})))
                    }
                }
            }
            Operation::ChangePassword => {
                let body = json!({"password": NEW_PASSWORD, "old_password": PASSWORD});
                (put, "/api/v1/current-user".to_owned(), Some(body))
            }
            Operation::CreateAdministrator | Operation::CreateUser => {
                let is_admin = operation == Operation::CreateAdministrator;
                let body =
                    json!({"name": self.name(), "password": PASSWORD, "is_admin": is_admin, "active": true});
                (post, "/api/v1/users".to_owned(), Some(body))
            }
            Operation::InviteUser => {
                let body = json!({"name": self.name(), "is_admin": false, "active": false});
                (post, "/api/v1/users".to_owned(), Some(body))
            }
            Operation::MakeAdministrator => {
                let name = self.add_user(false).await;
                (put, user(&name), Some(json!({"is_admin": true})))
            }
            Operation::SwitchAdministratorOn | Operation::SwitchUserOn => {
                let name = self.add_user(operation == Operation::SwitchAdministratorOn).await;
                let off = self
                    .server
                    .change(&admin, &user(&name), &json!({"active": false}))
                    .await;
                off.expect(StatusCode::OK);
                (put, user(&name), Some(json!({"active": true})))
            }
            Operation::ActivationTokenOfAdministrator | Operation::ActivationToken => {
                let is_admin = operation == Operation::ActivationTokenOfAdministrator;
                let name = self.add_user(is_admin).await;
                (put, format!("{}/deactivate", user(&name)), None)
            }
            Operation::SwitchUserOff => {
                let name = self.add_user(true).await;
                (put, user(&name), Some(json!({"active": false})))
            }
            Operation::DeleteUser => {
                let name = self.add_user(true).await;
                (delete, user(&name), None)
            }
            Operation::CreateServiceAccount => {
                let body = json!({"name": self.name(), "active": true});
                (post, "/api/v1/service_accounts".to_owned(), Some(body))
            }
            Operation::SwitchServiceAccountOn => {
                let name = self.name();
                self.server.api_key(&admin, &name, "default").await;
                let path = format!("/api/v1/service_accounts/{name}");
                let off = self.server.change(&admin, &path, &json!({"active": false})).await;
                off.expect(StatusCode::OK);
                (put, path, Some(json!({"active": true})))
            }
            Operation::SwitchServiceAccountOff | Operation::DeleteServiceAccount => {
                let name = self.name();
                self.server.api_key(&admin, &name, "default").await;
                let path = format!("/api/v1/service_accounts/{name}");
                if operation == Operation::DeleteServiceAccount {
                    (delete, path, None)
                } else {
                    (put, path, Some(json!({"active": false})))
                }
            }
            Operation::SignOut => (post, "/api/v1/logout".to_owned(), None),
            Operation::CreateKey
            | Operation::RotateKey
            | Operation::SwitchKeyOn
            | Operation::SwitchKeyOff
            | Operation::DeleteKey => {
                let name = self.name();
                self.server.api_key(&admin, &name, "default").await;
                let keys = format!("/api/v1/service_accounts/{name}/api_keys");
                let key = format!("{keys}/default");
                match operation {
                    Operation::CreateKey => (post, keys, Some(json!({"name": "another"}))),
                    Operation::RotateKey => (
                        put,
                        format!("{key}/rotate"),
                        Some(json!({"retain_period_minutes": 0})),
                    ),
                    Operation::DeleteKey => (delete, key, None),
                    Operation::SwitchKeyOff => (put, key, Some(json!({"active": false}))),
                    _ => {
                        let off = self.server.change(&admin, &key, &json!({"active": false})).await;
                        off.expect(StatusCode::OK);
                        (put, key, Some(json!({"active": true})))
                    }
                }
            }
        }
    }

    /// Does one thing with one credential, and holds what came of it against the table.
    async fn check(&mut self, with: With, operation: Operation, needs: Needs, is_admin: bool) {
        let label = format!("{operation:?} with {with:?}, administrator: {is_admin}");
        let owner = self.add_user(is_admin).await;
        let token = self.credential(with, &owner).await;
        let (method, path, body) = self.prepare(operation, &owner).await;
        let events = self.number_of_events().await;
        let done = self.send(method, &path, &token, body).await;
        let allowed = is_allowed(with, needs) && (is_admin || is_for_everybody(operation));
        assert_eq!(done.status == StatusCode::OK, allowed, "{label}: {done:?}");
        let is_workload = matches!(with, With::Key | With::KeyToken | With::MadeFromKey);
        if operation == Operation::SignOut {
            assert_eq!(self.server.good(&token).await, is_workload, "{label}");
        }
        if allowed {
            return;
        }
        let is_hidden = is_workload
            && matches!(
                operation,
                Operation::Unlock | Operation::Lock | Operation::DeleteDevice
            );
        if is_hidden {
            assert_eq!(done.status, StatusCode::NOT_FOUND, "{label}: {done:?}");
        } else {
            assert_eq!(done.status, StatusCode::FORBIDDEN, "{label}: {done:?}");
            assert_eq!(done.class(), "IllegalOperationError", "{label}");
        }
        assert_eq!(
            events,
            self.number_of_events().await,
            "{label}: something was changed"
        );
        let is_step_up =
            done.header("www-authenticate") == "Bearer error=\"insufficient_user_authentication\"";
        let may_after_signing_in = !is_workload && (is_admin || is_for_everybody(operation));
        assert_eq!(is_step_up, may_after_signing_in, "{label}: {done:?}");
        if is_step_up {
            assert!(
                done.text().contains("Sign in with your password"),
                "{label}: {done:?}"
            );
        }
    }

    /// How much was changed so far.
    async fn number_of_events(&self) -> u64 {
        let all = zenml_auth_model::query::Query::default();
        let operator = zenml_auth_core::caller::Caller::operator();
        self.server
            .engine
            .audit()
            .list(&operator, &all)
            .await
            .unwrap()
            .total
    }
}

#[tokio::test]
async fn no_credential_begets_a_stronger_one() {
    let mut world = World::new().await;
    for (operation, needs) in OPERATIONS {
        for with in CREDENTIALS {
            for is_admin in [true, false] {
                world.check(with, operation, needs, is_admin).await;
            }
        }
    }
}

#[tokio::test]
async fn a_made_token_never_outlives_the_one_that_asked() {
    let mut world = World::new().await;
    let claims = |token: &str| {
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice::<Value>(&claims).unwrap()
    };
    for with in [
        With::FreshSignIn,
        With::Device,
        With::MadeFromSignIn,
        With::MadeFromDevice,
        With::KeyToken,
        With::MadeFromKey,
    ] {
        let token = world.credential(with, ADMIN).await;
        let parent = claims(&token);
        let made = world
            .server
            .get("/api/v1/api_token?expires_in=604800")
            .bearer(&token)
            .send()
            .await;
        let made = text(&made.expect(StatusCode::OK).json());
        let child = claims(&made);
        assert!(
            child["exp"].as_i64() <= parent["exp"].as_i64(),
            "{with:?}: {child} {parent}"
        );
        assert_eq!(child["made_from"], parent["jti"], "{with:?}");
        assert!(child.get("auth_time").is_none(), "{with:?}: {child}");
        let is_sign_in = with == With::FreshSignIn;
        assert_eq!(
            parent.get("auth_time").is_some(),
            is_sign_in,
            "{with:?}: {parent}"
        );
    }
}

#[tokio::test]
async fn a_key_itself_makes_tokens_until_it_ends() {
    let mut world = World::new().await;
    let key = world.credential(With::Key, ADMIN).await;
    let made = world
        .server
        .get("/api/v1/api_token?expires_in=604800")
        .bearer(&key)
        .send()
        .await;
    let made = text(&made.expect(StatusCode::OK).json());
    world.server.clock.advance(HOUR * 24 * 7 - Duration::from_secs(2));
    assert!(world.server.good(&made).await);
    world.server.clock.advance(Duration::from_secs(3));
    assert!(!world.server.good(&made).await);
}

#[tokio::test]
async fn the_time_after_signing_in_is_a_setting() {
    let mut options = TestOptions::sqlite();
    options.settings.lifetimes.recent_sign_in = Duration::from_secs(60);
    let server = TestServer::start_with(options).await;
    let token = server.admin().await;
    let client = "77ec22a2-335b-4130-ba6c-1e1c371236a7";
    let asked = server.request_device(client).await;
    server.clock.advance(Duration::from_secs(60));
    let late = server.approve(&token, &asked).await;
    assert!(
        late.expect(StatusCode::FORBIDDEN)
            .text()
            .contains("You signed in too long ago to approve a device")
    );
    server
        .approve(&server.admin().await, &asked)
        .await
        .expect(StatusCode::OK);
}

#[tokio::test]
async fn who_may_not_approve_spends_no_tries() {
    let server = TestServer::start_with(TestOptions::sqlite()).await;
    let admin = server.admin().await;
    let client = "77ec22a2-335b-4130-ba6c-1e1c371236a7";
    let (device, _) = server.connect_device(&admin, client, true).await;
    let asked = server
        .request_device("77ec22a2-335b-4130-ba6c-1e1c371236a8")
        .await;
    for _ in 0..5 {
        let wrong = server
            .verify(&device, &asked, &json!({"user_code": "BBBB-BBBB"}))
            .await;
        wrong.expect(StatusCode::FORBIDDEN);
    }
    server.approve(&admin, &asked).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_refused_unlock_says_where_to_go() {
    let mut options = TestOptions::sqlite();
    options.public_url = Some("https://auth.example.com".to_owned());
    let server = TestServer::start_with(options).await;
    let admin = server.admin().await;
    let (device, id) = server
        .connect_device(&admin, "77ec22a2-335b-4130-ba6c-1e1c371236a7", true)
        .await;
    let (_, other) = server
        .connect_device(&admin, "77ec22a2-335b-4130-ba6c-1e1c371236a8", true)
        .await;
    let path = format!("/api/v1/devices/{other}");
    server
        .change(&device, &path, &json!({"locked": true}))
        .await
        .expect(StatusCode::OK);
    let refused = server.change(&device, &path, &json!({"locked": false})).await;
    let page = format!("https://auth.example.com/devices/{other}");
    assert!(
        refused.expect(StatusCode::FORBIDDEN).text().contains(&page),
        "{refused:?}"
    );
    // A device may lock itself; nothing made from it lifts the lock.
    let own = format!("/api/v1/devices/{id}");
    server
        .change(&device, &own, &json!({"locked": true}))
        .await
        .expect(StatusCode::OK);
    server
        .change(&device, &own, &json!({"locked": false}))
        .await
        .expect(StatusCode::UNAUTHORIZED);
    server
        .change(&admin, &own, &json!({"locked": false}))
        .await
        .expect(StatusCode::OK);
    assert!(server.good(&device).await);
}

#[tokio::test]
async fn what_is_handed_out_has_256_random_bits_and_no_two_are_alike() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let mut made: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut add = |what, secret: &str| made.entry(what).or_default().push(secret.to_owned());
    let mut tokens = HashSet::new();
    let random_part = |key: &Value| {
        let key = KeyText::parse(&text(&key["body"]["key"])).unwrap();
        key.key.expose().to_owned()
    };
    for round in 0..20 {
        let asked = server
            .request_device(&format!("77ec22a2-335b-4130-ba6c-{round:012}"))
            .await;
        let code = text(&asked["device_code"]);
        // The id of the request stands before it.
        let (id, random) = code.split_at(32);
        assert_eq!(id, device_id(&asked).replace('-', ""));
        add("device code", random);
        add("user code", &text(&asked["user_code"]));

        let invitation = json!({"name": format!("user-{round}"), "is_admin": false, "active": false});
        let made = server
            .post("/api/v1/users")
            .bearer(&admin)
            .json(&invitation)
            .send()
            .await;
        add(
            "activation token",
            &text(&made.json()["body"]["activation_token"]),
        );
        let left = format!("/api/v1/users/user-{round}/deactivate");
        let left = server.put(&left).bearer(&admin).send().await;
        add(
            "activation token",
            &text(&left.json()["body"]["activation_token"]),
        );

        let account = json!({"name": format!("account-{round}")});
        let made = server
            .post("/api/v1/service_accounts")
            .bearer(&admin)
            .json(&account)
            .send()
            .await;
        made.expect(StatusCode::OK);
        let keys = format!("/api/v1/service_accounts/account-{round}/api_keys");
        let made = server
            .post(&keys)
            .bearer(&admin)
            .json(&json!({"name": "key"}))
            .send()
            .await;
        add("API key", &random_part(&made.json()));
        let rotated = server
            .change(&admin, &format!("{keys}/key/rotate"), &json!({}))
            .await;
        add("API key", &random_part(&rotated.json()));

        let (mut jar, csrf) = server.open_form("/login").await;
        let form = [
            ("csrf", csrf.as_str()),
            ("username", ADMIN),
            ("password", PASSWORD),
        ];
        let signed_in = server.post("/login").cookies(&jar).form(&form).send().await;
        jar.take(signed_in.expect(StatusCode::SEE_OTHER));
        add("cookie of a sign-in", jar.get("zenml-auth-session").unwrap());
        add("cookie of forms", jar.get("zenml-auth-csrf").unwrap());

        // The clock stands still, so these say the same but for what is random in them.
        assert!(tokens.insert(server.admin().await));
    }
    let user_codes = made.remove("user code").unwrap();
    for code in &user_codes {
        let (first, second) = code.split_once('-').unwrap();
        assert_eq!((first.len(), second.len()), (4, 4), "{code}");
        // RFC 8628 §6.1
        let is_usual = |letter: char| "BCDFGHJKLMNPQRSTVWXZ".contains(letter);
        assert!(code.replace('-', "").chars().all(is_usual), "{code}");
    }
    assert_eq!(user_codes.iter().collect::<HashSet<_>>().len(), 20);
    let is_hex = |letter: char| letter.is_ascii_digit() || ('a'..='f').contains(&letter);
    for (what, secrets) in &made {
        for secret in secrets {
            assert_eq!(secret.len() * 4, 256, "{what}");
            assert!(secret.chars().all(is_hex), "{what}");
        }
    }
    let all: Vec<_> = made.values().flatten().collect();
    assert_eq!(all.len(), 7 * 20);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
}
