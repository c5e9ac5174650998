//! A machine of one's own, with a home folder and a server that answers as it was recorded.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;

const RECORDING: &str = include_str!("../../../../api/wire/zenml-0.98.0.jsonl");

/// What ZenML's server 0.98.0 answered, by the recording's note.
pub fn recorded(note: &str) -> (u16, Value) {
    let line = RECORDING
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let exchange = line
        .into_iter()
        .find(|exchange| exchange["note"] == note)
        .unwrap_or_else(|| panic!("no {note:?}"));
    (
        u16::try_from(exchange["status"].as_u64().unwrap()).unwrap(),
        exchange["response"].clone(),
    )
}

/// Of the recording: a device, a service account with its key, and a user.
pub const DEVICE: &str = "2efa1441-60a3-462a-9644-ac74f84d8518";
pub const ACCOUNT: &str = "4dd61a55-b8c9-4214-b613-292d167af1bc";
pub const KEY: &str = "4b0a1264-e361-4edc-8705-1f0c3ff1f13b";
pub const USER: &str = "69a3daa3-9dd1-4539-b832-e88ccd0393b7";

/// The only page of a list.
pub fn page(items: &[Value]) -> (u16, Value) {
    (
        200,
        json!({"index": 1, "max_size": 20, "total_pages": 1, "total": items.len(), "items": items}),
    )
}

#[derive(Default)]
struct Script {
    /// The answers for a method and a path, in order; the last one stays.
    routes: BTreeMap<String, VecDeque<(u16, Value)>>,
    asked: Vec<String>,
    /// The `Date` of all answers.
    date: Option<String>,
    /// The `WWW-Authenticate` of all refusals.
    challenge: Option<String>,
    /// The answer for this route waits until it is let go.
    held: Option<(String, Arc<Notify>)>,
}

/// A machine with a home folder, and a server.
pub struct World {
    pub home: tempfile::TempDir,
    pub url: String,
    script: Arc<Mutex<Script>>,
    env: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub line: String,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// A machine that is not connected, and a server that says what it is.
    pub async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Mutex::new(Script::default()));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let world = Self {
            home: tempfile::tempdir().unwrap(),
            url,
            script,
            env: Vec::new(),
        };
        world.on("GET /api/v1/info", recorded("server info, unauthenticated"));
        world.on("GET /api/v1/current-user", recorded("current user"));
        world
    }

    /// A machine that is connected with a token.
    pub async fn connected() -> Self {
        let world = Self::new().await;
        let dir = world.config_dir();
        std::fs::create_dir_all(&dir).unwrap();
        let url = &world.url;
        let config =
            format!("store:\n  type: rest\n  url: {url}\nuser_id: 77ec22a2-335b-4130-ba6c-1e1c371236a7\n");
        std::fs::write(dir.join("config.yaml"), config).unwrap();
        // {"device_id":"2efa1441-60a3-462a-9644-ac74f84d8518"}
        let token = "h.eyJkZXZpY2VfaWQiOiIyZWZhMTQ0MS02MGEzLTQ2MmEtOTY0NC1hYzc0Zjg0ZDg1MTgifQ.s";
        let credentials = format!("{url}:\n  url: {url}\n  api_token:\n    access_token: {token}\n");
        std::fs::write(dir.join("credentials.yaml"), credentials).unwrap();
        world
    }

    /// The same, and the server knows a device.
    pub async fn with_devices() -> Self {
        let world = Self::connected().await;
        world.on("GET /api/v1/devices", recorded("devices, hydrated"));
        world.on(&format!("GET /api/v1/devices/{DEVICE}"), recorded("device"));
        world
    }

    /// The same, and the server knows a service account with a key.
    pub async fn with_keys() -> Self {
        let world = Self::connected().await;
        let account = format!("/api/v1/service_accounts/{ACCOUNT}");
        world.on(
            "GET /api/v1/service_accounts",
            recorded("service accounts by name"),
        );
        world.on(&format!("GET {account}"), recorded("service account by id"));
        world.on(&format!("GET {account}/api_keys"), recorded("api keys, hydrated"));
        world.on(
            &format!("GET {account}/api_keys/{KEY}"),
            recorded("api key by id"),
        );
        world
    }

    /// The same, and the key can be rotated.
    pub async fn with_rotation() -> Self {
        let world = Self::with_keys().await;
        let route = format!("PUT /api/v1/service_accounts/{ACCOUNT}/api_keys/{KEY}/rotate");
        world.on(&route, recorded("rotate with retention"));
        world
    }

    pub fn config_dir(&self) -> PathBuf {
        self.home.path().join("zenml")
    }

    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.config_dir().join(name)).unwrap_or_default()
    }

    /// Adds an answer for `GET /path`, without the query.
    pub fn on(&self, route: &str, reply: (u16, Value)) -> &Self {
        self.script
            .lock()
            .unwrap()
            .routes
            .entry(route.to_owned())
            .or_default()
            .push_back(reply);
        self
    }

    /// Sets the server's clock, as far as it is told.
    pub fn set_date(&self, date: &str) {
        self.script.lock().unwrap().date = Some(date.to_owned());
    }

    /// Sets what refusals ask for.
    pub fn set_challenge(&self, challenge: &str) {
        self.script.lock().unwrap().challenge = Some(challenge.to_owned());
    }

    /// Holds back the next answer for a route until it is let go.
    pub fn hold(&self, route: &str) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        self.script.lock().unwrap().held = Some((route.to_owned(), Arc::clone(&gate)));
        gate
    }

    /// Waits until something was asked that begins so.
    pub async fn until_asked(&self, beginning: &str) {
        for _ in 0..2_000 {
            let asked = |script: &Script| script.asked.iter().any(|asked| asked.starts_with(beginning));
            if asked(&self.script.lock().unwrap()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("nobody asked {beginning:?}");
    }

    /// Forgets the answers for a route.
    pub fn forget(&self, route: &str) -> &Self {
        self.script.lock().unwrap().routes.remove(route);
        self
    }

    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What was asked since this was last called: method, path, query and body.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.script.lock().unwrap().asked)
    }

    /// The variables that a command sees, and no others.
    pub fn variables(&self) -> Vec<(String, String)> {
        let home = self.home.path().display().to_string();
        let config = self.config_dir().display().to_string();
        let own = [
            ("HOME", home),
            ("ZENML_CONFIG_PATH", config),
            ("NO_PROXY", "*".to_owned()),
        ];
        own.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(self.env.iter().cloned())
            .collect()
    }

    pub fn command(&self, args: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_zenml"));
        command
            .args(args)
            .env_clear()
            .envs(self.variables())
            .current_dir(self.home.path());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command; the words are separated by blanks.
    pub async fn run(&self, line: &str) -> Ended {
        self.run_with(line, "").await
    }

    /// Runs a command with something on its standard input.
    pub async fn run_with(&self, line: &str, input: &str) -> Ended {
        let line = line.replace("[url]", &self.url);
        let args: Vec<&str> = line.split_ascii_whitespace().collect();
        let mut child = self.command(&args).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that reads nothing may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        Ended {
            line: self.masked(&line),
            code: output.status.code().unwrap_or(-1),
            stdout: self.masked(&String::from_utf8(output.stdout).unwrap()),
            stderr: self.masked(&String::from_utf8(output.stderr).unwrap()),
        }
    }

    /// Leaves out what differs from run to run.
    pub fn masked(&self, text: &str) -> String {
        text.replace(&self.url, "[url]")
            .replace(&self.home.path().display().to_string(), "[home]")
    }
}

