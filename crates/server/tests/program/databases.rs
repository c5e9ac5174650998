//! The server on PostgreSQL and on MariaDB or MySQL: several replicas of it, and without its database for a while.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use zenml_auth_core::ports::{Store, SystemClock, SystemEntropy};
use zenml_auth_core::services::{Encryption, FirstAdministrator, Ports, SetUp, set_up};
use zenml_auth_core::settings::Settings;
use zenml_auth_model::{Name, Secret};
use zenml_auth_storage::SqlStore;
use zenml_auth_testkit::databases::{Kind, TestDatabase, fresh, own_server};
use zenml_auth_testkit::encryption::{ENCRYPTION_KEY, encryption_keys};
use zenml_auth_testkit::server::{
    ADMIN, CHEAP, CookieJar, PASSWORD, TestOptions, TestResponse, TestServer, text,
};

use crate::support::Server;

zenml_auth_testkit::on_servers! {
    without_its_database_nobody_is_let_in_or_turned_away
    of_many_that_set_up_one_does
    of_many_that_seal_one_does
    what_one_replica_revokes_the_other_refuses
    failures_on_one_replica_slow_the_account_down_on_the_other
    each_replica_counts_addresses_for_itself
    the_program_serves_from_it
    of_many_programs_that_start_at_once_one_sets_up
    an_outage_is_logged_once_a_second
}

const CLIENT: &str = "7d3d4f6e-3f0a-4d0e-9d0c-0d5f6f3c1b11";

async fn replica(database: &TestDatabase) -> TestServer {
    let mut options = database.options();
    options.acquire_timeout = Duration::from_secs(1);
    options.connect_timeout = Duration::from_secs(2);
    let store = SqlStore::connect(&options).await.unwrap();
    store.migrate_up().await.unwrap();
    TestServer::start_on(Arc::new(store), TestOptions::default()).await
}

/// The cookies of the administrator's browser.
async fn signed_in(server: &TestServer) -> CookieJar {
    let (mut browser, csrf) = server.open_form("/login").await;
    let form = [
        ("csrf", csrf.as_str()),
        ("username", ADMIN),
        ("password", PASSWORD),
    ];
    let answer = server.post("/login").cookies(&browser).form(&form).send().await;
    assert!(answer.status.is_redirection(), "{answer:?}");
    browser.take(&answer);
    browser
}

async fn without_its_database_nobody_is_let_in_or_turned_away(kind: Kind) {
    let Some(database_server) = own_server(kind).await else {
        return;
    };
    let server = replica(&database_server.fresh().await).await;
    let admin = server.admin().await;
    let (device, _) = server.connect_device(&admin, CLIENT, true).await;
    let key = server.api_key(&admin, "ci", "default").await;
    let credentials = [&admin, &device, &key];
    let browser = signed_in(&server).await;
    let devices = async || server.get("/devices").cookies(&browser).send().await;
    devices().await.expect(StatusCode::OK);
    for credential in credentials {
        // Twice, so that all that can be kept is kept.
        server.current_user(credential).await.expect(StatusCode::OK);
        server.current_user(credential).await.expect(StatusCode::OK);
    }

    database_server.stop();
    for credential in credentials {
        for path in [
            "/api/v1/current-user",
            "/api/v1/devices",
            "/api/v1/service_accounts",
        ] {
            let answer = server.get(path).bearer(credential).send().await;
            answer.expect(StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(answer.header("retry-after"), "5");
            assert_eq!(answer.class(), "RuntimeError");
        }
    }
    let sign_in = server
        .post("/api/v1/login")
        .form(&[("username", ADMIN), ("password", PASSWORD)])
        .send()
        .await;
    let with_key = server
        .post("/api/v1/login")
        .form(&[("password", key.as_str())])
        .send()
        .await;
    let poll = server.poll(CLIENT, "no such code").await;
    let asked = server
        .post("/api/v1/device_authorization")
        .form(&[("client_id", CLIENT)])
        .send()
        .await;
    let ready = server.get("/ready").send().await;
    let page = devices().await;
    for answer in [sign_in, with_key, poll, asked, ready, page] {
        answer.expect(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), "5", "{answer:?}");
    }
    server.get("/health").send().await.expect(StatusCode::OK);

    database_server.start_again().await;
    for credential in credentials {
        server.current_user(credential).await.expect(StatusCode::OK);
    }
    server.get("/ready").send().await.expect(StatusCode::OK);
    devices().await.expect(StatusCode::OK);
    server.request_device(CLIENT).await;
    server.admin().await;
}

