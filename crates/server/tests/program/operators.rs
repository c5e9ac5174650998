//! What operators do on the server's own machine, beside a running server and without one.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncBufReadExt as _;
use zenml_auth_core::ports::{Clock as _, SystemClock};
use zenml_auth_model::Timestamp;
use zenml_auth_server::compose::IfMissing;
use zenml_auth_server::operators::socket_client::SocketClient;
use zenml_auth_server::operators::socket_server::SocketServer;
use zenml_auth_server::operators::{Operation, socket};
use zenml_auth_server::ownership::DatabaseFile;
use zenml_auth_storage::ConnectOptions;
use zenml_auth_testkit::server::{TestServer, device_id};

use crate::support::{
    ADMIN, ANOTHER_USER, DEADLINE, PASSWORD, Server, as_another_user, failure, may_be_another_user, polling,
    program, run, run_with, said, started_by, text,
};

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

    /// Once somebody was authenticated, so that they are kept in memory.
    fn wait_for_some(&self, more: u64) {
        let begun = std::time::Instant::now();
        let enough = self.let_in.load(Ordering::SeqCst) + more;
        while self.let_in.load(Ordering::SeqCst) < enough {
            assert!(begun.elapsed() < DEADLINE, "nobody is authenticated");
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
    // The server did it.
    crate::support::wait_for_line(&folder.path().join("test.log"), "operation=\"reset_password\"");
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
    let mut client = runtime
        .block_on(SocketClient::connect(&database(folder.path())))
        .unwrap();
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
                    .block_on(client.ask(Operation::DeactivateUser { name: name() }))
                    .unwrap();
                hammer.revoked.store(true, Ordering::SeqCst);
                assert_eq!(current_user(&server, &token), 401, "round {round}");
                runtime
                    .block_on(client.ask(Operation::ActivateUser { name: name() }))
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
    crate::support::wait_for_line(
        &folder.path().join("test.log"),
        "there is no socket for operators",
    );
}

/// Runs one of the tests below that are none by themselves, as another user. They find the socket in a variable.
fn as_somebody_else(folder: &Path, test: &str) -> Command {
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("SOCKET", socket_of(folder));
    as_another_user(&tests, folder)
}

/// Gives every user access to the socket.
fn open_access(folder: &Path) {
    let socket = socket_of(folder);
    for (path, mode) in [
        (folder, 0o755),
        (socket.parent().unwrap(), 0o777),
        (&socket, 0o666),
    ] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
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
    if !may_be_another_user() {
        return;
    }
    open_access(folder.path());
    let nobody = said(
        &as_somebody_else(folder.path(), "operators::somebody_else")
            .output()
            .unwrap(),
    );
    assert!(nobody.contains("greeted with <>"), "{nobody}");
    let root = UnixStream::connect(socket_of(folder.path())).unwrap();
    let mut hello = String::new();
    BufReader::new(root).read_line(&mut hello).unwrap();
    assert!(hello.contains("zenml-auth-server"), "{hello}");
    crate::support::wait_for_line(
        &folder.path().join("test.log"),
        "another user of this machine was turned away",
    );
}

#[test]
fn the_commands_of_another_user_change_nothing_and_are_told_nothing() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    if !may_be_another_user() {
        return;
    }
    let token = server.sign_in(PASSWORD).unwrap();
    let copies = TempDir::new().unwrap();
    fs::set_permissions(copies.path(), Permissions::from_mode(0o755)).unwrap();
    for is_open in [false, true] {
        if is_open {
            open_access(folder.path());
        }
        for arguments in [
            &["admin", "list-users"][..],
            &["admin", "reset-password", "default"],
            &["admin", "deactivate-user", "default"],
            &["audit"],
            &["encryption", "status"],
            &["encryption", "reset", "--yes"],
            &["migrate", "status"],
            &["--bind", "127.0.0.1:0"],
        ] {
            let command = program(folder.path(), arguments);
            let refused = as_another_user(&command, copies.path()).output().unwrap();
            let error = failure(&refused);
            assert!(refused.stdout.is_empty(), "{arguments:?}: {refused:?}");
            // SQLite's own words for it, and the system's.
            assert!(
                error.contains("unable to open database file") || error.contains("Permission denied"),
                "{arguments:?}: {error}"
            );
        }
    }
    assert_eq!(current_user(&server, &token), 200);
    assert!(server.sign_in(PASSWORD).is_some());
    // Root may.
    assert!(admin(folder.path(), &["list-users"]).contains("default"));
}

