//! The real program, as an operator runs it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use zenml_auth_model::Timestamp;

use crate::support::{DEADLINE, PASSWORD, Server, failure, program, run, text};

/// An address of this machine at which nobody listens.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// The id that an answer names in its head.
fn request_id(head: &str) -> String {
    let id = head
        .lines()
        .find_map(|line| line.strip_prefix("x-request-id: "))
        .unwrap_or_else(|| panic!("{head}"));
    assert!(
        id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{id}"
    );
    id.to_owned()
}

#[test]
fn the_first_start_makes_an_administrator_and_the_second_does_not() {
    let folder = TempDir::new().unwrap();
    let first = Server::start(folder.path(), &[]);
    assert!(first.greeting.contains("This is a new server."));
    assert!(
        !first.greeting.contains(PASSWORD),
        "a password that was given is not shown"
    );
    assert!(
        first
            .greeting
            .contains(&format!("zenml connect --url http://{}", first.address))
    );
    assert!(first.sign_in(PASSWORD).is_some());
    assert_eq!(first.terminate().0, Some(0));
    let second = Server::start(folder.path(), &[]);
    assert!(!second.greeting.contains("new server"));
    assert!(second.sign_in(PASSWORD).is_some());
}

#[test]
fn the_last_uses_are_written_down_before_it_ends() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(folder.path(), &[]);
    let account = "/api/v1/service_accounts/ci";
    server.admin().ok(
        "POST",
        "/api/v1/service_accounts",
        r#"{"name": "ci", "active": true}"#,
    );
    // More than once, as uses are also written down every second, which may be just then.
    for round in 0..3 {
        let body = json!({"name": format!("key {round}")}).to_string();
        let made = server.admin().ok("POST", &format!("{account}/api_keys"), &body);
        assert_eq!(server.client().with(&text(&made, "/body/key")).status(), 200);
        assert_eq!(server.terminate().0, Some(0));
        server = Server::start(folder.path(), &[]);
        let path = format!("{account}/api_keys/{}?hydrate=true", text(&made, "/id"));
        let key = server.admin().ok("GET", &path, "");
        assert!(!key["metadata"]["last_login"].is_null(), "{key}");
        assert_eq!(text(&key, "/metadata/last_ip_address"), "127.0.0.1");
    }
}

#[test]
fn a_password_is_made_and_shown_once_when_none_is_given() {
    let folder = TempDir::new().unwrap();
    let password_of = |greeting: &str| {
        let line = greeting
            .lines()
            .find(|line| line.trim().starts_with("Password"))?;
        line.split_whitespace().nth(1).map(str::to_owned)
    };
    // A variable that is set to nothing is as good as none.
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let address = free_address();
    let mut process = program(&empty, &["--bind", &address])
        .env("ZENML_AUTH_ADMIN_PASSWORD", "")
        .env("ZENML_AUTH_PUBLIC_URL", "")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut greeting = String::new();
    for line in BufReader::new(process.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        greeting.push_str(&format!("{line}\n"));
        if line.starts_with("Connect with") {
            break;
        }
    }
    let server = Server::of(process, address, greeting);
    let made = password_of(&server.greeting).unwrap();
    assert!(server.sign_in(&made).is_some());
    drop(server);
    assert_eq!(password_of(&Server::start(&empty, &[]).greeting), None);
}

#[test]
fn a_weak_password_of_the_first_administrator_is_warned_about() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    let data = folder.path().join("data");
    let mut command = program(&data, &[]);
    command.env("ZENML_AUTH_ADMIN_PASSWORD", "password");
    let server = Server::start_as(command, &log);
    assert!(server.sign_in("password").is_some(), "it is theirs to choose");
    server.terminate();
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("the administrator's password is weak"), "{said}");

    // One that can't be used is refused before anything is made.
    let output = program(&folder.path().join("other"), &["--bind", "127.0.0.1:0"])
        .env("ZENML_AUTH_ADMIN_PASSWORD", "x".repeat(256))
        .output();
    assert!(failure(&output.unwrap()).contains("at most 255 bytes"));
    // And so is a name that the trail needs for itself.
    let output = program(&folder.path().join("third"), &["--bind", "127.0.0.1:0"])
        .env("ZENML_AUTH_ADMIN_USERNAME", "operator")
        .output();
    assert!(failure(&output.unwrap()).contains("is reserved"));
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = TempDir::new().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..5 {
        let server = Server::start(folder.path(), &[]);
        let token = server.sign_in(PASSWORD).unwrap();
        for number in 0..5 {
            let name = format!("account-{round}-{number}");
            let body = json!({"name": name, "active": true}).to_string();
            let (status, _) = server.send("POST", "/api/v1/service_accounts", &token, &body);
            assert_eq!(status, 200);
            acknowledged.push(name);
        }
        // Dropped: killed at once, with the last answer hardly sent.
    }
    let server = Server::start(folder.path(), &[]);
    let token = server.sign_in(PASSWORD).unwrap();
    let (_, body) = server.send("GET", "/api/v1/service_accounts?size=1000", &token, "");
    for name in acknowledged {
        assert!(body.contains(&format!("\"{name}\"")), "{name} is lost");
    }
}