async fn guess(server: &TestServer, address: &str, password: &str) -> TestResponse {
    server
        .post("/api/v1/login")
        .header("x-forwarded-for", address)
        .form(&[("username", ADMIN), ("password", password)])
        .send()
        .await
}

/// A replica that counts, and believes what is said about addresses.
async fn limited_replica(database: &TestDatabase) -> TestServer {
    let store = SqlStore::connect(&database.options()).await.unwrap();
    store.migrate_up().await.unwrap();
    let options = TestOptions {
        trusted_proxies: vec!["127.0.0.0/8".to_owned()],
        ..TestOptions::limited()
    };
    TestServer::start_on(Arc::new(store), options).await
}

async fn each_replica_counts_addresses_for_itself(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let replicas = [limited_replica(&database).await, limited_replica(&database).await];
    let guess = async |replica: usize, name: &str| {
        let form = [("username", name), ("password", "wrong-password")];
        let request = replicas[replica].post("/api/v1/login").form(&form);
        request
            .header("x-forwarded-for", "198.51.100.1")
            .send()
            .await
            .status
    };
    for number in 0..50 {
        let status = guess(0, &format!("nobody-{number}")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{number}");
    }
    assert_eq!(guess(0, "somebody").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guess(1, "somebody").await, StatusCode::UNAUTHORIZED);
}

async fn failures_on_one_replica_slow_the_account_down_on_the_other(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let start = || limited_replica(&database);
    let replicas = [start().await, start().await];
    let (home, away) = ("192.0.2.1", "198.51.100.1");
    guess(&replicas[0], home, PASSWORD).await.expect(StatusCode::OK);
    for number in 0..10 {
        let replica = &replicas[number % 2];
        guess(replica, away, "wrong-password")
            .await
            .expect(StatusCode::UNAUTHORIZED);
    }
    // One that starts now knows of them, too.
    let replicas = [&replicas[0], &replicas[1], &start().await];
    for replica in replicas {
        let refused = guess(replica, away, PASSWORD).await;
        refused.expect(StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.header("retry-after"), "1");
        // And where the owner is at home.
        guess(replica, home, PASSWORD).await.expect(StatusCode::OK);
        guess(replica, home, "wrong-password")
            .await
            .expect(StatusCode::UNAUTHORIZED);
    }
    for replica in replicas {
        replica.clock.advance(Duration::from_secs(1));
    }
    guess(replicas[1], away, PASSWORD).await.expect(StatusCode::OK);
}

async fn of_many_that_set_up_one_does(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let mut replicas = JoinSet::new();
    for _ in 0..6 {
        let options = database.options();
        replicas.spawn(async move {
            let store = SqlStore::connect(&options).await.unwrap();
            store.migrate_up().await.unwrap();
            let store: Arc<dyn Store> = Arc::new(store);
            let ports = Ports {
                store: Arc::clone(&store),
                clock: Arc::new(SystemClock),
                entropy: Arc::new(SystemEntropy),
                encryption: encryption_keys(),
            };
            let administrator = FirstAdministrator {
                name: Name::new(ADMIN).unwrap(),
                password: Some(Secret::new(PASSWORD)),
            };
            let outcome = set_up(&ports, administrator, CHEAP).await.unwrap();
            (
                matches!(outcome, SetUp::Now { .. }),
                store.server().await.unwrap().unwrap().id,
            )
        });
    }
    let outcomes = replicas.join_all().await;
    assert_eq!(outcomes.iter().filter(|(made, _)| *made).count(), 1);
    assert!(outcomes.iter().all(|(_, id)| *id == outcomes[0].1));
    let store = SqlStore::connect(&database.options()).await.unwrap();
    assert_eq!(store.count_administrators().await.unwrap(), 1);
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);
}

async fn of_many_that_seal_one_does(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let server = replica(&database).await;
    let ports = |store: SqlStore| Ports {
        store: Arc::new(store),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        encryption: encryption_keys(),
    };
    let store = SqlStore::connect(&database.options()).await.unwrap();
    let lifetimes = Settings::default().lifetimes;
    // As an earlier release has left it.
    let opened = Encryption::of(&ports(store.clone()), &lifetimes).unseal().await;
    assert_eq!(opened.unwrap(), 2);
    let mut replicas = JoinSet::new();
    for _ in 0..6 {
        let options = database.options();
        replicas.spawn(async move {
            let ports = ports(SqlStore::connect(&options).await.unwrap());
            Encryption::of(&ports, &lifetimes).seal_plain().await.unwrap()
        });
    }
    assert_eq!(replicas.join_all().await.iter().sum::<usize>(), 2);
    let status = Encryption::of(&ports(store), &lifetimes).status().await.unwrap();
    assert_eq!(status.rows.len(), 3, "a new signing key took over");
    assert!(
        status
            .rows
            .iter()
            .all(|row| row.sealed_by.is_some() && row.problem.is_none())
    );
    // Those that run go on.
    server.admin().await;
}

