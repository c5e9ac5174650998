//! `zenml auth explain` against a real server: each reason for which a credential does not work is told.

use std::time::{Duration, SystemTime};

use serde_json::json;
use zenml_auth_testkit::server::{ADMIN, PASSWORD, TestServer};

const CLIENT: &str = "77ec22a2-335b-4130-ba6c-1e1c371236a7";
const KEY: &str = "/api/v1/service_accounts/ci/api_keys/default";
const HOUR: Duration = Duration::from_secs(3_600);

/// A machine without any files.
struct Machine {
    home: tempfile::TempDir,
}

/// What is said, and how it ends.
struct Said {
    steps: String,
    error: String,
    code: i32,
}

impl Machine {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    async fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> Said {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_zenml"))
            .args(args)
            .env_clear()
            .env("HOME", self.home.path())
            .env("ZENML_CONFIG_PATH", self.home.path())
            .env("NO_PROXY", "*")
            .envs(variables.iter().copied())
            .output()
            .await
            .unwrap();
        Said {
            steps: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().unwrap(),
        }
    }

    async fn explain(&self, variables: &[(&str, &str)]) -> Said {
        self.run(&["auth", "explain"], variables).await
    }
}

impl Said {
    #[track_caller]
    fn because(&self, code: i32, words: &[&str]) {
        let all = format!("{}{}", self.steps, self.error);
        for words in words {
            assert!(all.contains(words), "no {words:?} in\n{all}");
        }
        assert_eq!(self.code, code, "{all}");
    }
}

/// A server whose clock shows the machine's time.
async fn server() -> TestServer {
    let server = TestServer::start().await;
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    server
        .clock
        .set(zenml_auth_model::Timestamp::UNIX_EPOCH + since_1970);
    server
}

/// What is said of a credential in a variable.
async fn of(server: &TestServer, name: &str, value: &str) -> Said {
    let url = server.url();
    let variables = [("ZENML_STORE_URL", url.as_str()), (name, value)];
    Machine::new().explain(&variables).await
}

async fn of_key(server: &TestServer, key: &str) -> Said {
    of(server, "ZENML_STORE_API_KEY", key).await
}

async fn of_token(server: &TestServer, token: &str) -> Said {
    of(server, "ZENML_STORE_API_TOKEN", token).await
}

async fn put(server: &TestServer, admin: &str, path: &str, body: serde_json::Value) {
    let answer = server.change(admin, path, &body).await;
    assert!(answer.status.is_success(), "{path}: {}", answer.text());
}

async fn delete(server: &TestServer, token: &str, path: &str) {
    let answer = server.delete(path).bearer(token).send().await;
    assert!(answer.status.is_success(), "{path}: {}", answer.text());
}

#[tokio::test]
async fn api_keys() {
    let server = server().await;
    let admin = server.admin().await;
    let first = server.api_key(&admin, "ci", "default").await;
    of_key(&server, &first).await.because(
        0,
        &["It is an API key", "you are ci (service account)", "All is well"],
    );

    put(&server, &admin, KEY, json!({"active": false})).await;
    of_key(&server, &first).await.because(
        3,
        &["default of the service account ci is not active", "switched off"],
    );
    put(&server, &admin, KEY, json!({"active": true})).await;
    put(
        &server,
        &admin,
        "/api/v1/service_accounts/ci",
        json!({"active": false}),
    )
    .await;
    of_key(&server, &first)
        .await
        .because(3, &["the account ci is not active", "switched off"]);
    put(
        &server,
        &admin,
        "/api/v1/service_accounts/ci",
        json!({"active": true}),
    )
    .await;

    put(
        &server,
        &admin,
        &format!("{KEY}/rotate"),
        json!({"retain_period_minutes": 0}),
    )
    .await;
    of_key(&server, &first)
        .await
        .because(3, &["was rotated", "The key was rotated"]);
    put(
        &server,
        &admin,
        &format!("{KEY}/rotate"),
        json!({"retain_period_minutes": 0}),
    )
    .await;
    let stranger = of_key(&server, &first).await;
    stranger.because(3, &["mistyped, rotated or deleted", "don't tell strangers"]);
    assert!(!stranger.error.contains("default"), "{}", stranger.error);
    delete(&server, &admin, KEY).await;
    let gone = of_key(&server, &first).await;
    assert_eq!(gone.error, stranger.error, "nobody learns whether there was one");
}