#[test]
fn a_second_server_on_the_folder_is_refused() {
    let folder = TempDir::new().unwrap();
    let first = Server::start(folder.path(), &[]);
    let said = failure(&run(folder.path(), &["--bind", "127.0.0.1:0"]));
    assert!(
        said.contains("another zenml-auth server runs on the database"),
        "{said}"
    );
    assert!(first.sign_in(PASSWORD).is_some());
    let said = failure(&run(folder.path(), &["migrate", "down"]));
    assert!(said.contains("another zenml-auth server runs"), "{said}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = failure(&run(folder.path(), &["--bind", &address]));
    assert!(said.contains(&address), "{said}");
    assert!(!folder.path().join("zenml-auth.db").exists(), "nothing was made");
}

#[test]
fn a_schema_that_is_not_up_to_date_is_refused_on_request() {
    let folder = TempDir::new().unwrap();
    let said = failure(&run(
        folder.path(),
        &["--bind", "127.0.0.1:0", "serve", "--no-migrate"],
    ));
    assert!(said.contains("migrate"), "{said}");
    assert!(run(folder.path(), &["migrate", "up"]).status.success());
    let status = String::from_utf8(run(folder.path(), &["migrate", "status"]).stdout).unwrap();
    assert!(
        status.contains("applied") && !status.contains("pending"),
        "{status}"
    );
    Server::start(folder.path(), &["serve", "--no-migrate"]);
    assert!(
        run(folder.path(), &["encryption", "unseal", "--yes"])
            .status
            .success()
    );
    assert!(run(folder.path(), &["migrate", "down"]).status.success());
    let status = String::from_utf8(run(folder.path(), &["migrate", "status"]).stdout).unwrap();
    assert!(status.contains("pending"), "{status}");
}

#[test]
fn looking_does_not_make_a_database() {
    let folder = TempDir::new().unwrap();
    let mistyped = folder.path().join("mistyped");
    for arguments in [&["audit"][..], &["admin", "list-users"], &["migrate", "status"]] {
        let said = failure(&run(&mistyped, arguments));
        assert!(said.contains("there is no database at"), "{said}");
    }
    assert!(!mistyped.exists());
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("zenml-auth.toml");
    fs::write(&file, "[server]\nport = 1\n").unwrap();
    let said = failure(&run(
        folder.path(),
        &["--config", file.to_str().unwrap(), "check-config"],
    ));
    assert!(said.contains("unknown field `port`"), "{said}");
    let good = run(folder.path(), &["check-config"]);
    assert!(good.status.success());
    assert!(String::from_utf8(good.stdout).unwrap().contains("127.0.0.1:8237"));
    let document = run(folder.path(), &["openapi"]).stdout;
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert!(document["paths"]["/api/v1/login"].is_object());
}

#[test]
fn operators_manage_users_while_the_server_runs() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let token = server.sign_in(PASSWORD).unwrap();
    let reset = run(folder.path(), &["admin", "reset-password", "default"]);
    let said = String::from_utf8(reset.stdout).unwrap();
    let made = said
        .lines()
        .find_map(|line| line.strip_prefix("Their password, shown this once: "))
        .unwrap();
    assert_eq!(
        server.send("GET", "/api/v1/current-user", &token, "").0,
        401,
        "signed out on the next request"
    );
    assert!(server.sign_in(PASSWORD).is_none());
    assert!(server.sign_in(made).is_some());
    assert!(
        run(folder.path(), &["admin", "create-user", "ann", "--admin"])
            .status
            .success()
    );
    let listed = String::from_utf8(run(folder.path(), &["admin", "list-users"]).stdout).unwrap();
    assert!(
        listed.contains("ann") && listed.contains("administrator"),
        "{listed}"
    );
    // What was refused is written when the server stops, at the latest.
    server.terminate();
    let audit = |arguments: &[&str]| {
        let said = run(folder.path(), &[&["audit"][..], arguments].concat());
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap()
    };
    let trail = audit(&[]);
    for part in [
        "  operator  user.password_reset  user \"default\" ",
        "  operator  user.admin_granted  user \"ann\" ",
        "  user \"default\" ",
        "  anonymous  sign_in.failed  user \"default\" ",
        "(wrong_password, at ",
        "session.started",
        "from 127.0.0.1",
    ] {
        assert!(trail.contains(part), "{part} is not in\n{trail}");
    }
    // By name, and by id whatever the name.
    let by_name = audit(&["--actor", "default"]);
    assert!(by_name.contains("session.started"), "{by_name}");
    let id = by_name
        .split_once("user \"default\" ")
        .map(|(_, rest)| rest.split(' ').next().unwrap())
        .unwrap();
    assert_eq!(audit(&["--actor", id]), by_name);
    assert_eq!(audit(&["--actor-id", id]), by_name);
    let done_to = audit(&["--target-id", id]);
    assert!(
        done_to.contains("user.password_reset") && !done_to.contains("ann"),
        "{done_to}"
    );
    assert_eq!(audit(&["--target", id]), done_to);
    assert!(
        !run(folder.path(), &["audit", "--actor-id", "default"])
            .status
            .success()
    );
    let json = audit(&["--output", "json", "--action", "sign_in.failed"]);
    let event: Value = serde_json::from_str(json.trim()).unwrap();
    assert_eq!(event["details"]["reason"], "wrong_password");
    let json = audit(&["--output", "json", "--action", "user.created", "--limit", "1"]);
    let event: Value = serde_json::from_str(json.trim()).unwrap();
    assert_eq!(event["target_name"], "ann");
    assert_eq!(event["details"]["administrator"], true);
}

