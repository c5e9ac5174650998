//! What operators do on the server's own machine, beside a running server and without one.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "all of this is test code, and waits for real processes"
)]

mod program;

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;
use zenml_auth_server::admin::errand::Errand;
use zenml_auth_server::admin::{Operation, socket};
use zenml_auth_server::compose::IfMissing;
use zenml_auth_server::ownership::DatabaseFile;
use zenml_auth_storage::ConnectOptions;

use crate::program::{DEADLINE, PASSWORD, Server, failure, program, run};

/// Runs a command that reads a password, which has to succeed.
fn run_with(folder: &Path, arguments: &[&str], password: &str) -> String {
    let mut command = program(folder, arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(command.stdin.take().unwrap(), "{password}").unwrap();
    said(&command.wait_with_output().unwrap())
}

/// What a command says when it succeeds, which it has to.
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn admin(folder: &Path, arguments: &[&str]) -> String {
    said(&run(folder, &[&["admin"], arguments].concat()))
}

fn database(folder: &Path) -> DatabaseFile {
    let options = ConnectOptions::sqlite_file(folder.join("zenml-auth.db"));
    DatabaseFile::locate(&options, IfMissing::Create)
        .unwrap()
        .unwrap()
}

fn socket_of(folder: &Path) -> PathBuf {
    socket::folder(&database(folder)).join("socket")
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("test.log")).unwrap()
}

fn current_user(server: &Server, token: &str) -> u16 {
    server.send("GET", "/api/v1/current-user", token, "").0
}

/// Shows one person's token without a break, from several clients, so that what is kept in memory about them is asked for
/// while it is revoked.
struct Hammer {
    token: Mutex<String>,
    /// Set once the revocation of that token was acknowledged.
    revoked: AtomicBool,
    stopped: AtomicBool,
    let_in: AtomicU64,
    let_in_too_late: AtomicU64,
}

impl Hammer {
    fn new() -> Self {
        Self {
            token: Mutex::default(),
            revoked: AtomicBool::new(true),
            stopped: AtomicBool::new(false),
            let_in: AtomicU64::new(0),
            let_in_too_late: AtomicU64::new(0),
        }
    }

    fn aim(&self, token: &str) {
        // In this order, so that nobody takes the new one for revoked.
        self.revoked.store(false, Ordering::SeqCst);
        *self.token.lock().unwrap() = token.to_owned();
    }

    fn strike(&self, server: &Server) {
        while !self.stopped.load(Ordering::SeqCst) {
            let token = self.token.lock().unwrap().clone();
            // Before the request begins.
            let revoked = self.revoked.load(Ordering::SeqCst);
            match server.try_send("GET", "/api/v1/current-user", &token, "") {
                Some((200, _)) if revoked => self.let_in_too_late.fetch_add(1, Ordering::SeqCst),
                Some((200, _)) => self.let_in.fetch_add(1, Ordering::SeqCst),
                _ => 0,
            };
        }
    }

    /// Once somebody was let in, so that they are kept in memory.
    fn wait_for_some(&self, more: u64) {
        let begun = std::time::Instant::now();
        let enough = self.let_in.load(Ordering::SeqCst) + more;
        while self.let_in.load(Ordering::SeqCst) < enough {
            assert!(begun.elapsed() < DEADLINE, "nobody is let in");
            thread::yield_now();
        }
    }
}

