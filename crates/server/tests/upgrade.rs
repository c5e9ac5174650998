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

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "all of this is test code"
)]

mod program;

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use program::{Client, PASSWORD, Server, command, polling, text};
use serde_json::{Value, json};
use zenml_auth_testkit::databases::{Kind, TestDatabase, fresh, own_server};
use zenml_auth_testkit::server::device_id;

/// So that what is kept here is as good in years to come.
const LONG: &str = "3650d";
const ACCOUNTS: &str = "/api/v1/service_accounts";
const DEVICES: &str = "/api/v1/devices";

fn releases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/releases")
}

/// The program on a database, with lifetimes that outlast the release.
fn serve(location: &[&str], folder: &Path) -> Server {
    let mut serve = command(&["serve"]);
    serve.args(location).args([
        "--trusted-device-lifetime",
        LONG,
        "--untrusted-device-lifetime",
        LONG,
        "--access-token-lifetime",
        LONG,
        "--device-grant-lifetime",
        LONG,
        "--polling-interval",
        "1s",
    ]);
    Server::start_as(serve, &folder.join("server.log"))
}

/// Someone who asks to connect a device, and what they were told.
fn ask(client: &Client, id: &str) -> Value {
    client.ok("POST", "/api/v1/device_authorization", &format!("client_id={id}"))
}

fn approve(admin: &Client, asked: &Value) {
    let approval = json!({"user_code": asked["user_code"], "trusted_device": true});
    let path = format!("{DEVICES}/{}/verify", device_id(asked));
    admin.ok("PUT", &path, &approval.to_string());
}

fn exchange(client: &Client, id: &str, asked: &Value) -> Value {
    client.ok(
        "POST",
        "/api/v1/login",
        &polling(id, &text(asked, "/device_code")),
    )
}

fn client_id(number: u32) -> String {
    format!("11111111-2222-4333-8444-{number:012}")
}

/// Makes one of everything, and tells what it came to: every credential, by what it has to be good for.
fn fill(server: &Server) -> Value {
    let admin = server.admin();
    let put = |path: &str, body: Value| admin.ok("PUT", path, &body.to_string());
    let post = |path: &str, body: Value| admin.ok("POST", path, &body.to_string());

    // People: one of each state.
    let invited = post(
        "/api/v1/users",
        json!({"name": "invited", "is_admin": false, "active": false}),
    );
    let bob = post(
        "/api/v1/users",
        json!({"name": "bob", "is_admin": false, "active": true, "password": PASSWORD}),
    );
    let carol = post(
        "/api/v1/users",
        json!({"name": "carol", "is_admin": true, "active": true, "password": PASSWORD}),
    );
    let carol_token = server.sign_in_as("carol", PASSWORD).unwrap();
    put(
        &format!("/api/v1/users/{}/deactivate", text(&carol, "/id")),
        json!({}),
    );
    let bob_token = server.sign_in_as("bob", PASSWORD).unwrap();

    // Devices: one that is connected, one that is locked, one that waits for its approval and one for its token.
    let connect = |number: u32| {
        let id = client_id(number);
        let asked = ask(&server.client(), &id);
        approve(&admin, &asked);
        exchange(&server.client(), &id, &asked)
    };
    let connected = connect(1);
    let locked = connect(2);
    put(
        &format!("{DEVICES}/{}", text(&locked, "/device_id")),
        json!({"locked": true}),
    );
    let pending = ask(&server.client(), &client_id(3));
    let approved = ask(&server.client(), &client_id(4));
    approve(&admin, &approved);

    // Workloads: a key that was rotated and its token, one that is switched off, and one of an account that is.
    let account = |name: &str| {
        post(
            ACCOUNTS,
            json!({"name": name, "active": true, "description": "from before"}),
        );
        post(&format!("{ACCOUNTS}/{name}/api_keys"), json!({"name": "key"}))
    };
    let ended = account("ci");
    let rotated = put(
        &format!("{ACCOUNTS}/ci/api_keys/key/rotate"),
        json!({"retain_period_minutes": 0}),
    );
    let key = text(&rotated, "/body/key");
    let key_token = server
        .client()
        .ok("POST", "/api/v1/login", &format!("password={}", encoded(&key)));
    let off = post(&format!("{ACCOUNTS}/ci/api_keys"), json!({"name": "off"}));
    put(&format!("{ACCOUNTS}/ci/api_keys/off"), json!({"active": false}));
    let of_inactive = account("sleeping");
    put(&format!("{ACCOUNTS}/sleeping"), json!({"active": false}));

    json!({
        "good": {
            "the administrator's session": admin.token,
            "bob's session": bob_token,
            "the device": text(&connected, "/access_token"),
            "the key": key,
            "the key's token": text(&key_token, "/access_token"),
        },
        "refused": {
            "carol's session": carol_token,
            "the locked device": text(&locked, "/access_token"),
            "the value before the rotation": text(&ended, "/body/key"),
            "the inactive key": text(&off, "/body/key"),
            "the inactive account's key": text(&of_inactive, "/body/key"),
        },
        "inactive_key_after_switching_it_on": text(&off, "/body/key"),
        "locked_device": {"id": text(&locked, "/device_id"), "token": text(&locked, "/access_token")},
        "pending": pending,
        "approved": approved,
        "invited": {"id": text(&invited, "/id"), "activation_token": text(&invited, "/body/activation_token")},
        "bob": text(&bob, "/id"),
        "users": ["bob", "carol", "default", "invited"],
    })
}