#[tokio::test]
async fn keys_that_end() {
    let server = server().await;
    let admin = server.admin().await;
    server.api_key(&admin, "ci", "other").await;
    let answer = server
        .post("/api/v1/service_accounts/ci/api_keys")
        .bearer(&admin)
        .json(&json!({"name": "short", "expires_in": 60}))
        .send()
        .await
        .json();
    let key = answer["body"]["key"].as_str().unwrap().to_owned();
    server.clock.advance(HOUR);
    of_key(&server, &key).await.because(
        3,
        &[
            "short of the service account ci has expired",
            "Ask an administrator for a new key",
        ],
    );
}

#[tokio::test]
async fn devices() {
    let server = server().await;
    let ann = server.user("ann").await;
    let (token, device) = server.connect_device(&ann, CLIENT, true).await;
    let path = format!("/api/v1/devices/{device}");
    of_token(&server, &token)
        .await
        .because(0, &["token of the device", "in 30 days", "you are ann"]);
    put(&server, &ann, &path, json!({"locked": true})).await;
    of_token(&server, &token)
        .await
        .because(3, &["is locked", "zenml device unlock"]);
    put(&server, &ann, &path, json!({"locked": false})).await;
    server.connect_device(&ann, CLIENT, true).await;
    of_token(&server, &token).await.because(
        3,
        &[
            "signed out or connected again",
            "Connect again: zenml connect --url",
        ],
    );
    delete(&server, &ann, &path).await;
    of_token(&server, &token)
        .await
        .because(3, &["was deleted", "Connect again"]);
}

#[tokio::test]
async fn people() {
    let server = server().await;
    let admin = server.admin().await;
    let url = server.url();
    let with_password = async |name: &str, password: &str| {
        let variables = [
            ("ZENML_STORE_URL", url.as_str()),
            ("ZENML_STORE_USERNAME", name),
            ("ZENML_STORE_PASSWORD", password),
        ];
        Machine::new().explain(&variables).await
    };
    with_password(ADMIN, PASSWORD)
        .await
        .because(0, &["a user name and a password", "All is well"]);
    let wrong = with_password(ADMIN, "nonsense").await;
    wrong.because(3, &["invalid username or password", "don't tell strangers"]);
    assert_eq!(wrong.error, with_password("nobody", "nonsense").await.error);

    let ann = server.user("ann").await;
    let (token, _) = server.connect_device(&ann, CLIENT, true).await;
    put(
        &server,
        &ann,
        "/api/v1/current-user",
        json!({"password": "another one 1", "old_password": PASSWORD}),
    )
    .await;
    of_token(&server, &token)
        .await
        .because(3, &["password of ann was changed", "Connect again"]);
    let deactivated = server.put("/api/v1/users/ann/deactivate").bearer(&admin);
    assert!(deactivated.send().await.status.is_success());
    with_password("ann", "another one 1")
        .await
        .because(3, &["the user ann is not active", "deactivated"]);
}

#[tokio::test]
async fn another_server() {
    let (one, other) = (server().await, server().await);
    let ann = one.user("ann").await;
    let (token, _) = one.connect_device(&ann, CLIENT, true).await;
    of_token(&other, &token)
        .await
        .because(3, &["is one of another server", "Check the server's address"]);
    let admin = one.admin().await;
    let key = one.api_key(&admin, "ci", "default").await;
    of_key(&other, &key)
        .await
        .because(3, &["mistyped, rotated or deleted", "a key of another server"]);

    // The address is that of a server that was set up anew.
    let machine = Machine::new();
    let (url, other_url) = (one.url(), other.url());
    let connected = machine
        .run(&["connect", "--url", &url, "--api-key", &key], &[])
        .await;
    connected.because(0, &[]);
    let file = machine.home.path().join("credentials.yaml");
    let moved = std::fs::read_to_string(&file).unwrap().replace(&url, &other_url);
    std::fs::write(&file, moved).unwrap();
    machine.explain(&[("ZENML_STORE_URL", &other_url)]).await.because(
        3,
        &[
            "Another server answers at this address",
            "a key of another server",
        ],
    );
}

#[tokio::test]
async fn tokens_that_ended() {
    let server = server().await;
    let ann = server.user("ann").await;
    let (token, _) = server.connect_device(&ann, CLIENT, false).await;
    of_token(&server, &token).await.because(0, &["in 24 hours"]);
    // The server's clock moved on, the machine's did not.
    server.clock.advance(25 * HOUR);
    of_token(&server, &token)
        .await
        .because(3, &["expired", "Connect again"]);
    server.clock.set(server.engine.now() - 50 * HOUR);
    let (old, _) = server
        .connect_device(&ann, "77ec22a2-335b-4130-ba6c-1e1c371236a8", false)
        .await;
    of_token(&server, &old)
        .await
        .because(3, &["the token ended 1 hour ago", "Connect again"]);
}

