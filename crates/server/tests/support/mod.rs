//! What the tests of the real program share.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "test code, of which not every file needs all, and which waits for real processes"
)]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The first administrator's password.
pub const PASSWORD: &str = "zenml-Passw0rd";
/// The first administrator's name.
pub const ADMIN: &str = "default";

const DEADLINE: Duration = Duration::from_secs(30);

/// The program, as an operator calls it.
pub fn program(settings: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zenml-auth-server"));
    command.args(settings).env("ZENML_AUTH_ADMIN_PASSWORD", PASSWORD);
    command
}

/// A running server; it is killed when dropped.
pub struct Server {
    process: Child,
    pub address: String,
}

impl Server {
    /// Starts it, and waits until it listens. What it logs goes to a file.
    pub fn start(settings: &[&str], log: &Path) -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .to_string();
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut process = program(settings)
            .args(["--bind", &address])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let greeting = BufReader::new(process.stdout.take().unwrap()).lines();
        let listens = greeting
            .map_while(Result::ok)
            .any(|line| line.starts_with("Connect with"));
        assert!(listens, "the server did not start");
        Self { process, address }
    }

    /// Ends it at once, as a crash would.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to end, and waits until it has.
    pub fn terminate(mut self) {
        let asked = Command::new("kill").arg(self.process.id().to_string()).status();
        assert!(asked.unwrap().success());
        let begun = Instant::now();
        while self.process.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < DEADLINE, "it does not end");
            std::thread::yield_now();
        }
    }

    /// Someone who talks to it.
    pub fn client(&self) -> Client {
        Client {
            address: self.address.clone(),
            token: String::new(),
        }
    }

    /// The administrator, signed in.
    pub fn admin(&self) -> Client {
        self.client().signed_in(ADMIN, PASSWORD)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Someone who talks to a server, with or without a credential.
#[derive(Clone)]
pub struct Client {
    address: String,
    pub token: String,
}

impl Client {
    /// The same with another credential.
    pub fn with(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same, at another server.
    pub fn at(&self, server: &Server) -> Self {
        Self {
            address: server.address.clone(),
            ..self.clone()
        }
    }

    /// The same, signed in with a password.
    pub fn signed_in(&self, name: &str, password: &str) -> Self {
        let form = format!("username={name}&password={password}");
        let (status, body) = self.send("POST", "/api/v1/login", &form).unwrap();
        assert_eq!(status, 200, "{body}");
        self.with(body["access_token"].as_str().unwrap())
    }

    /// Sends a request, and gives status and body; `None` when the server is gone before it has answered.
    pub fn send(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             User-Agent: Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        // A body that was cut off is no answer.
        let body = answer.split_once("\r\n\r\n")?.1;
        Some((status, serde_json::from_str(body).ok()?))
    }

    /// Sends a request that has to succeed, and gives the body.
    #[track_caller]
    pub fn ok(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, body) = self.send(method, path, body).unwrap();
        assert_eq!(status, 200, "{method} {path}: {body}");
        body
    }

    /// The status of a request that only looks who is there.
    #[track_caller]
    pub fn status(&self) -> u16 {
        self.send("GET", "/api/v1/current-user", "").unwrap().0
    }
}

/// A text in a JSON value, by its path such as `/body/key`.
#[track_caller]
pub fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap().to_owned()
}
