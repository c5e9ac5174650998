//! Secrets at rest, as an operator looks after them, with the real program.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "all of this is test code, and waits for real processes"
)]

mod program;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use tempfile::TempDir;
use zenml_auth_core::memory::MemoryStore;
use zenml_auth_core::ports::{Store, SystemEntropy};
use zenml_auth_core::sealing::EncryptionKeys;
use zenml_auth_core::services::{Engine, Ports};
use zenml_auth_model::{Origin, Secret};
use zenml_auth_testkit::databases::{Kind, fresh};
use zenml_auth_testkit::encryption::ENCRYPTION_KEY;
use zenml_auth_testkit::server::{CHEAP, TestOptions, TestServer};

use crate::program::{PASSWORD, Server, failure, program, run};

zenml_auth_testkit::on_servers! {
    secrets_are_not_replaced_under_a_server
}

/// What a command says when it succeeds, which it has to.
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("test.log")).unwrap()
}

/// A new key, as the program prints it.
fn generated(id: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_zenml-auth-server"))
        .args(["encryption", "generate", "--id", id])
        .output()
        .unwrap();
    said(&output)
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn status(folder: &Path, arguments: &[&str]) -> Value {
    let asked = [arguments, &["encryption", "status", "--output", "json"]].concat();
    serde_json::from_str(&said(&run(folder, &asked))).unwrap()
}

/// Under which keys secrets are sealed, each once.
fn sealed_by(status: &Value) -> Vec<&str> {
    let rows = status["rows"].as_array().unwrap();
    let mut ids: Vec<_> = rows
        .iter()
        .map(|row| row["sealed_by"].as_str().unwrap_or("plain"))
        .collect();
    ids.dedup();
    ids
}

fn current_user(server: &Server, token: &str) -> u16 {
    server.send("GET", "/api/v1/current-user", token, "").0
}

#[test]
fn the_embedded_database_has_a_key_of_its_own_beside_it() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let token = server.sign_in(PASSWORD).unwrap();
    server.kill();
    let key = file(folder.path(), "zenml-auth.db.key");
    assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&key).unwrap();
    let (id, secret) = text.lines().last().unwrap().split_once(':').unwrap();
    assert!(!log(folder.path()).contains(secret));
    assert_eq!(sealed_by(&status(folder.path(), &[])), [id]);
    // Nobody can go on without it, and nothing is made in its place.
    let away = file(folder.path(), "away");
    fs::rename(&key, &away).unwrap();
    let refused = failure(&run(folder.path(), &["--bind", "127.0.0.1:0"]));
    assert!(refused.contains(&format!("\"{id}\"")), "{refused}");
    assert!(
        refused.contains("zenml-auth.db.key") && refused.contains("encryption reset"),
        "{refused}"
    );
    assert!(!key.exists());
    // Users can be looked after all the same, and the trail be read.
    said(&run(folder.path(), &["admin", "list-users"]));
    said(&run(folder.path(), &["audit"]));
    fs::rename(&away, &key).unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(current_user(&server, &token), 200);
}

#[test]
fn a_database_of_before_is_sealed_when_a_server_starts() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let before = server.sign_in(PASSWORD).unwrap();
    server.kill();
    // As the release before has left it: no column, no key, everything in plain.
    let opened = said(&run(folder.path(), &["encryption", "unseal", "--yes"]));
    assert!(opened.contains("2 secrets"), "{opened}");
    let applied = said(&run(folder.path(), &["migrate", "status"]));
    let names: Vec<_> = applied
        .lines()
        .filter(|line| line.starts_with("applied"))
        .collect();
    let sealing = names.iter().position(|line| line.contains("m0013")).unwrap();
    let steps = (names.len() - sealing).to_string();
    said(&run(folder.path(), &["migrate", "down", &steps]));
    fs::remove_file(file(folder.path(), "zenml-auth.db.key")).unwrap();
    let server = Server::start(folder.path(), &[]);
    assert!(log(folder.path()).contains("sealed the signing keys and the server secret"));
    assert_eq!(current_user(&server, &before), 200, "nobody has to sign in again");
    let (_, jwks) = server.send("GET", "/.well-known/jwks.json", "", "");
    let jwks: Value = serde_json::from_str(&jwks).unwrap();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 2, "a new key takes over");
    // Beside the running server, which answers itself.
    let now = status(folder.path(), &[]);
    assert_eq!(now["rows"].as_array().unwrap().len(), 3);
    assert_eq!(sealed_by(&now), [now["current"].as_str().unwrap()]);
    let trail = said(&run(folder.path(), &["audit"]));
    assert!(
        trail.contains("encryption.sealed") && trail.contains("encryption.unsealed"),
        "{trail}"
    );
}