#[test]
fn a_stop_lets_requests_finish() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    // A request whose body is still on its way.
    let body = format!("username=default&password={PASSWORD}");
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let (first, rest) = body.split_at(10);
    stream.write_all(first.as_bytes()).unwrap();
    // The server has read the head once it answers somebody who came later.
    assert_eq!(server.send("GET", "/health", "", "").0, 200);
    let (address, stopping) = (
        server.address.clone(),
        std::thread::spawn(move || server.terminate()),
    );
    let begun = Instant::now();
    while TcpStream::connect(&address).is_ok() {
        assert!(begun.elapsed() < DEADLINE, "it still accepts connections");
    }
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (code, took) = stopping.join().unwrap();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn each_request_has_a_line_in_the_log() {
    let folder = TempDir::new().unwrap();
    for format in ["text", "json"] {
        let log = folder.path().join(format);
        let server = Server::start_as(
            program(&folder.path().join("data"), &["--log-format", format]),
            &log,
        );
        let requests = [
            ("GET", "/api/v1/info", "?user_code=WDJB-MJHT"),
            ("GET", "/api/v1/none", ""),
            ("POST", "/api/v1/login", ""),
        ]
        .map(|(method, path, query)| {
            let answer = server.client().whole(method, &format!("{path}{query}"), "");
            let (status, head, _) = answer.unwrap();
            (method, path, status, request_id(&head))
        });
        assert_eq!(server.terminate().0, Some(0));
        let log = fs::read_to_string(&log).unwrap();
        let answered: Vec<_> = log.lines().filter(|line| line.contains("answered")).collect();
        assert_eq!(answered.len(), requests.len(), "{log}");
        for (line, (method, path, status, id)) in answered.into_iter().zip(requests) {
            let written = if format == "text" {
                let (at, rest) = line.split_once("  INFO ").unwrap();
                let request = format!(
                    "request{{id={id} method={method} path={path} address=127.0.0.1}}: answered status={status} took_us="
                );
                let took = rest.strip_prefix(&request).unwrap_or_else(|| panic!("{line}"));
                took.parse::<u64>().unwrap();
                at.to_owned()
            } else {
                let entry: Value = serde_json::from_str(line).unwrap();
                let expected = json!({
                    "name": "request", "id": id, "method": method, "path": path, "address": "127.0.0.1",
                });
                assert_eq!(entry["span"], expected, "{line}");
                assert_eq!(
                    (&entry["level"], &entry["message"], &entry["status"]),
                    (&json!("INFO"), &json!("answered"), &json!(status)),
                    "{line}"
                );
                assert!(entry["took_us"].is_u64(), "{line}");
                text(&entry, "/timestamp")
            };
            assert!(
                written.ends_with('Z') && written.parse::<Timestamp>().is_ok(),
                "{line}"
            );
        }
    }
}