fn encoded(text: &str) -> String {
    text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// What was good is good, what was refused is refused, and what was begun can be ended.
fn check(server: &Server, known: &Value) {
    let client = server.client();
    for (outcome, expected) in [("good", 200), ("refused", 401)] {
        for (what, token) in known[outcome].as_object().unwrap() {
            assert_eq!(client.with(token.as_str().unwrap()).status(), expected, "{what}");
        }
    }
    let admin = server.admin();
    assert!(server.sign_in_as("bob", PASSWORD).is_some());
    assert!(server.sign_in_as("carol", PASSWORD).is_none(), "she is inactive");

    // The listings tell all of it.
    let names = |path: &str| -> Vec<String> {
        let page = admin.ok("GET", &format!("{path}?size=100&sort_by=asc:name"), "");
        let items = page["items"].as_array().unwrap();
        items.iter().map(|item| text(item, "/name")).collect()
    };
    assert_eq!(json!(names("/api/v1/users")), known["users"]);
    assert_eq!(names(ACCOUNTS), ["ci", "sleeping"]);
    assert_eq!(names(&format!("{ACCOUNTS}/ci/api_keys")), ["key", "off"]);

    // What was switched off can be switched on.
    admin.ok(
        "PUT",
        &format!("{ACCOUNTS}/ci/api_keys/off"),
        "{\"active\": true}",
    );
    let value = text(known, "/inactive_key_after_switching_it_on");
    assert_eq!(client.with(&value).status(), 200);
    let device = text(known, "/locked_device/id");
    admin.ok("PUT", &format!("{DEVICES}/{device}"), "{\"locked\": false}");
    assert_eq!(client.with(&text(known, "/locked_device/token")).status(), 200);

    // Open requests go on: the server secret, under which user codes are kept, is the same.
    approve(&admin, &known["pending"]);
    for (number, request) in [(3, "pending"), (4, "approved")] {
        let granted = exchange(&client, &client_id(number), &known[request]);
        assert_eq!(
            client.with(&text(&granted, "/access_token")).status(),
            200,
            "{request}"
        );
    }
    let revoked = text(&known["good"], "/the device");
    let devices = admin.ok("GET", &format!("{DEVICES}?size=100"), "");
    assert_eq!(devices["total"], 4);
    // And end as they should.
    client.with(&revoked).ok("GET", "/api/v1/logout", "");
    assert_eq!(client.with(&revoked).status(), 401);
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