#[tokio::test]
async fn the_environment() {
    let server = server().await;
    let admin = server.admin().await;
    let key = server.api_key(&admin, "ci", "default").await;
    let url = server.url();
    let machine = Machine::new();
    machine
        .explain(&[])
        .await
        .because(3, &["No environment variable", "not connected to a ZenML server"]);
    machine.explain(&[("ZENML_STORE_API_KEY", &key)]).await.because(
        3,
        &[
            "ZENML_STORE_API_KEY is set, but not for which server",
            "Set ZENML_STORE_URL",
        ],
    );
    machine
        .explain(&[("ZENML_STORE_URL", &url), ("ZENML_API_KEY", &key)])
        .await
        .because(
            3,
            &[
                "ZENML_API_KEY is set, but nothing reads it; it may be meant to be ZENML_STORE_API_KEY",
                "ZENML_STORE_URL names a server, but there is nothing to sign in to it with",
                "Set ZENML_STORE_API_KEY",
            ],
        );
    for (value, words) in [
        (format!("\"{key}\""), "It stands in quotes"),
        (key[..60].to_owned(), "Copy the whole key"),
        (key.replace("ZENKEY_", "ZENKEY_ "), "blanks or line breaks"),
        ("a.b.c".to_owned(), "ZENML_STORE_API_TOKEN"),
    ] {
        let said = of_key(&server, &value).await;
        said.because(3, &["is no API key", words]);
        assert!(!format!("{}{}", said.steps, said.error).contains(&key[10..50]));
    }

    // A stored connection, and variables that come before it.
    let connected = machine
        .run(&["connect", "--url", &url, "--api-key", &key], &[])
        .await;
    connected.because(0, &[]);
    machine
        .explain(&[])
        .await
        .because(0, &["from what is stored", "All is well"]);
    machine
        .explain(&[("ZENML_STORE_URL", "http://127.0.0.1:9")])
        .await
        .because(
            7,
            &[
                "The stored connection to",
                "is not used, as ZENML_STORE_URL names another server",
            ],
        );
    machine
        .explain(&[("ZENML_STORE_API_KEY", ""), ("ZENML_STORE_USERNAME", "ann")])
        .await
        .because(
            0,
            &[
                "ZENML_STORE_API_KEY is set to nothing",
                "ZENML_STORE_USERNAME is not used, as ZENML_STORE_PASSWORD is not set",
            ],
        );
    machine
        .explain(&[("ZENML_STORE_API_KEY", &key), ("ZENML_STORE_API_TOKEN", "t")])
        .await
        .because(
            0,
            &["ZENML_STORE_API_TOKEN is not used, as ZENML_STORE_API_KEY comes first"],
        );
}

#[tokio::test]
async fn a_server_that_cannot_be_reached() {
    // Taken, so that nobody else listens there, but not listened on either.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = taken.local_addr().unwrap().port();
    let server = server().await;
    let tls = server.url().replace("http://", "https://");
    for (url, words) in [
        (format!("http://127.0.0.1:{port}"), "Connection refused"),
        (
            "http://nowhere.invalid".to_owned(),
            "no address is known for its name",
        ),
        (tls, "does not speak TLS"),
        ("nonsense".to_owned(), "ZENML_STORE_URL"),
    ] {
        let said = Machine::new().explain(&[("ZENML_STORE_URL", &url)]).await;
        let code = if url == "nonsense" { 2 } else { 7 };
        said.because(code, &[words]);
    }
    let url = format!("http://127.0.0.1:{port}");
    let proxy = format!("http://ann:hunter2@127.0.0.1:{port}");
    let said = Machine::new()
        .explain(&[
            ("ZENML_STORE_URL", "http://zenml.example.com"),
            ("HTTP_PROXY", &proxy),
            ("NO_PROXY", ""),
        ])
        .await;
    said.because(
        7,
        &[
            &format!("leads through the proxy {url}"),
            &format!("through the proxy {url}: "),
        ],
    );
    assert!(!format!("{}{}", said.steps, said.error).contains("hunter2"));
}

