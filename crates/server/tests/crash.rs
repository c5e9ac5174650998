//! `kill -9` in the middle of load: all that was acknowledged is there afterwards, and nothing is half made.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "all of this is test code"
)]

mod program;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use program::{Client, DEADLINE, Server, command, text};
use serde_json::{Value, json};
use zenml_auth_testkit::databases::{Kind, own_server};

/// How often the server is killed.
const CRASHES: u32 = 50;
/// How many workers put it under load.
const WORKERS: u32 = 4;

/// The machine that asks to be let in.
const CLIENT: &str = "11111111-2222-4333-8444-555555555555";

/// What a worker was told about an account of its own, and about the one key in it.
struct Known {
    account: String,
    /// The key's value; `None` once the account was deleted.
    value: Option<String>,
    /// The device code of a machine that asked to be let in.
    device_code: Option<String>,
    active: bool,
    /// The last request got no answer: it may have been carried out or not.
    in_doubt: bool,
}

/// Makes accounts with a key, rotates, switches and deletes them, until the server is gone.
fn work(admin: &Client, name: &str, acknowledged: &AtomicU32) -> Vec<Known> {
    let mut all = Vec::new();
    for number in 0.. {
        let account = format!("{name}-{number}");
        let mut known = Known {
            account: account.clone(),
            value: None,
            device_code: None,
            active: true,
            in_doubt: true,
        };
        let goes_on = work_on_one(admin, &mut known, number, acknowledged);
        all.push(known);
        if goes_on.is_none() {
            break;
        }
    }
    all
}

/// `None` when an answer did not come. Everything that did come has to be a success.
fn work_on_one(admin: &Client, known: &mut Known, number: u32, acknowledged: &AtomicU32) -> Option<()> {
    let accounts = "/api/v1/service_accounts";
    let account = format!("{accounts}/{}", known.account);
    let keys = format!("{account}/api_keys");
    let send = |method: &str, path: &str, body: Value| -> Option<Value> {
        let (status, answer) = admin.send(method, path, &body.to_string())?;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        acknowledged.fetch_add(1, Ordering::SeqCst);
        Some(answer)
    };
    send("POST", accounts, json!({"name": known.account, "active": true}))?;
    let key = send("POST", &keys, json!({"name": "key"}))?;
    known.value = Some(text(&key, "/body/key"));
    let asking = format!("client_id={CLIENT}");
    let (_, asked) = admin.send("POST", "/api/v1/device_authorization", &asking)?;
    known.device_code = Some(text(&asked, "/device_code"));
    known.in_doubt = false;

    let step = |known: &mut Known, method: &str, path: &str, body: Value| {
        known.in_doubt = true;
        let answer = send(method, path, body)?;
        known.in_doubt = false;
        Some(answer)
    };
    let rotated = step(
        known,
        "PUT",
        &format!("{keys}/key/rotate"),
        json!({"retain_period_minutes": 0}),
    )?;
    known.value = Some(text(&rotated, "/body/key"));
    if number % 3 == 1 {
        step(known, "PUT", &account, json!({"active": false}))?;
        known.active = false;
    }
    if number % 3 == 2 {
        step(known, "DELETE", &account, Value::Null)?;
        known.value = None;
    }
    Some(())
}

/// What was acknowledged is as it was.
fn check(client: &Client, known: &Known) {
    if let Some(code) = &known.device_code {
        let polling = format!(
            "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id={CLIENT}&device_code={code}"
        );
        let (_, answer) = client.send("POST", "/api/v1/login", &polling).unwrap();
        assert_eq!(answer["error"], "authorization_pending", "{answer}");
    }
    let account = format!("/api/v1/service_accounts/{}", known.account);
    let (status, found) = client.send("GET", &account, "").unwrap();
    if known.in_doubt {
        // Either of both, but whole: an account that is there can be read, and so can its keys.
        assert!(status == 200 || status == 404, "{found}");
        if status == 200 {
            client.ok("GET", &format!("{account}/api_keys"), "");
        }
        return;
    }
    let Some(value) = &known.value else {
        assert_eq!(status, 404, "a deleted account came back: {found}");
        return;
    };
    assert_eq!(status, 200, "an account was lost: {}", known.account);
    let let_in = client.with(value).status();
    assert_eq!(let_in, if known.active { 200 } else { 401 }, "{}", known.account);
}