#[test]
fn the_very_next_request_is_refused_under_load() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--rate-limit", "off"]);
    let other = server.sign_in(PASSWORD).unwrap();
    run_with(
        folder.path(),
        &["admin", "create-user", "ann", "--password-stdin"],
        "first-Passw0rd-0",
    );
    let hammer = Hammer::new();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| hammer.strike(&server));
        }
        let rounds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut password = "first-Passw0rd-0".to_owned();
            for round in 1..=8 {
                let token = server.sign_in_as("ann", &password).unwrap();
                hammer.aim(&token);
                hammer.wait_for_some(5);
                if round % 2 == 0 {
                    admin(folder.path(), &["deactivate-user", "ann"]);
                    hammer.revoked.store(true, Ordering::SeqCst);
                    assert_eq!(current_user(&server, &token), 401, "round {round}");
                    assert!(server.sign_in_as("ann", &password).is_none());
                    admin(folder.path(), &["activate-user", "ann"]);
                    assert_eq!(current_user(&server, &token), 401, "it stays ended");
                } else {
                    let new = format!("first-Passw0rd-{round}");
                    run_with(
                        folder.path(),
                        &["admin", "reset-password", "ann", "--password-stdin"],
                        &new,
                    );
                    hammer.revoked.store(true, Ordering::SeqCst);
                    assert_eq!(current_user(&server, &token), 401, "round {round}");
                    assert!(server.sign_in_as("ann", &password).is_none());
                    password = new;
                }
                assert_eq!(current_user(&server, &other), 200, "nobody else is signed out");
            }
        }));
        hammer.stopped.store(true, Ordering::SeqCst);
        rounds.unwrap();
    });
    assert_eq!(hammer.let_in_too_late.load(Ordering::SeqCst), 0);
    assert!(
        log(folder.path()).contains("operation=\"reset_password\""),
        "the server did it"
    );
}

#[test]
fn what_the_owner_acknowledged_holds_for_the_very_next_request() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--rate-limit", "off"]);
    run_with(
        folder.path(),
        &["admin", "create-user", "ann", "--password-stdin"],
        "first-Passw0rd",
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut errand = runtime.block_on(Errand::begin(&database(folder.path()))).unwrap();
    let hammer = Hammer::new();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| hammer.strike(&server));
        }
        let rounds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let name = || "ann".to_owned();
            for round in 0..40 {
                let token = server.sign_in_as("ann", "first-Passw0rd").unwrap();
                hammer.aim(&token);
                hammer.wait_for_some(2);
                // Over one connection that stays open: nothing but the operation is between two requests.
                runtime
                    .block_on(errand.ask(Operation::DeactivateUser { name: name() }))
                    .unwrap();
                hammer.revoked.store(true, Ordering::SeqCst);
                assert_eq!(current_user(&server, &token), 401, "round {round}");
                runtime
                    .block_on(errand.ask(Operation::ActivateUser { name: name() }))
                    .unwrap();
                assert_eq!(current_user(&server, &token), 401, "round {round}");
            }
        }));
        hammer.stopped.store(true, Ordering::SeqCst);
        rounds.unwrap();
    });
    assert_eq!(hammer.let_in_too_late.load(Ordering::SeqCst), 0);
}

#[test]
fn it_is_the_same_with_a_server_and_without() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut answers = Vec::new();
    let both = || {
        let mut answers = vec![
            admin(folder.path(), &["list-users"]),
            run_with(
                folder.path(),
                &["admin", "reset-password", "default", "--password-stdin"],
                PASSWORD,
            ),
        ];
        for wrong in [
            &["reset-password", "nobody"][..],
            &["deactivate-user", "nobody"],
            &["activate-user", "nobody"],
            &["deactivate-user", "default"],
            &["create-user", "default"],
            &["create-user", " blank"],
        ] {
            answers.push(failure(&run(folder.path(), &[&["admin"], wrong].concat())));
        }
        answers
    };
    answers.push(both());
    assert_eq!(server.terminate().0, Some(0));
    assert!(
        !socket_of(folder.path()).exists(),
        "a server that stops leaves no socket"
    );
    answers.push(both());
    let answered = answers.first().unwrap();
    assert_eq!(answered, answers.get(1).unwrap());
    for part in [
        "default",
        "administrator",
        "there is no user of the name nobody",
        "last administrator",
    ] {
        assert!(
            answered.iter().any(|answer| answer.contains(part)),
            "{part} is not in {answered:?}"
        );
    }
}

