//! The real program, for tests.

mod addresses;
mod browser;
mod client;
mod ledger;
pub mod one_of_each;
mod watch;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use zenml_auth_testkit::encryption::ENCRYPTION_KEY;

pub use addresses::Addresses;
pub use browser::Browser;
pub use client::{Client, polling, text};
pub use ledger::{Ledger, Way};
pub use watch::Watch;

pub const ADMIN: &str = "default";
pub const PASSWORD: &str = "zenml-Passw0rd";
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Another build of the program that is to be tested instead of the one that was built with the tests: a release.
pub fn release() -> Option<std::ffi::OsString> {
    std::env::var_os("ZENML_AUTH_TEST_PROGRAM")
}

/// The program with these arguments.
pub fn command(arguments: &[&str]) -> Command {
    let built = env!("CARGO_BIN_EXE_zenml-auth-server");
    let mut command = Command::new(release().unwrap_or_else(|| built.into()));
    command
        .args(arguments)
        .env("ZENML_AUTH_ADMIN_PASSWORD", PASSWORD)
        .env("ZENML_AUTH_ENCRYPTION_KEY", ENCRYPTION_KEY)
        // Nobody has to be told to go elsewhere.
        .env("ZENML_AUTH_DRAIN_TIME", "0s");
    command
}

/// The program on a data folder.
pub fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = command(&["--data-dir"]);
    // The embedded database makes a key of its own.
    command
        .arg(folder)
        .args(arguments)
        .env_remove("ZENML_AUTH_ENCRYPTION_KEY");
    command
}

pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    program(folder, arguments).output().unwrap()
}

/// Runs a command on a data folder that reads a password, which has to succeed, and gives what it says.
pub fn run_with(folder: &Path, arguments: &[&str], password: &str) -> String {
    let mut command = program(folder, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(command.stdin.take().unwrap(), "{password}").unwrap();
    said(&command.wait_with_output().unwrap())
}

/// The same command, started by another one that becomes it: `sh -c 'ulimit -n 96 && exec "$0" "$@"'`.
pub fn started_by(outer: &[&str], command: &Command) -> Command {
    let (program, arguments) = outer.split_first().unwrap();
    let mut outer = Command::new(program);
    outer
        .args(arguments)
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

/// What a command says when it succeeds, which it has to.
pub fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a command says when it fails, which it has to.
pub fn failure(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Waits until the log has a text: lines reach it a little later than answers their clients.
#[track_caller]
pub fn wait_for_line(log: &Path, text: &str) {
    let begun = Instant::now();
    while !fs::read_to_string(log).unwrap().contains(text) {
        assert!(begun.elapsed() < DEADLINE, "no {text:?} in the log");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a server says when it refuses to start, which it has to. One that starts all the same is ended.
pub fn refusal(mut command: Command) -> String {
    let mut process = command
        .args(["--bind", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if begun.elapsed() > DEADLINE {
            process.kill().unwrap();
            panic!("it started: {:?}", process.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    failure(&process.wait_with_output().unwrap())
}

/// Another user of this machine, who is `nobody` on most systems.
pub const ANOTHER_USER: u32 = 65534;

/// Whether tests may run programs as another user, which only root may. Where they may not, says so.
#[cfg(unix)]
pub fn may_be_another_user() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        zenml_auth_testkit::report::missing("the rights of root");
    }
    is_root
}

/// A command as another user, for whom its program is copied into this folder: they may not enter all folders on the way to
/// it.
#[cfg(unix)]
pub fn as_another_user(command: &Command, folder: &Path) -> Command {
    use std::os::unix::process::CommandExt as _;

    let program = Path::new(command.get_program());
    let copy = folder.join(program.file_name().unwrap());
    if !copy.exists() {
        // By another process: a file can't be run while it is open for writing, and what is open here is so for a moment in
        // every process that another test starts.
        let copied = Command::new("cp").arg(program).arg(&copy).status().unwrap();
        assert!(copied.success());
    }
    let mut theirs = Command::new(copy);
    theirs.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => theirs.env(name, value),
            None => theirs.env_remove(name),
        };
    }
    theirs.current_dir("/").uid(ANOTHER_USER).gid(ANOTHER_USER);
    theirs
}

/// A running server; it is killed when dropped.
pub struct Server {
    pub process: Child,
    pub address: String,
    pub greeting: String,
}

impl Server {
    /// One that was started otherwise.
    pub fn of(process: Child, address: String, greeting: String) -> Self {
        Self {
            process,
            address,
            greeting,
        }
    }

    /// Starts one on a data folder.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_as(program(folder, arguments), &folder.join("test.log"))
    }

    /// Starts it on a free port, and waits until it listens. What it logs goes to a file.
    pub fn start_as(command: Command, log: &Path) -> Self {
        Self::start_at(command, log, "127.0.0.1:0")
    }

    /// The same at an address.
    pub fn start_at(mut command: Command, log: &Path, bind: &str) -> Self {
        let log = fs::File::options().create(true).append(true).open(log).unwrap();
        let mut process = command
            .args(["--bind", bind])
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            greeting.push_str(&line);
            greeting.push('\n');
            if line.starts_with("Connect with") {
                break;
            }
        }
        let address = greeting
            .lines()
            .find_map(|line| line.strip_prefix("Listening on http://"))
            .unwrap_or_else(|| panic!("{greeting}"))
            .to_owned();
        Self {
            process,
            address,
            greeting,
        }
    }

    /// Someone who talks to it.
    pub fn client(&self) -> Client {
        Client::new(&self.address)
    }

    /// The administrator, signed in.
    pub fn admin(&self) -> Client {
        self.client().signed_in(ADMIN, PASSWORD)
    }

    /// Ends it at once, as a crash would.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Sends a request and gives status and body; `None` when the server is gone.
    pub fn try_send(&self, method: &str, path: &str, token: &str, body: &str) -> Option<(u16, String)> {
        self.client().with(token).exchange(method, path, body)
    }

    pub fn send(&self, method: &str, path: &str, token: &str, body: &str) -> (u16, String) {
        self.try_send(method, path, token, body).unwrap()
    }

    /// The status of `/ready`.
    pub fn ready(&self) -> u16 {
        self.send("GET", "/ready", "", "").0
    }

    /// Waits until `/ready` has this status.
    #[track_caller]
    pub fn wait_until_ready_is(&self, status: u16) {
        let begun = Instant::now();
        loop {
            let (now, body) = self.send("GET", "/ready", "", "");
            if now == status {
                return;
            }
            assert!(begun.elapsed() < DEADLINE, "/ready stays {now}: {body}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn sign_in(&self, password: &str) -> Option<String> {
        self.sign_in_as("default", password)
    }

    pub fn sign_in_as(&self, name: &str, password: &str) -> Option<String> {
        let (status, body) = self.send(
            "POST",
            "/api/v1/login",
            "",
            &format!("username={name}&password={password}"),
        );
        let body: Value = serde_json::from_str(&body).unwrap();
        (status == 200).then(|| body["access_token"].as_str().unwrap().to_owned())
    }

    /// Sends it a signal, such as `-TERM`.
    pub fn signal(&self, signal: &str) {
        let process = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &process]).status().unwrap();
        assert!(sent.success());
    }

    pub fn terminate(self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        self.signal("-TERM");
        let (status, _) = self.wait_for_end();
        (status, begun.elapsed())
    }

    /// Waits until it has ended, and tells how and after what time.
    pub fn wait_for_end(mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return (status.code(), begun.elapsed());
            }
            assert!(begun.elapsed() < DEADLINE, "it does not end");
            std::thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