#[test]
fn migrating_seals_as_well() {
    let folder = TempDir::new().unwrap();
    Server::start(folder.path(), &[]).kill();
    said(&run(folder.path(), &["encryption", "unseal", "--yes"]));
    assert_eq!(sealed_by(&status(folder.path(), &[])), ["plain"]);
    let migrated = said(&run(folder.path(), &["migrate", "up"]));
    assert!(migrated.contains("sealed    2 secrets"), "{migrated}");
    let migrated = said(&run(folder.path(), &["migrate", "up"]));
    assert!(!migrated.contains("sealed"), "{migrated}");
}

#[test]
fn keys_rotate_beside_a_running_server() {
    let folder = TempDir::new().unwrap();
    let keys = file(folder.path(), "keys");
    let (old, new) = (generated("old"), generated("new"));
    let with = ["--encryption-key-file", keys.to_str().unwrap()];
    let rotate = [&with[..], &["encryption", "rotate"]].concat();
    write_private(&keys, &old);
    let server = Server::start(folder.path(), &with);
    let token = server.sign_in(PASSWORD).unwrap();
    assert_eq!(sealed_by(&status(folder.path(), &with)), ["old"]);
    // The server has not heard of the new key yet.
    write_private(&keys, &format!("{new}{old}"));
    let refused = failure(&run(folder.path(), &rotate));
    assert!(refused.contains("old seals here, and not new"), "{refused}");
    assert_eq!(current_user(&server, &token), 200);
    server.kill();
    let server = Server::start(folder.path(), &with);
    assert_eq!(
        sealed_by(&status(folder.path(), &with)),
        ["old"],
        "until it is told to"
    );
    let rotated = said(&run(folder.path(), &rotate));
    assert!(
        rotated.contains("Sealed 2 secrets anew; all are sealed under new."),
        "{rotated}"
    );
    assert_eq!(current_user(&server, &token), 200);
    server.kill();
    write_private(&keys, &new);
    let server = Server::start(folder.path(), &with);
    assert_eq!(sealed_by(&status(folder.path(), &with)), ["new"]);
    assert_eq!(current_user(&server, &token), 200);
    let log = log(folder.path());
    for key in [old, new] {
        assert!(!log.contains(key.trim().split_once(':').unwrap().1));
    }
}

#[test]
fn a_wrong_key_is_told_apart_from_a_missing_one_and_a_lost_one_is_no_end() {
    let folder = TempDir::new().unwrap();
    let keys = file(folder.path(), "keys");
    let with = ["--encryption-key-file", keys.to_str().unwrap()];
    let start = [&with[..], &["--bind", "127.0.0.1:0"]].concat();
    write_private(&keys, &generated("k1"));
    let server = Server::start(folder.path(), &with);
    let token = server.sign_in(PASSWORD).unwrap();
    server.kill();
    write_private(&keys, &generated("k2"));
    let missing = failure(&run(folder.path(), &start));
    assert!(
        missing.contains("\"k1\", which is not among the keys"),
        "{missing}"
    );
    assert!(
        missing.contains(&format!("looked in {}", keys.display())),
        "{missing}"
    );
    write_private(&keys, &generated("k1"));
    let wrong = failure(&run(folder.path(), &start));
    assert!(
        wrong.contains("can't be opened with the encryption key \"k1\""),
        "{wrong}"
    );
    // The way out.
    let reset = |more: &[&str]| {
        run(
            folder.path(),
            &[&with[..], &["encryption", "reset"], more].concat(),
        )
    };
    let asked = failure(&reset(&[]));
    assert!(
        asked.contains("All access tokens end") && asked.contains("--yes"),
        "{asked}"
    );
    said(&reset(&["--yes"]));
    let server = Server::start(folder.path(), &with);
    assert_eq!(current_user(&server, &token), 401);
    let fresh = server.sign_in(PASSWORD).unwrap();
    assert_eq!(current_user(&server, &fresh), 200);
    assert!(said(&run(folder.path(), &["audit"])).contains("encryption.reset"));
    // Not while somebody serves.
    let refused = failure(&reset(&["--yes"]));
    assert!(refused.contains("another zenml-auth server runs"), "{refused}");
}