#[test]
fn a_user_is_kept_out_and_let_in_again() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    run_with(
        folder.path(),
        &["admin", "create-user", "ann", "--password-stdin"],
        "first-Passw0rd",
    );
    let said = admin(folder.path(), &["deactivate-user", "ann"]);
    let token = said.trim().rsplit(' ').next().unwrap();
    let state = |name: &str| {
        let listed = admin(folder.path(), &["list-users"]);
        let line = listed.lines().find(|line| line.contains(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        state("ann"),
        "deactivated",
        "though she may come back with the token"
    );
    assert_eq!(state("default"), "active");
    let invitation = json!({"name": "bob", "is_admin": false, "active": false}).to_string();
    let by_api = server.sign_in(PASSWORD).unwrap();
    assert_eq!(server.send("POST", "/api/v1/users", &by_api, &invitation).0, 200);
    assert_eq!(state("bob"), "invited");
    assert!(server.sign_in_as("ann", "first-Passw0rd").is_none());
    // The token is as good as one from the API.
    let by_id = |path: &str, body: Value| server.send("PUT", path, "", &body.to_string());
    let admin_token = server.sign_in(PASSWORD).unwrap();
    let (_, found) = server.send("GET", "/api/v1/users/ann", &admin_token, "");
    let found: Value = serde_json::from_str(&found).unwrap();
    let path = format!("/api/v1/users/{}/activate", found["id"].as_str().unwrap());
    let activation = json!({"activation_token": token, "password": "second-Passw0rd"});
    assert_eq!(by_id(&path, activation).0, 200);
    assert!(server.sign_in_as("ann", "second-Passw0rd").is_some());
    admin(folder.path(), &["deactivate-user", "ann"]);
    admin(folder.path(), &["activate-user", "ann"]);
    assert!(server.sign_in_as("ann", "second-Passw0rd").is_some());
    let trail = said_by_audit(folder.path());
    for part in ["operator  user.deactivated", "operator  user.activated"] {
        assert!(trail.contains(part), "{part} is not in\n{trail}");
    }
}

fn said_by_audit(folder: &Path) -> String {
    said(&run(folder, &["audit"]))
}

#[test]
fn the_socket_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    // However open the folder is that somebody made.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let socket = socket_of(folder.path());
    fs::create_dir(socket.parent().unwrap()).unwrap();
    fs::set_permissions(socket.parent().unwrap(), Permissions::from_mode(0o777)).unwrap();
    let _server = Server::start(folder.path(), &[]);
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(mode(socket.parent().unwrap()), 0o700);
    assert_eq!(mode(&folder.path().join("zenml-auth.db.lock")), 0o600);
}

#[test]
fn a_socket_that_could_be_somebody_elses_is_not_used() {
    let folder = TempDir::new().unwrap();
    let elsewhere = TempDir::new().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), socket_of(folder.path()).parent().unwrap()).unwrap();
    let server = Server::start(folder.path(), &[]);
    assert!(server.sign_in(PASSWORD).is_some(), "it serves all the same");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    assert!(log(folder.path()).contains("there is no socket for operators"));
}

/// Not a test by itself: what `other_users_are_turned_away` runs as somebody else.
#[test]
#[ignore = "run by another test, as another user"]
fn somebody_else() {
    let mut stream = UnixStream::connect(std::env::var_os("SOCKET").unwrap()).unwrap();
    let mut greeted = String::new();
    // A connection that was turned away breaks as soon as something is said.
    let _ = stream.write_all(b"{\"protocol\":1,\"operation\":{\"list_users\":{\"page\":1}}}\n");
    let _ = stream.read_to_string(&mut greeted);
    println!("greeted with <{greeted}>");
}

