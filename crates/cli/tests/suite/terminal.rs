//! On a terminal: questions, hidden passwords, the spinner, colours, and Ctrl-C at any moment.

use std::process::ExitStatus;
use std::time::Duration;

use pty_process::{Pty, Size};
use rustix::termios::{LocalModes, OptionalActions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;

use crate::support::{ACCOUNT, DEVICE, KEY, World, recorded};

const CTRL_C: &str = "\u{3}";
const CLEARED_LINE: &str = "\r\u{1b}[2K";

/// A person's terminal with a command on it.
struct Terminal {
    pty: Pty,
    child: Child,
    /// All that was shown so far.
    shown: String,
}

impl Terminal {
    fn run(world: &World, line: &str) -> Self {
        let line = line.replace("[url]", &world.url);
        let (pty, pts) = pty_process::open().unwrap();
        pty.resize(Size::new(50, 100)).unwrap();
        // Else the terminal forgets, a moment after Ctrl-C, what was written and not read yet: also the last words.
        let mut modes = rustix::termios::tcgetattr(&pty).unwrap();
        modes.local_modes |= LocalModes::NOFLSH;
        rustix::termios::tcsetattr(&pty, OptionalActions::Now, &modes).unwrap();
        let child = pty_process::Command::new(env!("CARGO_BIN_EXE_zenml"))
            .args(line.split_ascii_whitespace())
            .env_clear()
            .envs(world.variables())
            .env("TERM", "xterm-256color")
            .current_dir(world.home.path())
            .kill_on_drop(true)
            .spawn(pts)
            .unwrap();
        Self {
            pty,
            child,
            shown: String::new(),
        }
    }

    /// Reads until something is shown that was not before.
    async fn until(&mut self, text: &str) -> &mut Self {
        let from = self.shown.len();
        while !self.shown[from..].contains(text) {
            assert!(
                self.read().await,
                "it ended without showing {text:?}: {:?}",
                self.shown
            );
        }
        self
    }

    async fn read(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(20), self.pty.read(&mut bytes)).await;
        // A terminal whose last program has ended gives an error.
        match read.unwrap_or_else(|_| panic!("nothing more is shown: {:?}", self.shown)) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.shown.push_str(&String::from_utf8_lossy(&bytes[..count]));
                true
            }
        }
    }

    async fn type_in(&mut self, text: &str) -> &mut Self {
        self.pty.write_all(text.as_bytes()).await.unwrap();
        self
    }

    /// Whether what is typed is shown.
    fn echoes(&self) -> bool {
        rustix::termios::tcgetattr(&self.pty)
            .unwrap()
            .local_modes
            .contains(LocalModes::ECHO)
    }

    /// Waits for a password to be asked for, which is when the terminal has stopped to show what is typed.
    async fn until_hidden(&mut self) -> &mut Self {
        for _ in 0..2000 {
            if !self.echoes() {
                return self;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the terminal still shows what is typed: {:?}", self.shown);
    }

    async fn end(mut self) -> (i32, String) {
        while self.read().await {}
        let status: ExitStatus = tokio::time::timeout(Duration::from_secs(20), self.child.wait())
            .await
            .unwrap()
            .unwrap();
        (status.code().unwrap_or(-1), self.shown)
    }
}

fn token(text: &str) -> (u16, Value) {
    (
        200,
        json!({"access_token": text, "token_type": "bearer", "expires_in": 3600}),
    )
}

async fn waiting() -> World {
    let world = World::new().await;
    let (status, mut codes) = recorded("device authorization");
    codes["interval"] = json!(1);
    world.on("POST /api/v1/device_authorization", (status, codes));
    world.on("POST /api/v1/login", recorded("poll: pending"));
    world
}

#[tokio::test]
async fn a_spinner_counts_down_and_goes_away() {
    let world = waiting().await;
    world.on("POST /api/v1/login", token("t1"));
    let mut terminal = Terminal::run(&world, "connect --url [url] --no-browser");
    terminal.until("Waiting for you to confirm it… 4:5").await;
    let (code, shown) = terminal.end().await;
    assert_eq!(code, 0, "{shown}");
    let (_, last) = shown.rsplit_once(CLEARED_LINE).unwrap();
    assert!(
        last.starts_with("Connected to ") && !last.contains("Waiting"),
        "{last:?}"
    );
}

#[tokio::test]
async fn ctrl_c_while_it_waits() {
    let world = waiting().await;
    let mut terminal = Terminal::run(&world, "connect --url [url] --no-browser");
    terminal.until("Waiting for you").await.type_in(CTRL_C).await;
    let (code, shown) = terminal.end().await;
    assert_eq!(code, 130, "{shown}");
    let (_, last) = shown.rsplit_once(CLEARED_LINE).unwrap();
    assert_eq!(last.trim(), "", "nothing is left on the line");
    assert!(!world.file("config.yaml").contains("store:"));
}

#[tokio::test]
async fn a_password_is_asked_for_and_not_shown() {
    let world = World::new().await;
    world.on("POST /api/v1/login", token("t1"));
    let mut terminal = Terminal::run(&world, "connect --url [url] --username ann");
    terminal
        .until("Password of ann: ")
        .await
        .until_hidden()
        .await
        .type_in("hunter2\n")
        .await;
    let (code, shown) = terminal.end().await;
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(
        world
            .asked()
            .iter()
            .any(|asked| asked.ends_with("username=ann&password=hunter2"))
    );
}

#[tokio::test]
async fn ctrl_c_at_a_password_leaves_the_terminal_as_it_was() {
    let world = World::new().await;
    let mut terminal = Terminal::run(&world, "connect --url [url] --username ann");
    terminal
        .until("Password of ann: ")
        .await
        .until_hidden()
        .await
        .type_in(CTRL_C)
        .await;
    let status = tokio::time::timeout(Duration::from_secs(20), terminal.child.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(terminal.echoes(), "the terminal no longer shows what is typed");
}

#[tokio::test]
async fn a_signal_at_a_password_leaves_the_terminal_as_it_was() {
    let world = World::new().await;
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut terminal = Terminal::run(&world, "connect --url [url] --username ann");
        terminal.until("Password of ann: ").await.until_hidden().await;
        let pid = terminal.child.id().unwrap().to_string();
        assert!(
            tokio::process::Command::new("kill")
                .args([signal, &pid])
                .status()
                .await
                .unwrap()
                .success()
        );
        let status = tokio::time::timeout(Duration::from_secs(20), terminal.child.wait())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(status.code(), Some(code));
        assert!(terminal.echoes(), "the terminal no longer shows what is typed");
    }
}

#[tokio::test]
async fn a_new_password_is_asked_for_twice() {
    let world = World::connected().await;
    let mut terminal = Terminal::run(&world, "user create ann");
    terminal
        .until("Password of ann (empty to invite): ")
        .await
        .until_hidden()
        .await
        .type_in("one\n")
        .await;
    terminal
        .until("Repeat it: ")
        .await
        .until_hidden()
        .await
        .type_in("other\n")
        .await;
    let (code, shown) = terminal.end().await;
    assert_eq!(code, 2, "{shown}");
    assert!(shown.contains("the two are not the same"), "{shown}");
    assert!(world.asked().is_empty());
}

#[tokio::test]
async fn deleting_asks_first() {
    let world = World::with_devices().await;
    world.on(
        &format!("DELETE /api/v1/devices/{DEVICE}"),
        recorded("delete device"),
    );
    for (answer, deleted) in [
        ("n\n", false),
        ("\n", false),
        ("what\n", false),
        ("y\n", true),
        ("YES\n", true),
    ] {
        let shown = answered(&world, "device delete 2efa", answer, "DELETE", deleted).await;
        let refused = shown.contains("nothing was changed, as the answer was no");
        assert_eq!(refused, !deleted, "{shown}");
    }
}

/// Answers the question about the machine one is on, and expects it to be done, or not.
async fn answered(world: &World, line: &str, answer: &str, method: &str, done: bool) -> String {
    let mut terminal = Terminal::run(world, line);
    terminal
        .until("It is the machine you are on. [y/N] ")
        .await
        .type_in(answer)
        .await;
    let (code, shown) = terminal.end().await;
    assert_eq!(code, i32::from(!done), "{shown}");
    let asked = world.asked();
    let was_done = asked.iter().any(|asked| asked.starts_with(method));
    assert_eq!(was_done, done, "{answer:?}: {asked:?}");
    shown
}

#[tokio::test]
async fn locking_the_machine_one_is_on_asks_first() {
    let world = World::with_devices().await;
    world.on(&format!("PUT /api/v1/devices/{DEVICE}"), recorded("lock device"));
    for (answer, locked) in [("n\n", false), ("y\n", true)] {
        answered(&world, "device lock 2efa", answer, "PUT", locked).await;
    }
}

#[tokio::test]
async fn a_server_that_takes_its_time_is_told_of() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World::new().await;
    let line = format!("connect --url http://{}", listener.local_addr().unwrap());
    let mut terminal = Terminal::run(&world, &line);
    terminal
        .until("Waiting for the server… 2 s, Ctrl-C to give up")
        .await;
    terminal.type_in(CTRL_C).await;
    let (code, shown) = terminal.end().await;
    assert_eq!(code, 130, "{shown}");
}