async fn what_one_replica_revokes_the_other_refuses(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let replicas = [replica(&database).await, replica(&database).await];
    let admin = replicas[0].admin().await;
    let key = replicas[0].api_key(&admin, "ci", "default").await;
    let (device, device_id) = replicas[1].connect_device(&admin, CLIENT, true).await;
    let key_path = "/api/v1/service_accounts/ci/api_keys/default".to_owned();
    let account_path = "/api/v1/service_accounts/ci".to_owned();
    let device_path = format!("/api/v1/devices/{device_id}");
    for round in 0..30 {
        let (here, there) = (&replicas[round % 2], &replicas[(round + 1) % 2]);
        let switches = [
            (&key, &key_path, json!({"active": false}), json!({"active": true})),
            (
                &key,
                &account_path,
                json!({"active": false}),
                json!({"active": true}),
            ),
            (
                &device,
                &device_path,
                json!({"locked": true}),
                json!({"locked": false}),
            ),
        ];
        for (credential, path, off, on) in &switches {
            there.current_user(credential).await.expect(StatusCode::OK);
            let put = |body| here.request(Method::PUT, path).bearer(&admin).json(body).send();
            put(off).await.expect(StatusCode::OK);
            there
                .current_user(credential)
                .await
                .expect(StatusCode::UNAUTHORIZED);
            put(on).await.expect(StatusCode::OK);
            there.current_user(credential).await.expect(StatusCode::OK);
        }
    }
    // A rotation without a retention, and a deletion.
    let rotated = replicas[0]
        .put(&format!("{key_path}/rotate"))
        .bearer(&admin)
        .json(&json!({"retain_period_minutes": 0}))
        .send()
        .await;
    let new_key = text(&rotated.expect(StatusCode::OK).json()["body"]["key"]);
    replicas[1]
        .current_user(&key)
        .await
        .expect(StatusCode::UNAUTHORIZED);
    replicas[1].current_user(&new_key).await.expect(StatusCode::OK);
    let deleted = replicas[0].delete(&key_path).bearer(&admin).send().await;
    assert!(deleted.status.is_success(), "{deleted:?}");
    replicas[1]
        .current_user(&new_key)
        .await
        .expect(StatusCode::UNAUTHORIZED);
}

/// The real program, with the URL in a file.
async fn the_program_serves_from_it(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("url");
    std::fs::write(&url, format!("{}\n", database.url())).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_zenml-auth-server"))
            .args(arguments)
            .arg("--database-url-file")
            .arg(&url)
            .env("ZENML_AUTH_ENCRYPTION_KEY", ENCRYPTION_KEY)
            .output()
            .unwrap();
        let printed =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        // The password, that is.
        let about_secrets = printed.replace("server secret", "").replace("secrets", "");
        assert!(!about_secrets.contains("secret"), "{printed}");
        (output.status.success(), printed)
    };
    let (checked, said) = run(&["check-config"]);
    assert!(checked && said.contains("as zenml, TLS prefer"), "{said}");
    let (done, said) = run(&["migrate", "up"]);
    assert!(done && said.contains("applied   m0006_revocations"), "{said}");
    let (done, said) = run(&["migrate", "up"]);
    assert!(done && said.contains("Nothing to do"), "{said}");
    assert_eq!(
        database_type(&url),
        if kind == Kind::MySql { "mysql" } else { "other" }
    );
    let (done, said) = run(&["admin", "create-user", "ann", "--admin"]);
    assert!(done, "{said}");
    let store = SqlStore::connect(&database.options()).await.unwrap();
    assert!(store.user_by_name("ann").await.unwrap().is_some());
    let (done, said) = run(&["migrate", "down", "1000"]);
    assert!(!done && said.contains("encryption unseal"), "{said}");
    let (done, said) = run(&["encryption", "unseal", "--yes"]);
    assert!(done && said.contains("2 secrets"), "{said}");
    // More than there are.
    let (done, said) = run(&["migrate", "down", "1000"]);
    assert!(done && said.contains("taken back   m0001_server"), "{said}");

    // The password is wrong.
    std::fs::write(&url, database.url().replace(":secret@", ":another-secret@")).unwrap();
    let (done, said) = run(&["migrate", "status", "--database-connect-timeout", "2s"]);
    assert!(!done && said.contains("can't open the database"), "{said}");
}