#[test]
fn other_users_are_turned_away() {
    let folder = TempDir::new().unwrap();
    let _server = Server::start(folder.path(), &[]);
    let socket = socket_of(folder.path());
    if fs::metadata(folder.path()).unwrap().uid() != 0 {
        // Nobody else can be somebody else.
        zenml_auth_testkit::report::missing("the rights of root");
        return;
    }
    // Even if all doors on the way stand open.
    for path in [folder.path(), socket.parent().unwrap(), &socket] {
        fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
    }
    let tests = folder.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    let nobody = Command::new(&tests)
        .args(["--exact", "somebody_else", "--ignored", "--nocapture"])
        .env("SOCKET", &socket)
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let nobody = said(&nobody);
    assert!(nobody.contains("greeted with <>"), "{nobody}");
    let root = UnixStream::connect(&socket).unwrap();
    let mut hello = String::new();
    BufReader::new(root).read_line(&mut hello).unwrap();
    assert!(hello.contains("zenml-auth-server"), "{hello}");
    assert!(log(folder.path()).contains("another user of this machine was turned away"));
}

/// Says something to the socket, and gives the lines that come back.
fn say(socket: &Path, text: &[u8]) -> Vec<Value> {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    // The other side need not listen to all of it.
    let _ = stream.write_all(text);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answers = Vec::new();
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break };
        answers.push(serde_json::from_str(&line).unwrap());
    }
    answers
}

#[test]
fn junk_does_not_hurt() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--log-filter", "trace"]);
    let socket = socket_of(folder.path());
    let token = server.sign_in(PASSWORD).unwrap();
    // Those who say nothing take up some of the places.
    let silent: Vec<_> = (0..10).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let not_understood = json!({"refused": "not_understood"});
    let long = vec![b'x'; 100_000];
    let deep = [b"[".repeat(20_000), b"\n".to_vec()].concat();
    for junk in [
        &b"\n"[..],
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff\xfe\x00\n",
        b"{\"protocol\":1,\"operation\":{\"reset_password\":{\"name\":\"default\",\"pasword\":\"junk-Passw0rd\"}}}\n",
        b"{\"protocol\":1,\"operation\":\"list_users\"}\n",
        b"{\"protocol\":1,\"operation\":{\"list_users\":{\"page\":-1}}}\n",
        b"{\"protocol\":1}\n",
        &deep,
    ] {
        let answers = say(&socket, junk);
        assert_eq!(answers.get(1), Some(&not_understood), "{:?}", String::from_utf8_lossy(junk));
    }
    // Without an end, there is no answer, or the one that it is too long.
    for unfinished in [
        &b""[..],
        b"{\"protocol\":1,\"operation\":{\"deactivate_user\":{\"name\":\"default\"",
        &long,
    ] {
        for answer in say(&socket, unfinished).iter().skip(1) {
            assert_eq!(answer, &not_understood);
        }
    }
    let page_zero = say(
        &socket,
        b"{\"protocol\":1,\"operation\":{\"list_users\":{\"page\":0}}}\n",
    );
    assert!(page_zero[1]["refused"]["not_usable"].is_string(), "{page_zero:?}");
    let later = say(
        &socket,
        b"{\"protocol\":2,\"operation\":{\"of_a_later_version\":7},\"more\":true}\n",
    );
    assert_eq!(later[0]["protocol"], 1);
    assert_eq!(
        later[1]["refused"]["other_protocol"]["program"],
        later[0]["program"]
    );
    // Nothing was changed, and everything goes on.
    assert_eq!(current_user(&server, &token), 200);
    assert!(admin(folder.path(), &["list-users"]).contains("active"));
    drop(silent);
    assert!(!log(folder.path()).contains("junk-Passw0rd"));
}

#[test]
fn no_password_is_logged() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &["--log-filter", "trace"]);
    let mut secrets = vec!["typed-Passw0rd".to_owned()];
    run_with(
        folder.path(),
        &["admin", "reset-password", "default", "--password-stdin"],
        "typed-Passw0rd",
    );
    for command in [
        &["create-user", "ann"][..],
        &["reset-password", "ann"],
        &["deactivate-user", "ann"],
    ] {
        let said = admin(folder.path(), command);
        secrets.push(said.trim().rsplit(' ').next().unwrap().to_owned());
    }
    assert!(server.sign_in("typed-Passw0rd").is_some());
    assert_eq!(server.terminate().0, Some(0));
    let log = log(folder.path());
    assert!(log.contains("operation=\"deactivate_user\""), "{log}");
    for secret in secrets {
        assert!(secret.len() > 8);
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}

