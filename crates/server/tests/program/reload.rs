//! Settings that change while the server runs: SIGHUP, and a database password that is rotated in its file.

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use zenml_auth_storage::sea_orm::{ConnectionTrait as _, Statement};
use zenml_auth_testkit::databases::{Kind, TestDatabase, authority_of_others, fresh, own_server_with_tls};

use crate::support::{DEADLINE, Server};

zenml_auth_testkit::on_servers! {
    a_password_that_was_rotated_in_its_file_is_used
    sighup_changes_how_the_database_is_reached
}

fn log_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Sends SIGHUP, and waits until the log has so many more lines with a text.
fn hang_up(server: &Server, log: &Path, expected: &str) -> String {
    let read = || log_of(log);
    let before = read().matches(expected).count();
    server.signal("-HUP");
    let begun = Instant::now();
    while read().matches(expected).count() == before {
        assert!(begun.elapsed() < DEADLINE, "no {expected:?} in {}", read());
        std::thread::sleep(Duration::from_millis(20));
    }
    read()
}

#[test]
fn sighup_reads_the_settings_again() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("config.toml");
    let log = folder.path().join("test.log");
    let write = |text: &str| std::fs::write(&config, text).unwrap();
    write("[log]\nfilter = \"info\"\n[limits]\nsign_in_per_account = \"1000/1m\"\n");
    let mut command = crate::support::program(folder.path(), &["--config", config.to_str().unwrap()]);
    // A variable would win over the file.
    command.env_remove("ZENML_AUTH_DRAIN_TIME");
    let server = Server::start_as(command, &log);
    let wrong = |name: &str| {
        let form = format!("username={name}&password=wrong");
        server
            .client()
            .exchange("POST", "/api/v1/login", &form)
            .unwrap()
            .0
    };
    assert!((0..5).all(|_| wrong("ann") == 401));

    // What is wrong is told, and changes nothing.
    write("[log]\nfilter = \"info\"\n[limits]\nsign_in_per_account = \"none\"\n");
    hang_up(&server, &log, "those before stay");
    write("[log]\nfilter = \"info,hyper=loud\"\n[limits]\nsign_in_per_account = \"1/15m\"\n");
    hang_up(&server, &log, "those before stay");
    assert!((0..3).all(|_| wrong("bob") == 401));

    write(
        "[server]\ndrain_time = \"1s\"\n[log]\nfilter = \"info,hyper=warn\"\n[limits]\nsign_in_per_account = \"1/15m\"\n",
    );
    hang_up(&server, &log, "read the settings again");
    assert_eq!((wrong("cid"), wrong("cid")), (401, 429));

    // The log falls silent, and can be made to speak again.
    write("[log]\nfilter = \"error\"\n");
    server.signal("-HUP");
    let begun = Instant::now();
    // Lines reach the log a little later than the answer its client.
    let mut without = 0;
    while without < 20 {
        let before = std::fs::read_to_string(&log).unwrap().len();
        server.client().exchange("GET", "/health", "").unwrap();
        let is_longer = std::fs::read_to_string(&log).unwrap().len() > before;
        without = if is_longer { 0 } else { without + 1 };
        assert!(begun.elapsed() < DEADLINE, "it still logs requests");
    }
    write("[server]\ndrain_time = \"1s\"\n[log]\nfilter = \"info\"\n");
    hang_up(&server, &log, "read the settings again");
    // It is the same process, which still ends well, after the drain time of the file. It started with five seconds.
    let (status, took) = server.terminate();
    assert_eq!(status, Some(0));
    let expected = Duration::from_secs(1)..Duration::from_millis(4500);
    assert!(expected.contains(&took), "{took:?}");
}

#[test]
fn what_needs_a_restart_is_said() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "").unwrap();
    let server = Server::start(folder.path(), &["--config", config.to_str().unwrap()]);
    std::fs::write(
        &config,
        "[server]\npublic_url = \"https://auth.example.com\"\n[lifetimes]\naccess_token = \"2h\"\n",
    )
    .unwrap();
    let path = folder.path().join("test.log");
    let log = hang_up(&server, &path, "lifetimes");
    assert!(
        log.contains("takes effect after a restart") && log.contains("public_url"),
        "{log}"
    );
    // It still waits for the restart, which a second signal is not; and once it is as it was, there is nothing to wait for.
    hang_up(&server, &path, "lifetimes");
    std::fs::write(&config, "").unwrap();
    let before = log_of(&path).matches("lifetimes").count();
    let log = hang_up(&server, &path, "read the settings again");
    assert_eq!(log.matches("lifetimes").count(), before, "{log}");
}

#[test]
fn the_first_password_is_needed_on_the_first_start_only() {
    let folder = TempDir::new().unwrap();
    let password = folder.path().join("password");
    let data = folder.path().join("data");
    let start = || {
        let mut command =
            crate::support::program(&data, &["--admin-password-file", password.to_str().unwrap()]);
        command.env_remove("ZENML_AUTH_ADMIN_PASSWORD");
        command
    };
    let refused = start().args(["--bind", "127.0.0.1:0"]).output().unwrap();
    let said = crate::support::failure(&refused);
    assert!(said.contains("the first start needs"), "{said}");
    std::fs::write(&password, "correct horse battery").unwrap();
    let log = folder.path().join("log");
    let server = Server::start_as(start(), &log);
    assert!(server.sign_in("correct horse battery").is_some());
    assert_eq!(server.terminate().0, Some(0));
    std::fs::remove_file(&password).unwrap();
    let server = Server::start_as(start(), &log);
    assert!(server.sign_in("correct horse battery").is_some());
}

