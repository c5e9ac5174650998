//! `kill -9` in the middle of load: all that was acknowledged is there afterwards, and nothing is half made.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use zenml_auth_testkit::databases::{Kind, own_server};
use zenml_auth_testkit::server::device_id;

use crate::support::{Client, DEADLINE, Server, command, polling, text};

/// How often the server is killed.
const CRASHES: u32 = 50;
/// How many workers put it under load.
const WORKERS: u32 = 4;

/// What a worker was told about an account of its own, and about the one key in it.
struct Known {
    account: String,
    /// The key's value; `None` once it was deleted, or the whole account.
    value: Option<String>,
    /// Whether the account is there.
    exists: bool,
    /// The client of a device that asked for approval.
    client: String,
    /// Its device code, until it was exchanged for a token.
    device_code: Option<String>,
    /// Its token.
    device_token: Option<String>,
    active: bool,
    /// The last request got no answer: it may have been carried out or not.
    in_doubt: bool,
}

/// Makes accounts with a key, rotates, switches and deletes both, and connects machines, until the server is gone.
fn work(admin: &Client, name: &str, acknowledged: &AtomicU32) -> Vec<Known> {
    let mut all = Vec::new();
    for number in 0.. {
        let account = format!("{name}-{number}");
        let mut known = Known {
            account: account.clone(),
            value: None,
            exists: true,
            client: new_client(),
            device_code: None,
            device_token: None,
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
    let asking = format!("client_id={}", known.client);
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
    match number % 5 {
        1 => {
            step(known, "PUT", &account, json!({"active": false}))?;
            known.active = false;
        }
        2 => {
            step(known, "DELETE", &account, Value::Null)?;
            (known.value, known.exists) = (None, false);
        }
        3 => {
            step(known, "DELETE", &format!("{keys}/key"), Value::Null)?;
            known.value = None;
        }
        4 => {
            let verify = format!("/api/v1/devices/{}/verify", device_id(&asked));
            let approval = json!({"user_code": asked["user_code"], "trusted_device": true});
            // From here on, it may be approved, or have its token, without our knowing.
            let code = known.device_code.take()?;
            send("PUT", &verify, approval)?;
            let (status, granted) = admin.send("POST", "/api/v1/login", &polling(&known.client, &code))?;
            assert_eq!(status, 200, "{granted}");
            known.device_token = Some(text(&granted, "/access_token"));
        }
        _ => {}
    }
    Some(())
}

/// The id of a machine that nobody else has.
fn new_client() -> String {
    static CLIENTS: AtomicU32 = AtomicU32::new(0);
    let number = CLIENTS.fetch_add(1, Ordering::SeqCst);
    format!("11111111-2222-4333-8444-{number:012}")
}

/// What was acknowledged is as it was.
fn check(client: &Client, known: &Known) {
    if let Some(code) = &known.device_code {
        let polling = polling(&known.client, code);
        let (_, answer) = client.send("POST", "/api/v1/login", &polling).unwrap();
        assert_eq!(answer["error"], "authorization_pending", "{answer}");
    }
    if let Some(token) = &known.device_token {
        assert_eq!(client.with(token).status(), 200, "a connection was lost");
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
    if !known.exists {
        assert_eq!(status, 404, "a deleted account came back: {found}");
        return;
    }
    assert_eq!(status, 200, "an account was lost: {}", known.account);
    let Some(value) = &known.value else {
        let keys = client.ok("GET", &format!("{account}/api_keys"), "");
        assert_eq!(keys["total"], 0, "a deleted key came back: {keys}");
        return;
    };
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
    let accounts_deleted: HashSet<String> = entries
        .iter()
        .filter(|entry| entry["action"] == "service_account.deleted")
        .map(|entry| text(entry, "/target_name"))
        .collect();
    let accounts = admin.ok("GET", "/api/v1/service_accounts?size=10000", "");
    let present: HashSet<String> = accounts["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| text(item, "/id"))
        .collect();
    let (keys_made, keys_deleted) = (targets("api_key.created"), targets("api_key.deleted"));
    let mut keys_present = HashSet::new();
    for account in present.difference(seen) {
        let keys = admin.ok("GET", &format!("/api/v1/service_accounts/{account}/api_keys"), "");
        keys_present.extend(
            keys["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| text(key, "/id")),
        );
    }
    assert!(keys_present.is_subset(&keys_made), "a key without its entry");
    assert!(keys_present.is_disjoint(&keys_deleted), "a key that was deleted");
    // A key that was made is there, or it was deleted, by itself or with its account.
    for entry in entries
        .iter()
        .filter(|entry| entry["action"] == "api_key.created")
    {
        let (key, name) = (text(entry, "/target_id"), text(entry, "/target_name"));
        let gone = keys_deleted.contains(&key) || accounts_deleted.contains(name.split('/').next().unwrap());
        assert!(
            gone || keys_present.contains(&key),
            "an entry without its key: {entry}"
        );
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