#[test]
fn rust_log_has_no_effect() {
    let folder = TempDir::new().unwrap();
    for (variable, filter, is_logged) in [("off", "info", true), ("trace", "warn", false)] {
        let log = folder.path().join(variable);
        let mut command = program(&folder.path().join("data"), &["--log-filter", filter]);
        command.env("RUST_LOG", variable);
        let server = Server::start_as(command, &log);
        assert!(server.sign_in(PASSWORD).is_some());
        assert_eq!(server.terminate().0, Some(0));
        let log = fs::read_to_string(&log).unwrap();
        assert_eq!(log.contains("answered"), is_logged, "{log}");
        assert!(!log.contains("DEBUG") && !log.contains("TRACE"), "{log}");
    }
}

#[test]
fn standard_output_has_the_greeting_only() {
    let folder = TempDir::new().unwrap();
    let (out, log) = (folder.path().join("out"), folder.path().join("log"));
    let address = free_address();
    let process = program(
        &folder.path().join("data"),
        &["--bind", &address, "--log-filter", "trace"],
    )
    .stdout(fs::File::create(&out).unwrap())
    .stderr(fs::File::create(&log).unwrap())
    .spawn()
    .unwrap();
    let server = Server::of(process, address.clone(), String::new());
    let begun = Instant::now();
    while server.client().connect().is_none() {
        assert!(begun.elapsed() < DEADLINE, "it does not listen");
        std::thread::yield_now();
    }
    assert!(server.sign_in(PASSWORD).is_some());
    assert!(server.sign_in("wrong").is_none());
    assert_eq!(server.terminate().0, Some(0));
    assert_eq!(
        fs::read_to_string(&out).unwrap(),
        format!(
            "This is a new server.\nThe administrator default has the password that was given.\n\
             Listening on http://{address}\nConnect with:  zenml connect --url http://{address}\n"
        )
    );
    assert!(fs::read_to_string(&log).unwrap().contains("answered"));
}

/// Lines wait in memory, and there is room for so many of them.
#[test]
fn what_a_stranger_sends_makes_no_long_line_in_the_log() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    let server = Server::start_as(program(&folder.path().join("data"), &[]), &log);
    let long = "x".repeat(10_000);
    for (method, path, headers) in [
        ("GET", format!("/{long}"), String::new()),
        (long.as_str(), "/health".to_owned(), String::new()),
        ("GET", format!("/health?{long}"), String::new()),
        ("GET", "/health".to_owned(), format!("X-Request-ID: {long}\r\n")),
        (
            "GET",
            "/health".to_owned(),
            format!("X-Forwarded-For: {long}\r\n"),
        ),
        ("GET", "/health".to_owned(), format!("User-Agent: {long}\r\n")),
    ] {
        assert!(server.client().talk(method, &path, &headers, "").is_some());
    }
    assert_eq!(server.terminate().0, Some(0));
    let log = fs::read_to_string(&log).unwrap();
    assert_eq!(log.matches("answered").count(), 6, "{log}");
    let longest = log.lines().map(str::len).max().unwrap();
    assert!(longest < 1_500, "{longest} bytes");
}