#[tokio::test]
async fn ctrl_c_at_a_question() {
    let world = World::with_devices().await;
    let mut terminal = Terminal::run(&world, "device delete 2efa");
    terminal.until("[y/N] ").await.type_in(CTRL_C).await;
    let (code, shown) = terminal.end().await;
    assert_eq!(code, 130, "{shown}");
    assert!(!world.asked().iter().any(|asked| asked.starts_with("DELETE")));
}

/// A server with a key that can be rotated and is used.
async fn with_rotation() -> World {
    let world = World::with_rotation().await;
    let (_, mut rotated) = recorded("rotate with retention");
    rotated["metadata"]["last_rotated"] = json!("2026-11-23T18:51:39.000000");
    rotated["metadata"]["recent_uses"] = json!([
        {"value": "previous", "last_login": "2026-12-24T12:00:00.000000", "ip_address": "192.0.2.7"}
    ]);
    let key = format!("GET /api/v1/service_accounts/{ACCOUNT}/api_keys/{KEY}");
    world.forget(&key).on(&key, (200, rotated));
    world
}

const ROTATE: &str = "service-account api-key ci-71c157 rotate default --retain 60";

#[tokio::test]
async fn ctrl_c_while_it_waits_for_an_old_key() {
    let world = with_rotation().await;
    let mut terminal = Terminal::run(&world, &format!("{ROTATE} --wait"));
    terminal
        .until("2026-12-24 12:00:00 UTC  192.0.2.7  (says nothing of itself)  uses the old key")
        .await
        .until("Done if the old key is not used for 9:5")
        .await
        .type_in(CTRL_C)
        .await;
    let (code, shown) = terminal.end().await;
    assert_eq!(code, 130, "{shown}");
    assert!(shown.contains("ZENKEY_"), "{shown}");
    let (_, last) = shown.rsplit_once(CLEARED_LINE).unwrap();
    assert_eq!(last.trim(), "", "nothing is left on the line");
}