/// Not a test by itself: what `a_command_says_nothing_to_another_user` runs as somebody else, who greets like a server.
#[test]
#[ignore = "run by another test, as another user"]
fn somebody_else_who_listens() {
    let listener = UnixListener::bind(std::env::var_os("SOCKET").unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    let hello = json!({"protocol": 1, "program": "zenml-auth-server"});
    // The other side need not stay for it.
    let _ = writeln!(&stream, "{hello}");
    let mut heard = String::new();
    let _ = BufReader::new(&stream).read_line(&mut heard);
    println!("heard <{}>", heard.trim_end());
}

#[test]
fn a_command_says_nothing_to_another_user() {
    let folder = TempDir::new().unwrap();
    said(&run(folder.path(), &["migrate", "up"]));
    if !may_be_another_user() {
        return;
    }
    let database = database(folder.path());
    let _lock = database.try_lock().unwrap().unwrap();
    let socket = socket_of(folder.path());
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(socket.parent().unwrap()).unwrap();
    chown(socket.parent().unwrap(), Some(ANOTHER_USER), None).unwrap();
    let talk = |owner: u32| {
        chown(database.path(), Some(owner), None).unwrap();
        let listening = as_somebody_else(folder.path(), "operators::somebody_else_who_listens")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let begun = std::time::Instant::now();
        while !socket.exists() {
            assert!(begun.elapsed() < DEADLINE, "nobody listens");
            thread::yield_now();
        }
        let refused = failure(&run(folder.path(), &["admin", "reset-password", "default"]));
        fs::remove_file(&socket).unwrap();
        (refused, said(&listening.wait_with_output().unwrap()))
    };
    let (refused, heard) = talk(0);
    assert!(
        refused.contains("somebody listens there who does not own the database"),
        "{refused}"
    );
    assert!(heard.contains("heard <>"), "{heard}");
    // The owner of the database may be told everything: it is theirs.
    let (refused, heard) = talk(ANOTHER_USER);
    assert!(refused.contains("the server was asked, but"), "{refused}");
    assert!(heard.contains("reset_password"), "{heard}");
}

#[tokio::test]
async fn sixteen_connections_are_served_at_a_time_and_the_next_one_waits() {
    let folder = TempDir::new().unwrap();
    let server = TestServer::start().await;
    let socket = socket_of(folder.path());
    let listening = SocketServer::start(database(folder.path()), server.engine.clone()).unwrap();
    let greet = async || {
        let stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
        let mut lines = tokio::io::BufReader::new(stream);
        let mut hello = String::new();
        lines.read_line(&mut hello).await.unwrap();
        assert!(hello.contains("zenml-auth-server"), "{hello}");
        lines
    };
    // From here on, the clock moves when everything waits for it, and only then.
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let mut inside = Vec::new();
    for _ in 0..16 {
        inside.push(greet().await);
    }
    // One that ends makes room.
    drop(inside.pop());
    inside.push(greet().await);
    assert_eq!(begun.elapsed().as_secs(), 0);
    // Otherwise the next one waits until one that sends nothing is given up.
    greet().await;
    assert_eq!(begun.elapsed().as_secs(), 10);
    drop(inside);
    listening.stop().await;
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
    crate::support::wait_for_line(&folder.join("test.log"), "operation=\"reset_password\"");
    assert_eq!(
        fs::read_dir(temporary.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
}

/// What a command says that fails when something else than our server owns the database, greets with this line, and then
/// reads; and what that read.
fn refused_by(greeting: &'static str, read: fn(UnixStream) -> String, command: &[&str]) -> (String, String) {
    let folder = TempDir::new().unwrap();
    said(&run(folder.path(), &["migrate", "up"]));
    let database = database(folder.path());
    let _lock = database.try_lock().unwrap().unwrap();
    let socket = socket_of(folder.path());
    fs::create_dir(socket.parent().unwrap()).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        writeln!(stream, "{greeting}").unwrap();
        read(stream)
    });
    let refused = failure(&run(folder.path(), command));
    (refused, server.join().unwrap())
}

#[test]
fn a_server_of_another_version_is_told_apart_before_it_is_told_anything() {
    let (refused, heard) = refused_by(
        r#"{"protocol":99,"program":"zenml-auth-server 9.9.9","mood":"good"}"#,
        |mut stream| {
            let mut all = String::new();
            stream.read_to_string(&mut all).unwrap();
            all
        },
        &["admin", "reset-password", "default"],
    );
    assert!(refused.contains("zenml-auth-server 9.9.9"), "{refused}");
    assert_eq!(heard, "", "it was not told the password");
}

#[test]
fn a_server_that_was_asked_and_does_not_answer_may_have_done_it() {
    let (refused, asked) = refused_by(
        r#"{"protocol":1,"program":"zenml-auth-server"}"#,
        |stream| {
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).unwrap();
            line
        },
        &["admin", "deactivate-user", "ann"],
    );
    assert!(
        refused.contains("the server was asked") && refused.contains("look whether it was done"),
        "{refused}"
    );
    assert!(asked.contains("deactivate_user"));
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
    // And operators are served.
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
    let limited = started_by(
        &["sh", "-c", "ulimit -n 96 && exec \"$0\" \"$@\""],
        &program(folder.path(), &[]),
    );
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
    let warning = log
        .lines()
        .find(|line| line.contains("leaves room for few connections"))
        .unwrap_or_else(|| panic!("{log}"));
    assert!(
        warning.contains("connections=16 ") && warning.ends_with("files=96"),
        "{warning}"
    );
    assert!(!log.contains("can't accept"), "{log}");
}