#[test]
fn a_database_server_needs_a_key_and_says_how_to_make_one() {
    let folder = TempDir::new().unwrap();
    // Nobody listens there, and nobody is asked.
    let url = [
        "--database-url",
        "postgres://nobody@127.0.0.1:1/none",
        "--bind",
        "127.0.0.1:0",
    ];
    for arguments in [&url[..], &[&url[..], &["check-config"]].concat()] {
        let refused = failure(&run(folder.path(), arguments));
        assert!(
            refused.contains("zenml-auth-server encryption generate"),
            "{refused}"
        );
        assert!(refused.contains("ZENML_AUTH_ENCRYPTION_KEY"), "{refused}");
    }
}

#[test]
fn keys_come_from_the_variable_or_a_private_file_and_never_from_a_flag() {
    let folder = TempDir::new().unwrap();
    let key = generated("k1");
    let checked = |key: &str, arguments: &[&str]| {
        let arguments = [arguments, &["check-config"]].concat();
        program(folder.path(), &arguments)
            .env("ZENML_AUTH_ENCRYPTION_KEY", key)
            .output()
            .unwrap()
    };
    let from_variable = checked(&key, &[]);
    assert!(said(&from_variable).contains("seals under k1, from ZENML_AUTH_ENCRYPTION_KEY"));
    assert!(!String::from_utf8_lossy(&from_variable.stderr).contains("no setting"));
    let broken = failure(&checked("k1:hunter2", &[]));
    assert!(
        broken.contains("encryption key number 1") && !broken.contains("hunter2"),
        "{broken}"
    );
    let keys = file(folder.path(), "keys");
    let by_file = ["--encryption-key-file", keys.to_str().unwrap()];
    write_private(&keys, &key);
    assert!(failure(&checked(&key, &by_file)).contains("give one of them"));
    fs::set_permissions(&keys, Permissions::from_mode(0o644)).unwrap();
    let refused = failure(&checked("", &by_file));
    assert!(
        refused.contains("mode 0644") && refused.contains("chmod go-rwx"),
        "{refused}"
    );
    let flag = run(folder.path(), &["--encryption-key", key.trim(), "check-config"]);
    assert_eq!(flag.status.code(), Some(2), "{flag:?}");
}