#[tokio::test]
async fn status_tells_how_a_workloads_key_stands() {
    let server = server().await;
    let admin = server.admin().await;
    let old = server.api_key(&admin, "ci", "default").await;
    let url = server.url();
    let status = async |key: &str| {
        let variables = [("ZENML_STORE_URL", url.as_str()), ("ZENML_STORE_API_KEY", key)];
        let machine = Machine::new();
        let said = machine.run(&["status", "-o", "json"], &variables).await;
        let read: serde_json::Value = serde_json::from_str(&said.steps).unwrap();
        assert_eq!((said.code, &read["api_key"]), (0, &json!("default")), "{read}");
        assert!(read["api_key_id"].is_string());
        (read, said.error)
    };
    let (read, error) = status(&old).await;
    assert_eq!(
        (&read["api_key_value"], &read["expires"], error.as_str()),
        (&json!("current"), &json!(null), "")
    );

    let path = format!("{KEY}/rotate");
    put(&server, &admin, &path, json!({"retain_period_minutes": 60})).await;
    let (read, error) = status(&old).await;
    assert_eq!(read["api_key_value"], "previous");
    assert!(read["expires"].is_string(), "{read}");
    assert!(
        error.contains("was rotated, and this value of it ends in"),
        "{error}"
    );
    of_key(&server, &old)
        .await
        .because(0, &["But the API key was rotated", "All is well"]);
}

#[tokio::test]
async fn status_tells_whether_a_device_is_trusted() {
    let server = server().await;
    let admin = server.admin().await;
    let url = server.url();
    for trusted in [true, false] {
        let client = format!("77ec22a2-335b-4130-ba6c-{:012}", u8::from(trusted));
        let (token, id) = server.connect_device(&admin, &client, trusted).await;
        let variables = [
            ("ZENML_STORE_URL", url.as_str()),
            ("ZENML_STORE_API_TOKEN", token.as_str()),
        ];
        let said = Machine::new().run(&["status", "-o", "json"], &variables).await;
        let read: serde_json::Value = serde_json::from_str(&said.steps).unwrap();
        assert_eq!(
            (&read["trusted"], &read["device_id"]),
            (&json!(trusted), &json!(id)),
            "{read}"
        );
        assert!(read["expires"].is_string());
    }
}

#[tokio::test]
async fn every_form_of_output() {
    let url = "http://127.0.0.1:1";
    for (format, expected) in [
        (
            "yaml",
            &[
                "- step: good\n  text: The server is http://127.0.0.1:1, from ZENML_STORE_URL.\n",
                "- outcome: fails\n  exit_code: 7\n",
            ][..],
        ),
        (
            "csv",
            &[
                "step,text,outcome,exit_code,next\n",
                "\ngood,\"The server is",
                "fails,7",
            ],
        ),
        (
            "tsv",
            &["step\ttext\toutcome\texit_code\tnext\n", "\ngood\tThe server is"],
        ),
    ] {
        let variables = [("ZENML_STORE_URL", url)];
        let said = Machine::new()
            .run(&["auth", "explain", "-o", format], &variables)
            .await;
        assert_eq!(said.code, 7);
        for part in expected {
            assert!(said.steps.contains(part), "{}", said.steps);
        }
    }
}

#[tokio::test]
async fn unlocking_with_a_device_waits_for_its_owner() {
    let server = server().await;
    let ann = server.user("ann").await;
    let (token, _) = server.connect_device(&ann, CLIENT, true).await;
    let (_, other) = server
        .connect_device(&ann, "77ec22a2-335b-4130-ba6c-1e1c371236a8", true)
        .await;
    let path = format!("/api/v1/devices/{other}");
    put(&server, &ann, &path, json!({"locked": true})).await;
    let url = server.url();
    let variables = [
        ("ZENML_STORE_URL", url.as_str()),
        ("ZENML_STORE_API_TOKEN", &token),
    ];
    let machine = Machine::new();
    let command = ["device", "unlock", &other, "--no-browser"];
    // Before or after the command has asked: it is refused in either case, and looks until the device is unlocked.
    let unlocked = put(&server, &ann, &path, json!({"locked": false}));
    let (said, ()) = tokio::join!(machine.run(&command, &variables), unlocked);
    let link = format!("{url}/devices/{other}");
    said.because(0, &["Only you can unlock a device", &link, "Unlocked device"]);

    // The token of the sign-in itself is enough, and nothing is opened.
    put(&server, &ann, &path, json!({"locked": true})).await;
    let variables = [("ZENML_STORE_URL", url.as_str()), ("ZENML_STORE_API_TOKEN", &ann)];
    let said = machine.run(&["device", "unlock", &other], &variables).await;
    assert!(!said.error.contains("Only you"), "{}", said.error);
    said.because(0, &["Unlocked device"]);
}