/// A terminal that was stopped, or a collector that hangs.
#[cfg(unix)]
#[test]
fn a_log_that_nobody_reads_holds_up_nobody() {
    const REQUESTS: usize = 15_000;
    let folder = TempDir::new().unwrap();
    let address = free_address();
    let (mut log, stderr) = std::io::pipe().unwrap();
    let process = program(
        &folder.path().join("data"),
        &["--bind", &address, "--log-format", "json"],
    )
    .stdout(Stdio::null())
    .stderr(stderr)
    .spawn()
    .unwrap();
    let server = Server::of(process, address, String::new());
    let begun = Instant::now();
    while server.client().connect().is_none() {
        assert!(begun.elapsed() < DEADLINE, "it does not listen");
        std::thread::yield_now();
    }
    let mut connection = server.client().connect().unwrap();
    let mut asking = connection.try_clone().unwrap();
    let asked = std::thread::spawn(move || {
        let request = "GET /health HTTP/1.1\r\nHost: zenml.example.com\r\n\r\n";
        for _ in 0..REQUESTS / 100 {
            asking.write_all(request.repeat(100).as_bytes()).unwrap();
        }
    });
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    let answers = BufReader::new(&mut connection).lines();
    let answered = answers
        .map(Result::unwrap)
        .filter(|line| line.contains("HTTP/1.1 200 "))
        .take(REQUESTS);
    assert_eq!(answered.count(), REQUESTS);
    asked.join().unwrap();

    // Now somebody reads it.
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        text
    });
    assert_eq!(server.terminate().0, Some(0));
    let text = reading.join().unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let with = |message: &str| -> Vec<&Value> {
        let is = |line: &&Value| line["message"].as_str().unwrap().starts_with(message);
        lines.iter().filter(is).collect()
    };
    let dropped = with("log lines were dropped")
        .iter()
        .map(|line| line["lines"].as_u64().unwrap())
        .sum::<u64>();
    let kept = with("answered").len() as u64;
    assert!(kept < REQUESTS as u64, "{} lines", lines.len());
    // What it says when it stops may have been dropped, too.
    let all = REQUESTS as u64..REQUESTS as u64 + 10;
    assert!(all.contains(&(kept + dropped)), "{kept} and {dropped}");
}

#[cfg(unix)]
#[test]
fn a_request_that_failed_has_its_reason_in_the_log_under_its_id() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let log = folder.path().join("log");
    let server = Server::start_as(program(&data, &[]), &log);
    let admin = server.admin();
    // Somebody moves the database away under the server.
    fs::rename(data.join("zenml-auth.db"), folder.path().join("aside")).unwrap();
    let account = json!({"name": "ci"}).to_string();
    let (status, head, body) = admin.whole("POST", "/api/v1/service_accounts", &account).unwrap();
    assert_eq!(status, 503, "{body}");
    let id = request_id(&head);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["request_id"], id, "{body}");
    assert!(!body.to_string().contains("zenml-auth.db"), "{body}");
    server.terminate();
    let log = fs::read_to_string(&log).unwrap();
    let line = log
        .lines()
        .find(|line| line.contains("ERROR") && line.contains(&id))
        .unwrap_or_else(|| panic!("{log}"));
    assert!(
        line.contains("a request failed") && line.contains("was removed") && line.contains("status=503"),
        "{line}"
    );
}

#[test]
fn nothing_secret_is_logged() {
    let folder = TempDir::new().unwrap();
    let mut secrets = vec![PASSWORD.to_owned()];
    for format in ["text", "json"] {
        let server = Server::start(folder.path(), &["--log-filter", "trace", "--log-format", format]);
        let token = server.sign_in(PASSWORD).unwrap();
        let account = format!("ci-{format}");
        server.send(
            "POST",
            "/api/v1/service_accounts",
            &token,
            &json!({"name": account}).to_string(),
        );
        let path = format!("/api/v1/service_accounts/{account}/api_keys");
        let (_, made) = server.send("POST", &path, &token, &json!({"name": "default"}).to_string());
        let made: Value = serde_json::from_str(&made).unwrap();
        let key = made["body"]["key"].as_str().unwrap().to_owned();
        assert_eq!(server.send("GET", "/api/v1/current-user", &key, "").0, 200);
        let client = "client_id=77ec22a2-335b-4130-ba6c-1e1c371236a7";
        let (_, asked) = server.send("POST", "/api/v1/device_authorization", "", client);
        let asked: Value = serde_json::from_str(&asked).unwrap();
        let (code, device_code) = (
            asked["user_code"].as_str().unwrap(),
            asked["device_code"].as_str().unwrap(),
        );
        server.send(
            "GET",
            asked["verification_uri_complete"].as_str().unwrap(),
            "",
            "",
        );
        server.send(
            "GET",
            "/activate-user?token=0123456789abcdef0123456789abcdef",
            "",
            "",
        );
        secrets.extend([token, key, code.to_owned(), device_code.to_owned()]);
        secrets.push("0123456789abcdef0123456789abcdef".to_owned());
        assert_eq!(server.terminate().0, Some(0));
    }
    let log = fs::read_to_string(folder.path().join("test.log")).unwrap();
    assert!(
        log.contains("/api/v1/login") && log.contains("\"status\":200"),
        "{log}"
    );
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}

#[cfg(unix)]
#[test]
fn the_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("new").join("folder");
    assert!(run(&folder, &["migrate", "up"]).status.success());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("zenml-auth.db")), 0o600);
}