/// Every account has the audit entry of its making, and nothing else says that it was made; every key has its entry, too:
/// each change and its entry are there together or not at all.
fn check_trail(admin: &Client, settings: &[&str], seen: &mut HashSet<String>) {
    let arguments = [settings, &["audit", "--output", "json", "--limit", "10000"]].concat();
    let trail = command(&arguments).output().unwrap();
    assert!(trail.status.success(), "{trail:?}");
    let trail = String::from_utf8(trail.stdout).unwrap();
    let entries: Vec<Value> = trail
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let targets = |action: &str| -> HashSet<String> {
        let of_action = entries.iter().filter(|entry| entry["action"] == action);
        of_action.map(|entry| text(entry, "/target_id")).collect()
    };
    let made = targets("service_account.created");
    let deleted = targets("service_account.deleted");
    let accounts = admin.ok("GET", "/api/v1/service_accounts?size=10000", "");
    let present: HashSet<String> = accounts["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| text(item, "/id"))
        .collect();
    let keys_made = targets("api_key.created");
    for account in present.difference(seen) {
        let keys = admin.ok("GET", &format!("/api/v1/service_accounts/{account}/api_keys"), "");
        for key in keys["items"].as_array().unwrap() {
            assert!(keys_made.contains(&text(key, "/id")), "{key}");
        }
    }
    seen.extend(made.iter().cloned());
    let expected: HashSet<String> = seen.difference(&deleted).cloned().collect();
    assert_eq!(present, expected);
    seen.retain(|id| present.contains(id));
}

fn crash_again_and_again(settings: &[&str], log: &Path) {
    let mut server = Server::start_as(command(settings), log);
    let mut seen = HashSet::new();
    for crash in 0..CRASHES {
        let admin = server.admin();
        let acknowledged = AtomicU32::new(0);
        // Each time at another moment.
        let last = 25 + crash * 7 % 60;
        let known: Vec<Known> = thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS)
                .map(|worker| {
                    let (admin, acknowledged) = (&admin, &acknowledged);
                    scope.spawn(move || work(admin, &format!("w{crash}-{worker}"), acknowledged))
                })
                .collect();
            let begun = Instant::now();
            while acknowledged.load(Ordering::SeqCst) < last {
                assert!(begun.elapsed() < DEADLINE, "the load has come to a stop");
                thread::yield_now();
            }
            server.kill();
            workers
                .into_iter()
                .flat_map(|worker| worker.join().unwrap())
                .collect()
        });
        server = Server::start_as(command(settings), log);
        let admin = server.admin();
        assert!(known.iter().any(|known| !known.in_doubt));
        for known in &known {
            check(&admin, known);
        }
        check_trail(&admin, settings, &mut seen);
        // So that the trail of the next round is within what can be shown at once.
        for known in &known {
            let account = format!("/api/v1/service_accounts/{}", known.account);
            admin.send("DELETE", &account, "").unwrap();
        }
    }
}

#[test]
fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = ["--data-dir", data.to_str().unwrap(), "--rate-limit", "off"];
    crash_again_and_again(&settings, &folder.path().join("log"));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    let Some(database_server) = own_server(Kind::Postgres).await else {
        return;
    };
    let database = database_server.fresh().await;
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let crashing = tokio::task::spawn_blocking(move || {
        let settings = ["--database-url", &url, "--rate-limit", "off"];
        crash_again_and_again(&settings, &folder.path().join("log"));
    });
    crashing.await.unwrap();
}