#[tokio::test]
async fn ctrl_c_does_not_lose_a_key_that_is_on_its_way() {
    let put = format!("PUT /api/v1/service_accounts/{ACCOUNT}/api_keys/{KEY}/rotate");
    for (args, code) in [(ROTATE.to_owned(), 0), (format!("{ROTATE} --wait"), 130)] {
        let world = with_rotation().await;
        let gate = world.hold(&put);
        let mut terminal = Terminal::run(&world, &args);
        world.until_asked(&put).await;
        terminal
            .type_in(CTRL_C)
            .await
            .until("A new key is on its way")
            .await;
        gate.notify_one();
        let (ended, shown) = terminal.end().await;
        assert!(shown.contains("ZENKEY_"), "{shown}");
        assert_eq!(ended, code, "{shown}");
    }
    // A second signal ends it at once.
    let world = with_rotation().await;
    let _gate = world.hold(&put);
    let mut terminal = Terminal::run(&world, ROTATE);
    world.until_asked(&put).await;
    terminal
        .type_in(CTRL_C)
        .await
        .until("A new key is on its way")
        .await
        .type_in(CTRL_C)
        .await;
    let (code, _) = terminal.end().await;
    assert_eq!(code, 130);
}

#[tokio::test]
async fn colours_show_unless_they_are_unwanted() {
    let mut world = World::with_devices().await;
    let (_, shown) = Terminal::run(&world, "device list").end().await;
    assert!(shown.contains("\u{1b}[32mactive"), "{shown:?}");
    world.set("NO_COLOR", "1");
    let (_, shown) = Terminal::run(&world, "device list").end().await;
    assert!(!shown.contains('\u{1b}') && shown.contains("active"), "{shown:?}");
}

#[tokio::test]
async fn colours_of_help_and_of_complaints_follow_the_flag() {
    let world = World::with_devices().await;
    for line in ["device --help", "device nonsense", "device list --nonsense"] {
        let (_, shown) = Terminal::run(&world, line).end().await;
        assert!(shown.contains('\u{1b}'), "{shown:?}");
        // Before the command or after it, in either form.
        for line in [format!("--color never {line}"), format!("{line} --color=never")] {
            let (_, shown) = Terminal::run(&world, &line).end().await;
            assert!(!shown.contains('\u{1b}') && shown.contains("zenml"), "{shown:?}");
        }
        let piped = world.run(&format!("--color always {line}")).await;
        let said = format!("{}{}", piped.stdout, piped.stderr);
        assert!(said.contains('\u{1b}'), "{said:?}");
    }
}

#[tokio::test]
async fn a_table_fits_the_terminal() {
    let world = World::connected().await;
    let (_, mut body) = recorded("devices, hydrated");
    body["items"][0]["body"]["hostname"] = json!("a-machine-with-a-very-long-name".repeat(4));
    world.on("GET /api/v1/devices", (200, body));
    let (_, shown) = Terminal::run(&world, "device list --columns id,status,hostname --color never")
        .end()
        .await;
    assert!(shown.contains('…') && shown.contains(DEVICE), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
}