impl Ended {
    /// As a person at a terminal would see it, stream by stream.
    pub fn shown(&self) -> String {
        let mut text = format!("$ zenml {}\n", self.line);
        for (name, stream) in [("out", &self.stdout), ("err", &self.stderr)] {
            for line in stream.lines() {
                let _ = writeln!(text, "{name}: {line}");
            }
        }
        let _ = write!(text, "exit: {}", self.code);
        text
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, method: Method, uri: Uri, body: Bytes) -> Response {
    let route = format!("{method} {}", uri.path());
    let gate = {
        let mut script = script.lock().unwrap();
        let body = String::from_utf8_lossy(&body);
        script
            .asked
            .push(format!("{method} {uri} {body}").trim_end().to_owned());
        script.held.take_if(|(held, _)| *held == route)
    };
    if let Some((_, gate)) = gate {
        gate.notified().await;
    }
    let mut script = script.lock().unwrap();
    let reply = match script.routes.get_mut(&route) {
        Some(replies) if replies.len() > 1 => replies.pop_front(),
        Some(replies) => replies.front().cloned(),
        None => None,
    };
    let (status, body) = reply.unwrap_or_else(|| {
        (
            404,
            json!({"detail": ["KeyError", format!("\"nobody answers {route}\"")]}),
        )
    });
    let headers = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (StatusCode::from_u16(status).unwrap(), headers, body.to_string()).into_response();
    if let Some(challenge) = script.challenge.as_ref().filter(|_| status >= 400) {
        let challenge = challenge.parse().unwrap();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(date) = &script.date {
        response.headers_mut().insert(header::DATE, date.parse().unwrap());
    }
    response
}

/// Compares several runs with their snapshot.
#[macro_export]
macro_rules! assert_runs {
    ($world:expr, $name:literal, [$($line:expr),+ $(,)?]) => {
        let mut shown = Vec::new();
        $(shown.push($world.run($line).await.shown());)+
        insta::with_settings!({snapshot_path => "../snapshots/runs", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!($name, shown.join("\n\n"));
        });
    };
}

/// Compares a run with its snapshot.
#[macro_export]
macro_rules! assert_run {
    ($name:literal, $ended:expr) => {
        let shown = $ended.shown();
        insta::with_settings!({snapshot_path => "../snapshots/runs", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!($name, shown);
        });
    };
}