#[test]
fn a_socket_that_was_left_behind_is_no_obstacle() {
    let folder = TempDir::new().unwrap();
    let socket = socket_of(folder.path());
    for round in 0..3 {
        // Dropped: killed at once.
        drop(Server::start(folder.path(), &[]));
        assert!(socket.exists(), "it is left behind");
        let name = format!("user-{round}");
        assert!(admin(folder.path(), &["create-user", &name]).contains("Created"));
        let server = Server::start(folder.path(), &[]);
        assert!(admin(folder.path(), &["list-users"]).contains(&name));
        assert!(server.sign_in(PASSWORD).is_some());
    }
}

#[test]
fn a_long_path_will_do() {
    let parent = TempDir::new().unwrap();
    let temporary = TempDir::new().unwrap();
    let folder = parent
        .path()
        .join("a-long-name-".repeat(10))
        .join("another-long-name-".repeat(8));
    fs::create_dir_all(&folder).unwrap();
    assert!(socket_of(&folder).as_os_str().len() > 108);
    let server = Server::start(&folder, &[]);
    let token = server.sign_in(PASSWORD).unwrap();
    assert!(socket_of(&folder).exists());
    assert_eq!(current_user(&server, &token), 200);
    let reset = program(&folder, &["admin", "reset-password", "default"])
        .env("TMPDIR", temporary.path())
        .output()
        .unwrap();
    assert!(said(&reset).contains("shown this once"));
    assert_eq!(current_user(&server, &token), 401);
    assert!(log(&folder).contains("operation=\"reset_password\""));
    assert_eq!(
        fs::read_dir(temporary.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

#[test]
fn a_server_of_another_version_is_told_apart_before_it_is_told_anything() {
    let folder = TempDir::new().unwrap();
    said(&run(folder.path(), &["migrate", "up"]));
    let database = database(folder.path());
    let _lock = database.try_lock().unwrap().unwrap();
    let socket = socket_of(folder.path());
    fs::create_dir(socket.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    let other = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"{\"protocol\":99,\"program\":\"zenml-auth-server 9.9.9\",\"mood\":\"good\"}\n")
            .unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        heard
    });
    let refused = failure(&run(folder.path(), &["admin", "reset-password", "default"]));
    assert!(refused.contains("zenml-auth-server 9.9.9"), "{refused}");
    assert_eq!(other.join().unwrap(), "", "it was not told the password");
}

#[test]
fn commands_at_the_same_time_wait_for_each_other() {
    let folder = TempDir::new().unwrap();
    drop(Server::start(folder.path(), &[]));
    let commands: Vec<_> = (0..8)
        .map(|number| {
            program(
                folder.path(),
                &["admin", "create-user", &format!("user-{number}")],
            )
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
        })
        .collect();
    for mut command in commands {
        assert!(command.wait().unwrap().success());
    }
    let listed = admin(folder.path(), &["list-users"]);
    assert_eq!(
        listed.lines().filter(|line| line.contains("  user-")).count(),
        8,
        "{listed}"
    );
}

#[test]
fn a_database_given_by_url_has_one_owner_too() {
    let folder = TempDir::new().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    fs::create_dir(&one).unwrap();
    fs::create_dir(&two).unwrap();
    let url = format!("sqlite://{}/shared.db", folder.path().display());
    let by_url = ["--database-url", url.as_str()];
    let server = Server::start(&one, &by_url);
    let token = server.sign_in(PASSWORD).unwrap();
    let with = |arguments: &[&str]| run(&two, &[&by_url, arguments].concat());
    for writing in [
        &["--bind", "127.0.0.1:0"][..],
        &["migrate", "up"],
        &["migrate", "down"],
    ] {
        let refused = failure(&with(writing));
        assert!(
            refused.contains("another zenml-auth server runs on the database"),
            "{refused}"
        );
        assert!(refused.contains("shared.db"), "{refused}");
    }
    // Reading may go on beside it.
    assert!(said(&with(&["migrate", "status"])).contains("applied"));
    assert!(said(&with(&["audit"])).contains("session.started"));
    // And operators are let in.
    assert_eq!(current_user(&server, &token), 200);
    said(&with(&["admin", "reset-password", "default"]));
    assert_eq!(current_user(&server, &token), 401);
    // The same file as the embedded database of a folder is the same database.
    let embedded = Server::start(&two, &[]);
    let same = format!("sqlite:{}/zenml-auth.db", two.display());
    let refused = failure(&run(&one, &["--database-url", &same, "--bind", "127.0.0.1:0"]));
    assert!(
        refused.contains("another zenml-auth server runs on the database"),
        "{refused}"
    );
    assert!(embedded.sign_in(PASSWORD).is_some());
}

#[test]
fn connections_leave_files_for_the_database_and_for_operators() {
    let folder = TempDir::new().unwrap();
    let mut limited = Command::new("sh");
    let program = program(folder.path(), &[]);
    limited
        .args(["-c", "ulimit -n 96 && exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(program.get_args())
        .env("ZENML_AUTH_ADMIN_PASSWORD", PASSWORD);
    let server = Server::start_as(limited, &folder.path().join("test.log"));
    // More than there are files, by somebody who has nothing to say.
    let silent: Vec<_> = (0..110)
        .map(|_| TcpStream::connect(&server.address).unwrap())
        .collect();
    let reset = run_with(
        folder.path(),
        &["admin", "reset-password", "default", "--password-stdin"],
        "another-Passw0rd",
    );
    assert!(reset.contains("default"), "{reset}");
    drop(silent);
    assert!(server.sign_in("another-Passw0rd").is_some());
    let log = log(folder.path());
    assert!(log.contains("leaves room for few connections"), "{log}");
    assert!(!log.contains("can't accept"), "{log}");
}

#[test]
fn reading_changes_nothing() {
    let folder = TempDir::new().unwrap();
    // Keys that are due at once are replaced by whoever serves, and not by whoever looks.
    let short = ["--signing-key-lifetime", "1s", "--access-token-lifetime", "1s"];
    let server = Server::start(folder.path(), &[]);
    let jwks = || server.send("GET", "/.well-known/jwks.json", "", "").1;
    let before = jwks();
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(2) {
        said(&run(folder.path(), &[&short[..], &["audit"]].concat()));
    }
    assert_eq!(jwks(), before);
    assert!(!said_by_audit(folder.path()).contains("signing_key.rotated"));
}

#[test]
fn texts_of_others_do_not_turn_the_operators_screen_around() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    // Turned around, it reads "admin".
    let hostile = "\u{202e}nimda\u{200b}\u{feff}";
    let harmful = |text: &str| text.contains(['\u{202e}', '\u{200b}', '\u{feff}']);
    let refused = failure(&run(folder.path(), &["admin", "create-user", hostile]));
    assert!(refused.contains("U+202E") && !harmful(&refused), "{refused:?}");
    // What people write about themselves may hold anything.
    let admin = server.admin();
    let full_name = |full_name: &str| {
        let body = json!({"full_name": full_name}).to_string();
        admin.ok("PUT", "/api/v1/current-user", &body);
    };
    full_name(hostile);
    full_name("Ann");
    let shown = said(&run(folder.path(), &["audit"]));
    assert!(shown.contains("nimda") && !harmful(&shown), "{shown:?}");
    // Programs get the very text.
    let trail = said(&run(folder.path(), &["audit", "--output", "json"]));
    assert!(!harmful(&trail), "{trail:?}");
    let mut events = trail
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(events.any(|event| event["details"]["changes"][0]["before"] == hostile));
}