async fn a_password_that_was_rotated_in_its_file_is_used(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let by_hand = database.connection().await;
    let set_up: &[&str] = match kind {
        Kind::Postgres => &[
            "DROP ROLE IF EXISTS rotating",
            "CREATE ROLE rotating SUPERUSER LOGIN PASSWORD 'first'",
        ],
        Kind::MySql => &[
            "DROP USER IF EXISTS 'rotating'@'%'",
            "CREATE USER 'rotating'@'%' IDENTIFIED BY 'first'",
            "GRANT ALL PRIVILEGES ON *.* TO 'rotating'@'%'",
        ],
    };
    for sql in set_up {
        by_hand.execute_unprepared(sql).await.unwrap();
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("url");
    let write = |password: &str| {
        let url = database
            .url()
            .replace("zenml:secret@", &format!("rotating:{password}@"));
        std::fs::write(&file, format!("{url}\n")).unwrap();
    };
    write("first");
    let mut command = crate::support::command(&["serve", "--database-url-file"]);
    command.arg(&file);
    let server = Server::start_as(command, &folder.path().join("log"));
    let admin = server.admin();
    assert_eq!(admin.status(), 200);

    write("second");
    let rotate = match kind {
        Kind::Postgres => "ALTER ROLE rotating PASSWORD 'second'",
        Kind::MySql => "ALTER USER 'rotating'@'%' IDENTIFIED BY 'second'",
    };
    by_hand.execute_unprepared(rotate).await.unwrap();
    by_hand.close().await.unwrap();
    database.cut_connections().await;
    // Nobody told the server. It reads, and it writes.
    for _ in 0..3 {
        assert_eq!(admin.status(), 200);
        server.admin();
    }
    let (ready, _) = server.client().exchange("GET", "/ready", "").unwrap();
    assert_eq!(ready, 200);
}

async fn sighup_changes_how_the_database_is_reached(kind: Kind) {
    let Some(database_server) = own_server_with_tls(kind).await else {
        return;
    };
    let database = database_server.fresh().await;
    let set_up: &[&str] = match kind {
        Kind::Postgres => &["CREATE ROLE another SUPERUSER LOGIN PASSWORD 'hidden'"],
        Kind::MySql => &[
            "CREATE USER 'another'@'%' IDENTIFIED BY 'hidden'",
            "GRANT ALL PRIVILEGES ON *.* TO 'another'@'%'",
        ],
    };
    let by_hand = database.connection().await;
    for sql in set_up {
        by_hand.execute_unprepared(sql).await.unwrap();
    }
    by_hand.close().await.unwrap();
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (config, log) = (path("config.toml"), path("log"));
    std::fs::write(path("own.pem"), database_server.authority().unwrap()).unwrap();
    std::fs::write(path("other.pem"), authority_of_others()).unwrap();
    let url = database.url().replace("@127.0.0.1:", "@localhost:");
    let write = |url: &str, tls: &str| {
        let text =
            format!("[storage]\ndatabase_url = \"{url}\"\n[database]\nacquire_timeout = \"2s\"\n{tls}\n");
        std::fs::write(&config, text).unwrap();
    };
    write(&url, "tls = \"disable\"");
    let mut command = crate::support::command(&["serve", "--config"]);
    command.arg(&config);
    let server = Server::start_as(command, &log);
    let admin = server.admin();
    let verified = |authority: &str| {
        format!(
            "tls = \"verify-full\"\nca_file = \"{}\"",
            path(authority).display()
        )
    };

    // Another database is refused, and all stays as it was.
    let elsewhere = url.replace("/test_", "/elsewhere_");
    write(&elsewhere, "tls = \"disable\"");
    let said = hang_up(&server, &log, "those before stay");
    assert!(said.contains("where the database is can't change"), "{said}");
    database.cut_connections().await;
    server.wait_until_ready_is(200);
    assert_eq!(admin.status(), 200);

    // Another user, and a server that has to prove itself, which it can't to the wrong authority.
    let another = url.replace("zenml:secret@", "another:hidden@");
    write(&another, &verified("other.pem"));
    hang_up(&server, &log, "read the settings again");
    assert_eq!(admin.status(), 200, "connections that are open stay");
    database.cut_connections().await;
    server.wait_until_ready_is(503);

    write(&another, &verified("own.pem"));
    hang_up(&server, &log, "read the settings again");
    server.wait_until_ready_is(200);
    assert_eq!(admin.status(), 200);
    server.admin();
    let users = users_of(&database).await;
    assert!(
        !users.is_empty() && users.iter().all(|user| user == "another"),
        "{users:?}"
    );
    let said = log_of(&log);
    assert!(!said.contains("hidden") && !said.contains("secret@"), "{said}");
}

/// Who is connected to a database, but for us.
async fn users_of(database: &TestDatabase) -> Vec<String> {
    let by_hand = database.connection().await;
    let sql = match database.kind() {
        Kind::Postgres => {
            "SELECT usename::text AS user_name FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        }
        Kind::MySql => {
            "SELECT user AS user_name FROM information_schema.processlist \
             WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        }
    };
    let statement = Statement::from_string(by_hand.get_database_backend(), sql);
    let rows = by_hand.query_all_raw(statement).await.unwrap();
    by_hand.close().await.unwrap();
    rows.iter()
        .map(|row| row.try_get("", "user_name").unwrap())
        .collect()
}
