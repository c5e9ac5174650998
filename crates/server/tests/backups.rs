//! Backups as the guide for operators says they are made and restored: the database works, what was good when the backup was
//! made is good, and what was revoked by then stays refused.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "all of this is test code"
)]

mod program;

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::Command;

use program::one_of_each::{check, fill, serve};
use program::{Client, Server, text};
use serde_json::{Value, json};
use zenml_auth_testkit::databases::{Kind, TestDatabase, fresh};
use zenml_auth_testkit::report;

const ACCOUNTS: &str = "/api/v1/service_accounts";

/// Runs a program that has to succeed; `None` where it is not installed.
fn run(command: &mut Command) -> Option<()> {
    match command.output() {
        Ok(output) => {
            assert!(output.status.success(), "{command:?}: {output:?}");
            Some(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            report::missing(command.get_program().to_str().unwrap());
            None
        }
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// A folder for its owner alone.
fn private_folder(path: &Path) {
    DirBuilder::new().mode(0o700).create(path).unwrap();
}

/// Revokes what `fill` has left good, and sees that it is refused.
fn revoke_the_key(server: &Server, known: &Value) {
    let key = text(&known["good"], "/the key");
    let path = format!("{ACCOUNTS}/ci/api_keys/key");
    server.admin().ok("PUT", &path, r#"{"active": false}"#);
    assert_eq!(server.client().with(&key).status(), 401);
}

#[test]
fn a_backup_of_a_running_server_is_whole_and_brings_back_what_was_revoked_later() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup.db"));
    let location = ["--data-dir", data.to_str().unwrap()];
    let server = serve(&location, folder.path());
    let known = fill(&server);
    let database = data.join("zenml-auth.db");
    if run(Command::new("sqlite3").arg("--version")).is_none() {
        return;
    }
    let script = r#"umask 077; sqlite3 "$1" ".backup '$2'""#;
    run(Command::new("sh")
        .args(["-c", script, "sh"])
        .args([&database, &backup]))
    .unwrap();
    revoke_the_key(&server, &known);

    // A crash leaves the files that belong to the database before.
    server.kill();
    fs::rename(&backup, &database).unwrap();
    for beside in ["zenml-auth.db-wal", "zenml-auth.db-shm"] {
        fs::remove_file(data.join(beside)).unwrap();
    }
    let server = serve(&location, folder.path());
    check(&server, &known);
}

#[test]
fn the_file_of_a_stopped_server_is_a_whole_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (data, other) = (folder.path().join("data"), folder.path().join("other"));
    let server = serve(&["--data-dir", data.to_str().unwrap()], folder.path());
    let known = fill(&server);
    assert_eq!(server.terminate().0, Some(0));
    private_folder(&other);
    fs::copy(data.join("zenml-auth.db"), other.join("zenml-auth.db")).unwrap();
    let server = serve(&["--data-dir", other.to_str().unwrap()], folder.path());
    check(&server, &known);
}

/// A program of the database server's that reads or writes all of a database.
fn tool(database: &TestDatabase, of_postgres: &str, of_mysql: &[&str]) -> Command {
    let url = database.url();
    match database.kind() {
        Kind::Postgres => {
            let mut tool = Command::new(of_postgres);
            tool.arg("--no-password").arg(format!("--dbname={url}"));
            tool
        }
        Kind::MySql => {
            let is_there = |name: &&&str| Command::new(name).arg("--version").output().is_ok();
            let name = of_mysql.iter().find(is_there).unwrap_or(&of_mysql[0]);
            let mut tool = Command::new(name);
            tool.args([
                "--no-defaults",
                "--host=127.0.0.1",
                "--user=zenml",
                "--password=secret",
            ])
            .arg(format!("--port={}", database.server().port));
            tool
        }
    }
}

/// Makes a backup as the guide says; `None` where the program for it is not installed.
fn dump(database: &TestDatabase, file: &Path) -> Option<()> {
    let url = database.url();
    let name = url.rsplit('/').next().unwrap();
    let mut dump = tool(database, "pg_dump", &["mariadb-dump", "mysqldump"]);
    match database.kind() {
        // So that it can be restored over what is there.
        Kind::Postgres => dump.args(["--clean", "--if-exists"]),
        Kind::MySql => dump.args(["--single-transaction", name]),
    };
    run(dump.stdout(File::create(file).unwrap()))
}

/// Brings a backup back, over what is there.
fn restore(database: &TestDatabase, file: &Path) {
    let url = database.url();
    let name = url.rsplit('/').next().unwrap();
    let mut restore = tool(database, "psql", &["mariadb", "mysql"]);
    match database.kind() {
        Kind::Postgres => restore.args(["--single-transaction", "--set=ON_ERROR_STOP=1", "--quiet"]),
        Kind::MySql => restore.arg(name),
    };
    run(restore.stdin(File::open(file).unwrap())).unwrap();
}

/// On each kind of database server, as far as it and its programs are installed.
async fn on_each(test: fn(&TestDatabase, TestDatabase, &Path)) {
    for kind in Kind::ALL {
        let (Some(database), Some(other)) = (fresh(kind).await, fresh(kind).await) else {
            continue;
        };
        let tested = tokio::task::spawn_blocking(move || {
            let folder = tempfile::tempdir().unwrap();
            test(&database, other, folder.path());
        });
        tested.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_a_database_server_is_a_whole_backup() {
    on_each(|database, other, folder| {
        let backup = folder.join("backup.sql");
        let server = serve(&["--database-url", &database.url()], folder);
        let known = fill(&server);
        if dump(database, &backup).is_none() {
            return;
        }
        revoke_the_key(&server, &known);
        server.kill();
        restore(&other, &backup);
        let server = serve(&["--database-url", &other.url()], folder);
        check(&server, &known);
    })
    .await;
}

fn make_key(admin: &Client, name: &str) -> String {
    let account = json!({"name": name, "active": true});
    admin.ok("POST", ACCOUNTS, &account.to_string());
    let key = admin.ok(
        "POST",
        &format!("{ACCOUNTS}/{name}/api_keys"),
        r#"{"name": "key"}"#,
    );
    text(&key, "/body/key")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_forgets_what_it_kept_when_a_backup_comes_back_under_it() {
    on_each(|database, _, folder| {
        let backup = folder.join("backup.sql");
        let server = serve(&["--database-url", &database.url()], folder);
        let admin = server.admin();
        let before = make_key(&admin, "before");
        if dump(database, &backup).is_none() {
            return;
        }
        let path = format!("{ACCOUNTS}/before/api_keys/key");
        admin.ok("PUT", &path, r#"{"active": false}"#);
        let after = make_key(&admin, "after");
        // Twice, so that all that can be kept is kept.
        for _ in 0..2 {
            assert_eq!(admin.with(&before).status(), 401);
            assert_eq!(admin.with(&after).status(), 200);
        }
        restore(database, &backup);
        assert_eq!(admin.with(&after).status(), 401, "the backup knows nothing of it");
        assert_eq!(admin.with(&before).status(), 200, "the backup has it as it was");
        server.wait_until_ready_is(200);
    })
    .await;
}
