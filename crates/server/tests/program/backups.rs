//! Backups as the guide for operators says they are made and restored: the database works, what was good when the backup was
//! made is good, and what was revoked by then stays refused.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use zenml_auth_testkit::databases::{Kind, TestDatabase, fresh};
use zenml_auth_testkit::report;

use crate::support::one_of_each::{check, fill, serve};
use crate::support::{Client, Server, text};

const ACCOUNTS: &str = "/api/v1/service_accounts";

/// Runs a program that has to succeed; `None` where it is not installed.
fn run(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => {
            assert!(output.status.success(), "{command:?}: {output:?}");
            Some(output)
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

/// Makes a backup of the database in a folder as the guide says; `None` where the program for it is not installed.
fn back_up(folder: &Path, copy: &Path) -> Option<()> {
    run(Command::new("sqlite3").arg("--version"))?;
    let script = r#"umask 077; sqlite3 "$1" ".backup '$2'""#;
    let mut made = Command::new("sh");
    made.args(["-c", script, "sh"])
        .args([&folder.join("zenml-auth.db"), copy]);
    let made = run(&mut made)?;
    assert!(made.stderr.is_empty(), "{made:?}");
    Some(())
}

/// Restores it as the guide says, while no server runs.
fn restore_file(copy: &Path, folder: &Path) {
    fs::copy(copy, folder.join("zenml-auth.db")).unwrap();
    for name in ["zenml-auth.db-wal", "zenml-auth.db-shm"] {
        let _ = fs::remove_file(folder.join(name));
    }
}

#[test]
fn a_backup_of_a_running_server_is_whole_and_brings_back_what_was_revoked_later() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup.db"));
    let location = ["--data-dir", data.to_str().unwrap()];
    let server = serve(&location, folder.path());
    let known = fill(&server);
    if back_up(&data, &backup).is_none() {
        return;
    }
    revoke_the_key(&server, &known);

    server.kill();
    for beside in ["zenml-auth.db-wal", "zenml-auth.db-shm"] {
        assert!(
            data.join(beside).exists(),
            "a crash leaves what belongs to the database before"
        );
    }
    restore_file(&backup, &data);
    let server = serve(&location, folder.path());
    check(&server, &known);
}

#[test]
fn a_backup_that_was_made_while_it_ran_brings_everything_back() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("zenml-auth.db");
    let server = Server::start(folder.path(), &[]);
    let admin = server.admin();
    let known: Vec<_> = (0..20)
        .map(|number| make_key(&admin, &format!("before-{number}")))
        .collect();
    // Changes go on meanwhile.
    let is_made = AtomicBool::new(false);
    let (made, during) = std::thread::scope(|scope| {
        let going_on = scope.spawn(|| {
            let mut during = Vec::new();
            while during.len() < 10 || !is_made.load(Ordering::SeqCst) {
                during.push(make_key(&admin, &format!("during-{}", during.len())));
            }
            during
        });
        let made = back_up(folder.path(), &copy);
        is_made.store(true, Ordering::SeqCst);
        (made, going_on.join().unwrap())
    });
    if made.is_none() {
        return;
    }
    // After the backup, one account is deleted and another one made.
    admin.ok("DELETE", &format!("{ACCOUNTS}/before-0"), "");
    assert_eq!(server.client().with(&known[0]).status(), 401);
    let later = make_key(&admin, "later");
    server.kill();

    restore_file(&copy, folder.path());
    let server = Server::start(folder.path(), &[]);
    let status = |key: &str| server.client().with(key).status();
    for key in &known {
        assert_eq!(status(key), 200, "what was revoked later is back");
    }
    assert_eq!(status(&later), 401);
    assert_eq!(admin.at(&server).status(), 200, "tokens are good");
    for key in &during {
        assert!([200, 401].contains(&status(key)));
    }
    make_key(&server.admin(), "later");
    assert_eq!(server.terminate().0, Some(0));

    // Without the encryption key: all tokens end, and all accounts are there.
    let other = tempfile::tempdir().unwrap();
    restore_file(&copy, other.path());
    let refused = crate::support::failure(&crate::support::run(other.path(), &["--bind", "127.0.0.1:0"]));
    assert!(refused.contains("encryption reset"), "{refused}");
    assert!(
        crate::support::run(other.path(), &["encryption", "reset", "--yes"])
            .status
            .success()
    );
    let server = Server::start(other.path(), &[]);
    assert_eq!(admin.at(&server).status(), 401);
    for key in &known {
        assert_eq!(server.client().with(key).status(), 200);
    }
    assert_eq!(server.admin().status(), 200);
    assert_eq!(server.terminate().0, Some(0));

    // When it is stopped, the file is everything: a copy of it will do.
    let third = tempfile::tempdir().unwrap();
    for name in ["zenml-auth.db", "zenml-auth.db.key"] {
        fs::copy(folder.path().join(name), third.path().join(name)).unwrap();
    }
    let server = Server::start(third.path(), &[]);
    assert_eq!(admin.at(&server).status(), 200);
    assert_eq!(
        server.admin().ok("GET", &format!("{ACCOUNTS}/later"), "")["name"],
        "later"
    );
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
    run(dump.stdout(File::create(file).unwrap())).map(drop)
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