/// What the server says of its database while it serves from it.
fn database_type(url: &Path) -> String {
    let server = program_on(url);
    let (_, body) = server.client().send("GET", "/api/v1/info", "").unwrap();
    server.kill();
    text(&body["database_type"])
}

/// The real program on a database whose URL is in a file.
fn program_on(url: &Path) -> Server {
    let mut command = crate::support::command(&["serve", "--database-url-file"]);
    command.arg(url);
    Server::start_as(command, &url.with_extension("log"))
}

async fn of_many_programs_that_start_at_once_one_sets_up(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("url");
    std::fs::write(&url, database.url()).unwrap();
    let starting: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::task::spawn_blocking(move || program_on(&url))
        })
        .collect();
    let mut servers = Vec::new();
    for server in starting {
        servers.push(server.await.unwrap());
    }
    let new = servers
        .iter()
        .filter(|server| server.greeting.contains("This is a new server"));
    assert_eq!(new.count(), 1);
    // They are one server to their clients, with the same keys.
    let token = servers[0].sign_in(PASSWORD).unwrap();
    for server in servers {
        let (status, _) = server.send("GET", "/api/v1/current-user", &token, "");
        assert_eq!(status, 200);
        server.kill();
    }
}

/// The lines of a log in JSON.
fn lines_of(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn an_outage_is_logged_once_a_second(kind: Kind) {
    let Some(database_server) = own_server(kind).await else {
        return;
    };
    let database = database_server.fresh().await;
    let folder = tempfile::tempdir().unwrap();
    let (url, log) = (folder.path().join("url"), folder.path().join("log"));
    std::fs::write(&url, database.url()).unwrap();
    let mut command = crate::support::command(&["serve", "--log-format", "json", "--database-url-file"]);
    command.arg(&url);
    let started = {
        let log = log.clone();
        tokio::task::spawn_blocking(move || {
            let server = Server::start_as(command, &log);
            let admin = server.admin();
            (server, admin)
        })
    };
    let (server, admin) = started.await.unwrap();
    database_server.stop();
    // Neither can the file with the URL be read again.
    std::fs::remove_file(&url).unwrap();
    let before = lines_of(&log).len();
    let begun = Instant::now();
    let asking = (0..4).map(|_| {
        let admin = admin.clone();
        tokio::task::spawn_blocking(move || {
            let mut asked = 0_u64;
            while begun.elapsed() < Duration::from_secs(3) {
                assert_eq!(admin.status(), 503);
                asked += 1;
            }
            asked
        })
    });
    let mut asked = 0;
    for asking in asking.collect::<Vec<_>>() {
        asked += asking.await.unwrap();
    }
    let seconds = begun.elapsed().as_secs() + 1;
    let is_answered = |line: &&Value| line["message"] == "answered";
    let begun = Instant::now();
    // Lines reach the log a little later than answers their clients.
    let lines = loop {
        let lines = lines_of(&log).split_off(before);
        if lines.iter().filter(is_answered).count() as u64 >= asked {
            break lines;
        }
        assert!(
            begun.elapsed() < crate::support::DEADLINE,
            "not all requests are logged"
        );
        std::thread::sleep(Duration::from_millis(20));
    };
    let at = |level: &'static str| lines.iter().filter(move |line| line["level"] == level);
    let answered: Vec<_> = at("INFO").filter(is_answered).collect();
    assert!(
        answered
            .iter()
            .all(|line| line["took_us"].is_u64() && line["status"].is_u64())
    );
    // Many more requests failed than there are lines of it, and those that are there count the others.
    let failed: Vec<_> = at("ERROR").collect();
    assert!(asked > 10 * seconds, "{asked} in {seconds} seconds show nothing");
    assert!((1..=seconds).contains(&(failed.len() as u64)), "{failed:#?}");
    assert!(
        failed.iter().any(|line| line["left_out"].as_u64() > Some(0)),
        "{failed:#?}"
    );
    let about_the_file =
        at("WARN").filter(|line| line.to_string().contains("the file with the database URL"));
    assert_eq!(about_the_file.count(), 1);
    // What the server does by itself fails as well, each job once in its time.
    assert!(at("WARN").count() as u64 <= 5 * (seconds + 1), "{lines:#?}");
    server.kill();
}
