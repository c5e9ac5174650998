//! Databases of earlier releases, as those left them, under the program of now: what people and workloads had stays good.
//!
//! `tests/releases/` has a folder for each schema that was released, named after its newest migration. The release itself
//! wrote it:
//!
//! ```sh
//! cargo test -p zenml-auth-server --test upgrade -- --ignored keep_this_release
//! ```
//!
//! Run that before a release whose schema is a new one. It needs PostgreSQL and MariaDB with their dump programs. The
//! credentials in it are of servers that are long gone.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use zenml_auth_testkit::databases::{Kind, TestDatabase, fresh, own_server};

use crate::support::one_of_each::{check, fill, serve};
use crate::support::text;

fn releases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/releases")
}

/// The folders of the releases, each with what is known of its databases.
fn kept() -> Vec<(PathBuf, Value)> {
    let mut folders: Vec<PathBuf> = fs::read_dir(releases())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "no release was kept");
    folders
        .into_iter()
        .map(|folder| {
            let known = fs::read_to_string(folder.join("known.json")).unwrap();
            (folder, serde_json::from_str(&known).unwrap())
        })
        .collect()
}

#[test]
fn a_sqlite_database_of_each_release_goes_on() {
    for (release, mut known) in kept() {
        let known = known["sqlite"].take();
        let folder = tempfile::tempdir().unwrap();
        // For its owner alone, as the release made it.
        let data = folder.path().join("data");
        DirBuilder::new().mode(0o700).create(&data).unwrap();
        let database = data.join("zenml-auth.db");
        fs::copy(release.join("sqlite.db"), &database).unwrap();
        fs::set_permissions(&database, Permissions::from_mode(0o600)).unwrap();
        let location = ["--data-dir", data.to_str().unwrap()];
        let server = serve(&location, folder.path());
        check(&server, &known);
        // And once more, now that it was upgraded.
        server.terminate();
        let server = serve(&location, folder.path());
        let key = text(&known["good"], "/the key");
        assert_eq!(server.client().with(&key).status(), 200);
    }
}

async fn goes_on(kind: Kind) {
    for (release, mut known) in kept() {
        let Some(database) = fresh(kind).await else { return };
        let known = known[name(kind)].take();
        let mut dump = fs::read_to_string(release.join(name(kind)).with_extension("sql")).unwrap();
        if database.server().is_mysql {
            // The dump is MariaDB's. MySQL's collation that compares the same way has another name.
            dump = dump.replace("utf8mb4_nopad_bin", "utf8mb4_0900_bin");
        }
        database.execute(&dump).await;
        tokio::task::spawn_blocking(move || {
            let folder = tempfile::tempdir().unwrap();
            let server = serve(&["--database-url", &database.url()], folder.path());
            check(&server, &known);
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_database_of_each_release_goes_on() {
    goes_on(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_database_of_each_release_goes_on() {
    goes_on(Kind::MySql).await;
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Postgres => "postgres",
        Kind::MySql => "mysql",
    }
}

/// Writes the folder of this release. Each of its databases was filled by a server of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes files into the source tree; run it before a release with a new schema"]
async fn keep_this_release() {
    let release = releases().join(newest_migration());
    fs::create_dir_all(&release).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut known = json!({});
    let server = serve(&["--data-dir", data.to_str().unwrap()], folder.path());
    known["sqlite"] = fill(&server);
    assert_eq!(server.terminate().0, Some(0));
    fs::copy(data.join("zenml-auth.db"), release.join("sqlite.db")).unwrap();
    for kind in Kind::ALL {
        let database = own_server(kind).await.unwrap().fresh().await;
        let (url, here) = (database.url(), folder.path().to_owned());
        let filled = tokio::task::spawn_blocking(move || {
            let server = serve(&["--database-url", &url], &here);
            let filled = fill(&server);
            assert_eq!(server.terminate().0, Some(0));
            filled
        });
        known[name(kind)] = filled.await.unwrap();
        fs::write(release.join(name(kind)).with_extension("sql"), dump(&database)).unwrap();
    }
    let text = serde_json::to_string_pretty(&known).unwrap();
    fs::write(release.join("known.json"), text + "\n").unwrap();
}

/// The name of the newest migration of this program, such as `m0008_device_codes`.
fn newest_migration() -> String {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/src");
    let names = fs::read_dir(migrations)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    names
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name.starts_with("m0"))
        .max()
        .unwrap()
}

/// All of a database as SQL that any release of the database server takes.
fn dump(database: &TestDatabase) -> String {
    let port = database.server().port.to_string();
    let mut dump = match database.kind() {
        Kind::Postgres => {
            let mut dump = Command::new("pg_dump");
            dump.args(["--inserts", "--no-owner", "--no-privileges", "--no-comments"]);
            dump.arg(database.url());
            dump
        }
        Kind::MySql => {
            let url = database.url();
            let mut dump = Command::new("mariadb-dump");
            dump.args([
                "--host=127.0.0.1",
                "--user=zenml",
                "--password=secret",
                "--port",
                &port,
            ]);
            dump.args([
                "--hex-blob",
                "--skip-comments",
                "--skip-add-locks",
                "--skip-disable-keys",
            ]);
            dump.args([
                "--skip-lock-tables",
                "--no-tablespaces",
                url.rsplit('/').next().unwrap(),
            ]);
            dump
        }
    };
    let output = dump.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let sql = String::from_utf8(output.stdout).unwrap();
    // Commands of the client programs, and settings that other releases don't know.
    let is_sql = |line: &&str| {
        !line.starts_with('\\')
            && !line.starts_with("--")
            && !line.starts_with("/*M!")
            && !line.starts_with("SET transaction_timeout")
            && !line.is_empty()
    };
    sql.lines().filter(is_sql).flat_map(|line| [line, "\n"]).collect()
}