#[test]
fn a_database_that_others_can_read_is_not_used() {
    let folder = TempDir::new().unwrap();
    Server::start(folder.path(), &[]).kill();
    let database = file(folder.path(), "zenml-auth.db");
    let key = file(folder.path(), "zenml-auth.db.key");
    let list = || run(folder.path(), &["admin", "list-users"]);
    for (path, mode, mended) in [
        (&database, 0o644, 0o600),
        (&key, 0o640, 0o600),
        (&folder.path().to_owned(), 0o777, 0o755),
    ] {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        for arguments in [
            &["--bind", "127.0.0.1:0"][..],
            &["audit"],
            &["admin", "list-users"],
            &["check-config"],
        ] {
            let refused = failure(&run(folder.path(), arguments));
            assert!(refused.contains("other users of this machine"), "{refused}");
            assert!(refused.contains(&format!("mode {mode:04o}")), "{refused}");
        }
        // The command that is shown mends it.
        let refused = failure(&list());
        let command = refused.split("run: ").nth(1).unwrap();
        let command = command.split(", or").next().unwrap();
        let mend = Command::new("sh").args(["-c", command]).status().unwrap();
        assert!(mend.success());
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, mended, "{command}");
        said(&list());
    }
    // A volume of Kubernetes: everything is the group's as well.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o2770)).unwrap();
    for path in [&database, &key] {
        fs::set_permissions(path, Permissions::from_mode(0o660)).unwrap();
    }
    assert!(failure(&list()).contains("--allow-group-access"));
    let allowed = program(folder.path(), &["admin", "list-users"])
        .env("ZENML_AUTH_ALLOW_GROUP_ACCESS", "on")
        .output()
        .unwrap();
    said(&allowed);
    fs::set_permissions(&database, Permissions::from_mode(0o664)).unwrap();
    let refused = program(
        folder.path(),
        &["--allow-group-access", "on", "admin", "list-users"],
    )
    .output()
    .unwrap();
    assert!(failure(&refused).contains("chmod o-rwx"));
}

async fn secrets_are_not_replaced_under_a_server(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let folder = TempDir::new().unwrap();
    let url = file(folder.path(), "url");
    fs::write(&url, database.url()).unwrap();
    let with_url = |arguments: &[&str]| {
        let mut command = program::command(arguments);
        command.arg("--database-url-file").arg(&url);
        command
    };
    let server = Server::start_as(with_url(&["serve"]), &file(folder.path(), "test.log"));
    let token = server.sign_in(PASSWORD).unwrap();
    let run = |task: &str| with_url(&["encryption", task, "--yes"]).output().unwrap();
    for task in ["reset", "unseal"] {
        let refused = failure(&run(task));
        assert!(
            refused.contains("a zenml-auth server still runs on the database; stop it first"),
            "{refused}"
        );
    }
    // Nothing was done, and the server did not notice.
    let status = with_url(&["encryption", "status", "--output", "json"])
        .output()
        .unwrap();
    let status: Value = serde_json::from_str(&said(&status)).unwrap();
    assert!(!sealed_by(&status).contains(&"plain"), "{status}");
    assert_eq!(current_user(&server, &token), 200);
    server.kill();
    assert!(said(&run("reset")).contains("all former tokens have ended"));
    let server = Server::start_as(with_url(&["serve"]), &file(folder.path(), "test.log"));
    assert_eq!(current_user(&server, &token), 401);
}

/// As when a replica was not given a new encryption key yet.
#[tokio::test]
async fn a_token_of_a_signing_key_that_cannot_be_opened_gets_503() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let options = TestOptions::default();
    let server = TestServer::start_on(store.clone(), options.clone()).await;
    let own = server.admin().await;
    let keys = format!("{}{ENCRYPTION_KEY}\n", generated("new"));
    let ports = Ports {
        store,
        clock: Arc::new(server.clock.clone()),
        entropy: Arc::new(SystemEntropy),
        encryption: Arc::new(EncryptionKeys::parse(&keys).unwrap()),
    };
    let elsewhere = Engine::open(ports, options.settings, CHEAP).await.unwrap();
    server.clock.advance(options.settings.lifetimes.signing_key);
    elsewhere.maintenance().rotate_signing_key_if_due().await.unwrap();
    server.clock.advance(Duration::from_secs(10 * 60));
    elsewhere.maintenance().rotate_signing_key_if_due().await.unwrap();
    let password = Secret::new(PASSWORD);
    let signed = elsewhere
        .sign_in()
        .with_password(program::ADMIN, password, &Origin::default())
        .await
        .unwrap();
    let refused = server.current_user(signed.token.expose()).await;
    refused.expect(StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.text().contains("lacks an encryption key"), "{refused:?}");
    // Everything else works.
    server.current_user(&own).await.expect(StatusCode::UNAUTHORIZED);
    let own = server.admin().await;
    server.current_user(&own).await.expect(StatusCode::OK);
}