#[test]
fn the_limit_on_open_files_is_raised_as_far_as_it_may() {
    let folder = TempDir::new().unwrap();
    // What the process may have is more than what it has at first.
    let limited = started_by(
        &["sh", "-c", "ulimit -n -S 96 && exec \"$0\" \"$@\""],
        &program(folder.path(), &["--max-connections", "200"]),
    );
    let server = Server::start_as(limited, &folder.path().join("test.log"));
    let mut connections: Vec<_> = (0..150)
        .map(|_| TcpStream::connect(&server.address).unwrap())
        .collect();
    // Each of them is served while all others are open.
    for stream in &mut connections {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
            .write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
    }
    for stream in connections {
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status).unwrap();
        assert_eq!(status, "HTTP/1.1 200 OK\r\n");
    }
    let log = log(folder.path());
    assert!(!log.contains("leaves room for few connections"), "{log}");
}

#[test]
fn reading_changes_nothing() {
    let folder = TempDir::new().unwrap();
    // Keys that are due are replaced by the server, and not by a command that reads.
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

/// The entries of the trail that a search finds, in the order in which they are printed.
fn entries(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let output = run(folder, &[&["audit", "--output", "json"], arguments].concat());
    said(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_trail_shows_the_latest_fifty_in_the_order_in_which_they_happened() {
    let folder = TempDir::new().unwrap();
    let before = SystemClock.now();
    let server = Server::start(folder.path(), &[]);
    let client = server.admin();
    for number in 0..60 {
        let account = json!({"name": format!("account-{number}")}).to_string();
        client.ok("POST", "/api/v1/service_accounts", &account);
    }
    assert_eq!(server.terminate().0, Some(0));
    let after = SystemClock.now();
    let all = entries(folder.path(), &["--limit", "10000"]);
    let times: Vec<Timestamp> = all
        .iter()
        .map(|entry| text(entry, "/at").parse().unwrap())
        .collect();
    assert!(times.is_sorted() && times.len() > 60, "{times:?}");
    assert!(times[0] > before && times[times.len() - 1] < after, "{times:?}");
    let latest = |number: usize| &all[all.len() - number..];
    assert_eq!(entries(folder.path(), &[]), latest(50));
    for number in [1, 7, 60] {
        let limit = ["--limit", &number.to_string()];
        assert_eq!(entries(folder.path(), &limit), latest(number));
    }
    assert_eq!(entries(folder.path(), &["--limit", "1000"]), all);
    for limit in ["0", "10001", "-1", "all"] {
        let refused = run(folder.path(), &["audit", "--limit", limit]);
        assert_eq!(refused.status.code(), Some(2), "{limit}");
    }
    // For people, each is a line, and times are UTC wherever they are.
    let shown = program(folder.path(), &["audit"])
        .env("TZ", "Asia/Tokyo")
        .output()
        .unwrap();
    let shown = said(&shown);
    assert_eq!(shown.lines().count(), 50);
    for (line, entry) in shown.lines().zip(latest(50)) {
        assert!(line.starts_with(&format!("{}  ", text(entry, "/at"))), "{line}");
    }
}

/// Does things of many kinds, from two addresses, and gives the whole trail of it.
#[cfg(target_os = "linux")]
fn a_trail_of_many_kinds(folder: &Path) -> Vec<Value> {
    let server = Server::start(folder, &[]);
    let client = server.admin();
    let elsewhere = server
        .client()
        .coming_from([127, 0, 0, 2])
        .signed_in(ADMIN, PASSWORD);
    let accounts = "/api/v1/service_accounts";
    let keys = "/api/v1/service_accounts/ci/api_keys";
    client.ok("POST", accounts, r#"{"name": "ci"}"#);
    client.ok("POST", keys, r#"{"name": "default"}"#);
    elsewhere.ok("POST", keys, r#"{"name": "nightly"}"#);
    client.ok("PUT", &format!("{keys}/default"), r#"{"active": false}"#);
    let ann = json!({"name": "ann", "password": "first-Passw0rd", "is_admin": true, "active": true});
    client.ok("POST", "/api/v1/users", &ann.to_string());
    let ann = server.client().signed_in("ann", "first-Passw0rd");
    ann.ok("POST", accounts, r#"{"name": "first"}"#);
    // What comes is of another second than what was.
    let second = |time: Timestamp| time.to_string()[..19].to_owned();
    let was = second(SystemClock.now());
    while second(SystemClock.now()) == was {
        thread::sleep(Duration::from_millis(10));
    }
    client.ok("PUT", "/api/v1/users/ann", r#"{"name": "anna"}"#);
    ann.ok("POST", accounts, r#"{"name": "second"}"#);
    client.ok("PUT", "/api/v1/users/anna", r#"{"is_admin": false}"#);
    assert!(server.sign_in("wrong").is_none());
    let machine = "77ec22a2-335b-4130-ba6c-1e1c371236a7";
    let asked = server.client().ok(
        "POST",
        "/api/v1/device_authorization",
        &format!("client_id={machine}"),
    );
    let verify = format!("/api/v1/devices/{}/verify", device_id(&asked));
    client.ok(
        "PUT",
        &verify,
        &json!({"user_code": asked["user_code"]}).to_string(),
    );
    let form = polling(machine, &text(&asked, "/device_code"));
    server.client().ok("POST", "/api/v1/login", &form);
    assert_eq!(server.terminate().0, Some(0));
    entries(folder, &["--limit", "10000"])
}

#[cfg(target_os = "linux")]
#[test]
fn the_trail_is_searched_by_time_address_actor_target_and_action() {
    let folder = TempDir::new().unwrap();
    let all = a_trail_of_many_kinds(folder.path());
    let about = |action: &str, target: &str| {
        let is_meant = |entry: &&Value| entry["action"] == action && entry["target_name"] == target;
        all.iter()
            .find(is_meant)
            .unwrap_or_else(|| panic!("{action} {target}"))
    };
    let has = |key: &'static str, value: &str| {
        let value = json!(value);
        move |entry: &Value| entry[key] == value
    };
    let begins = |key: &'static str, beginning: &'static str| {
        move |entry: &Value| {
            entry[key]
                .as_str()
                .is_some_and(|text| text.starts_with(beginning))
        }
    };
    let finds = |arguments: &[&str], is_meant: &dyn Fn(&Value) -> bool| {
        let expected: Vec<_> = all.iter().filter(|entry| is_meant(entry)).cloned().collect();
        assert!(
            !expected.is_empty() && expected.len() < all.len(),
            "{arguments:?}: {expected:?}"
        );
        assert_eq!(entries(folder.path(), arguments), expected, "{arguments:?}");
    };
    for address in ["127.0.0.2", "::ffff:127.0.0.2"] {
        finds(&["--address", address], &has("address", "127.0.0.2"));
    }
    let refused = run(folder.path(), &["audit", "--address", "laptop"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");

    // From that moment on, or from the beginning of that second.
    let at = text(about("user.updated", "anna"), "/at");
    for since in [at.as_str(), &at[..19]] {
        finds(&["--since", since], &|entry| text(entry, "/at").as_str() >= since);
    }
    assert!(entries(folder.path(), &["--since", "2999-01-01T00:00:00"]).is_empty());

    // By the name at the time, or by an id, whatever the name.
    let first = about("service_account.created", "first");
    let second = about("service_account.created", "second");
    assert_eq!(first["actor_id"], second["actor_id"]);
    let ann = text(first, "/actor_id");
    for name in ["ann", "anna"] {
        finds(&["--actor", name], &has("actor_name", name));
        finds(&["--target", name], &has("target_name", name));
    }
    for flag in ["--actor", "--actor-id"] {
        finds(&[flag, &ann], &has("actor_id", &ann));
    }
    for flag in ["--target", "--target-id"] {
        finds(&[flag, &ann], &has("target_id", &ann));
    }

    // A key is called after its account too, a device and its request after their host.
    let key = text(about("api_key.created", "ci/default"), "/target_id");
    finds(&["--target", "ci/default"], &has("target_id", &key));
    finds(&["--target", "laptop"], &has("target_name", "laptop"));
    for (action, kind) in [
        ("device.approved", "device_grant"),
        ("device.connected", "device"),
    ] {
        assert_eq!(about(action, "laptop")["target_kind"], kind);
    }

    // By the beginning of an action.
    finds(&["--action", "api_key"], &begins("action", "api_key."));
    finds(&["--action", "sign_in.failed"], &has("action", "sign_in.failed"));
    finds(&["--action", "user.admin"], &begins("action", "user.admin_"));
    about("user.admin_granted", "ann");
    about("user.admin_revoked", "anna");
    // What is asked for together has to hold together.
    finds(
        &[
            "--action",
            "api_key",
            "--target",
            "ci/default",
            "--since",
            &text(first, "/at")[..10],
        ],
        &|entry| has("target_name", "ci/default")(entry) && begins("action", "api_key.")(entry),
    );
    assert!(entries(folder.path(), &["--action", "api_key", "--actor", "ann"]).is_empty());
    assert!(
        all.iter()
            .all(|entry| entry["details"].is_object() || entry["details"].is_null())
    );
}

#[cfg(target_os = "linux")]
#[test]
fn an_entry_of_the_trail_is_a_line_that_tells_all_of_it() {
    let folder = TempDir::new().unwrap();
    let all = a_trail_of_many_kinds(folder.path());
    let line = |action: &str, end: &str| {
        let mut found = all.iter().filter(|entry| entry["action"] == action);
        let entry = found.next_back().unwrap();
        let part = |key: &str| entry[key].as_str().unwrap_or_default();
        let actor = match part("actor_name") {
            "" => part("actor_kind").to_owned(),
            name => format!("{} \"{name}\" {}", part("actor_kind"), part("actor_id")),
        };
        format!(
            "{}  {actor}  {action}  {} \"{}\" {}  {end}\n",
            part("at"),
            part("target_kind"),
            part("target_name"),
            part("target_id")
        )
        .replace("CREDENTIAL", part("credential"))
        .replace("REQUEST", part("request_id"))
    };
    let printed = |action: &str| {
        said(&run(
            folder.path(),
            &["audit", "--limit", "1", "--action", action],
        ))
    };
    assert_eq!(
        printed("user.updated"),
        line(
            "user.updated",
            "(name: \"ann\" -> \"anna\")  with CREDENTIAL  from 127.0.0.1  request REQUEST"
        )
    );
    assert_eq!(
        printed("api_key.created"),
        line(
            "api_key.created",
            "with CREDENTIAL  from 127.0.0.2  request REQUEST"
        )
    );
    let failed = printed("sign_in.failed");
    assert!(
        failed.contains("  anonymous  sign_in.failed  user \"default\" ")
            && failed.contains("  (wrong_password, at ")
            && failed.contains(")  from 127.0.0.1  request "),
        "{failed}"
    );
}

#[test]
fn what_a_stolen_device_did_is_found_by_its_id() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let admin = server.admin();
    let user = |name: &str, is_admin: bool| {
        json!({"name": name, "password": "first-Passw0rd-0", "is_admin": is_admin, "active": true})
            .to_string()
    };
    admin.ok("POST", "/api/v1/users", &user("ann", false));
    let ann = server.client().signed_in("ann", "first-Passw0rd-0");
    let client = "77ec22a2-335b-4130-ba6c-1e1c371236a7";
    let asked = server.client().ok(
        "POST",
        "/api/v1/device_authorization",
        &format!("client_id={client}"),
    );
    let code = json!({"user_code": asked["user_code"]}).to_string();
    admin.ok(
        "PUT",
        &format!("/api/v1/devices/{}/verify", device_id(&asked)),
        &code,
    );
    let polled = polling(client, &text(&asked, "/device_code"));
    let granted = server.client().ok("POST", "/api/v1/login", &polled);
    let (device, thief) = (
        text(&granted, "/device_id"),
        admin.with(&text(&granted, "/access_token")),
    );
    // What outlives the device.
    thief.ok("POST", "/api/v1/users", &user("eve", false));
    thief.ok(
        "POST",
        "/api/v1/service_accounts",
        r#"{"name": "ci", "active": true}"#,
    );
    let keys = "/api/v1/service_accounts/ci/api_keys";
    thief.ok("POST", keys, r#"{"name": "nightly"}"#);
    thief.ok("PUT", &format!("{keys}/nightly/rotate"), "{}");
    thief.ok("PUT", &format!("{keys}/nightly"), r#"{"active": false}"#);
    // An ordinary user's account is taken over. Its user is signed out by it.
    let left = thief.ok("PUT", "/api/v1/users/ann/deactivate", "");
    assert_eq!(ann.status(), 401);
    let token = text(&left, "/body/activation_token");
    let body = json!({"activation_token": token, "password": "stolen-Passw0rd-0"}).to_string();
    server.client().ok("PUT", "/api/v1/users/ann/activate", &body);
    assert!(server.sign_in_as("ann", "stolen-Passw0rd-0").is_some());
    admin.ok("PUT", &format!("/api/v1/devices/{device}"), r#"{"locked": true}"#);
    assert_eq!(thief.status(), 401);

    let trail = said(&run(
        folder.path(),
        &["audit", "--output", "json", "--limit", "1000"],
    ));
    let events: Vec<Value> = trail
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut done: Vec<_> = events
        .iter()
        .filter(|event| event["credential"] == format!("device {device}"))
        .map(|event| {
            assert_eq!(event["actor_name"], "default");
            assert_eq!(event["address"], "127.0.0.1");
            (text(event, "/action"), text(event, "/target_name"))
        })
        .collect();
    done.sort();
    let expected = [
        ("api_key.created", "ci/nightly"),
        ("api_key.deactivated", "ci/nightly"),
        ("api_key.rotated", "ci/nightly"),
        ("service_account.created", "ci"),
        ("user.created", "eve"),
        ("user.deactivated", "ann"),
    ];
    assert_eq!(
        done,
        expected.map(|(action, target)| (action.to_owned(), target.to_owned()))
    );
    let by_action = |action: &str| {
        let mut found = events.iter().filter(|event| event["action"] == action);
        let event = found.next().unwrap();
        assert!(found.next().is_none(), "{action} is there twice");
        event
    };
    // Of who used the activation token, the address is known.
    let activated = by_action("user.activated");
    assert_eq!(activated["target_name"], "ann");
    assert_eq!(activated["address"], "127.0.0.1");
    assert_ne!(activated["credential"], format!("device {device}"));
    let locked = by_action("device.locked");
    assert_eq!(locked["target_id"], device);
    assert!(text(locked, "/credential").starts_with("session "));
}

#[test]
fn resetting_a_password_activates_the_account() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let first = "first-Passw0rd-0";
    run_with(
        folder.path(),
        &["admin", "create-user", "ann", "--password-stdin"],
        first,
    );
    let reset = |password: &str| {
        let arguments = ["admin", "reset-password", "ann", "--password-stdin"];
        run_with(folder.path(), &arguments, password)
    };
    let token = server.sign_in_as("ann", first).unwrap();
    let deactivated = admin(folder.path(), &["deactivate-user", "ann"]);
    assert!(server.sign_in_as("ann", first).is_none());
    reset("second-Passw0rd-0");
    assert!(server.sign_in_as("ann", "second-Passw0rd-0").is_some());
    assert!(server.sign_in_as("ann", first).is_none());
    assert_eq!(current_user(&server, &token), 401, "what has ended stays so");
    // The token that was out before has ended.
    let token = deactivated.trim().rsplit(' ').next().unwrap();
    let body = json!({"activation_token": token, "password": "third-Passw0rd-0"}).to_string();
    assert_eq!(server.send("PUT", "/api/v1/users/ann/activate", "", &body).0, 401);
    // Somebody who was invited and never came has a password then as well.
    let invitation = json!({"name": "bob", "is_admin": false, "active": false}).to_string();
    server.admin().ok("POST", "/api/v1/users", &invitation);
    let made = admin(folder.path(), &["reset-password", "bob"]);
    assert!(
        server
            .sign_in_as("bob", made.trim().rsplit(' ').next().unwrap())
            .is_some()
    );
    let trail = said_by_audit(folder.path());
    for part in ["operator  user.password_reset", "operator  user.activated"] {
        assert!(trail.contains(part), "{part} is not in\n{trail}");
    }
}
