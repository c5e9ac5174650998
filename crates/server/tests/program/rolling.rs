//! Two releases with different schemas on one database, while the newer one is rolled out.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use zenml_auth_testkit::databases::{Kind, fresh};
use zenml_auth_testkit::encryption::ENCRYPTION_KEY;
use zenml_auth_testkit::next_release;

use crate::support::{DEADLINE, PASSWORD, Server};

zenml_auth_testkit::on_servers! {
    the_release_before_goes_on_until_the_schema_contracts
}

/// The arguments of the next release, one a line, when this program is run as it.
const ARGUMENTS: &str = "NEXT_RELEASE_ARGUMENTS";

/// Not a test: this program as the next release would be, which has another schema. It is run by the tests below.
#[test]
#[ignore = "it is a program, which the tests run"]
fn next_release() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else {
        return;
    };
    let schema = match std::env::var("NEXT_RELEASE_SCHEMA").as_deref() {
        Ok("contracted") => next_release::contracted(),
        _ => next_release::expanded(),
    };
    // What the test harness has begun to write.
    println!();
    let arguments = std::iter::once("zenml-auth-server").chain(arguments.lines());
    let done = zenml_auth_server::commands::perform(arguments.map(OsString::from), schema);
    if let Err(error) = &done {
        eprintln!("error: {error}");
    }
    std::process::exit(i32::from(done.is_err()));
}

fn this_release(url: &Path, arguments: &[&str]) -> Command {
    let mut command = crate::support::command(arguments);
    command.arg("--database-url-file").arg(url);
    command
}

/// Turns further arguments into lines of the variable.
const AS_NEXT_RELEASE: &str = r#"
program=$1; shift
export NEXT_RELEASE_ARGUMENTS="$(printf '%s\n' "$@")"
exec "$program" --exact rolling::next_release --ignored --nocapture --test-threads 1
"#;

fn next_release_with(schema: &str, url: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", AS_NEXT_RELEASE, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(arguments)
        .arg("--database-url-file")
        .arg(url)
        .env("NEXT_RELEASE_SCHEMA", schema)
        .env("ZENML_AUTH_ADMIN_PASSWORD", PASSWORD)
        .env("ZENML_AUTH_ENCRYPTION_KEY", ENCRYPTION_KEY);
    command
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[track_caller]
fn succeeds(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    printed(&output)
}

#[track_caller]
fn fails(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{}", printed(&output));
    printed(&output)
}

fn ready(server: &Server) -> u16 {
    server.client().exchange("GET", "/ready", "").unwrap().0
}

async fn the_release_before_goes_on_until_the_schema_contracts(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("url");
    std::fs::write(&url, database.url()).unwrap();
    let url = url.as_path();
    let log = |name: &str| folder.path().join(name);

    let old = Server::start_as(this_release(url, &["serve"]), &log("old"));
    let admin = old.admin();
    // The next release brings the schema up to date beside it.
    let new = Server::start_as(next_release_with("expanded", url, &["serve"]), &log("new"));
    let newer = succeeds(next_release_with("expanded", url, &["migrate", "status"]));
    assert!(newer.contains("applied   m9998_expansion"), "{newer}");
    for server in [&old, &new] {
        assert_eq!(ready(server), 200);
        assert_eq!(admin.at(server).status(), 200);
    }
    // A replica of the release before restarts, and its commands work.
    let restarted = Server::start_as(this_release(url, &["serve"]), &log("restarted"));
    assert_eq!((ready(&restarted), admin.at(&restarted).status()), (200, 200));
    restarted.admin();
    assert!(succeeds(this_release(url, &["admin", "list-users"])).contains("default"));
    assert!(succeeds(this_release(url, &["audit"])).contains("session.started"));
    succeeds(this_release(url, &["migrate", "up"]));
    let status = succeeds(this_release(url, &["migrate", "status"]));
    assert!(
        status.contains("newer release") && status.contains("works with it"),
        "{status}"
    );

    // Nobody takes the change back under them.
    let refused = fails(next_release_with("expanded", url, &["migrate", "down"]));
    assert!(refused.contains("3 zenml-auth servers still run"), "{refused}");
    let refused = fails(this_release(url, &["migrate", "down"]));
    assert!(refused.contains("newer version"), "{refused}");

    // A change that it can't work with: it says that it is not ready, and does not start again.
    succeeds(next_release_with("contracted", url, &["migrate", "up"]));
    let begun = Instant::now();
    while ready(&old) != 503 {
        assert!(begun.elapsed() < DEADLINE, "it stays ready");
        std::thread::sleep(Duration::from_millis(50));
    }
    crate::support::wait_for_line(&log("old"), "m9999_contraction");
    for command in [
        &["serve", "--bind", "127.0.0.1:0"][..],
        &["admin", "list-users"],
        &["audit"],
    ] {
        let refused = fails(this_release(url, command));
        assert!(refused.contains("newer version"), "{refused}");
    }
    // A server that is killed lets go of the schema by itself.
    for server in [old, new, restarted] {
        server.kill();
    }
    let done = succeeds(next_release_with("contracted", url, &["migrate", "down", "2"]));
    assert!(done.contains("taken back   m9998_expansion"), "{done}");
    succeeds(this_release(url, &["admin", "list-users"]));
}
