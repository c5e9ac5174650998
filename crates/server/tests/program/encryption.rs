//! Secrets at rest, as an operator looks after them, with the real program.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use zenml_auth_api::key::KeyText;
use zenml_auth_core::memory::MemoryStore;
use zenml_auth_core::ports::{Store, SystemEntropy};
use zenml_auth_core::sealing::EncryptionKeys;
use zenml_auth_core::services::{Engine, Ports};
use zenml_auth_model::{Origin, Secret};
use zenml_auth_testkit::databases::{Kind, fresh};
use zenml_auth_testkit::encryption::ENCRYPTION_KEY;
use zenml_auth_testkit::server::{CHEAP, TestOptions, TestServer, device_id};

use crate::support::{
    ADMIN, ANOTHER_USER, Browser, Client, PASSWORD, Server, as_another_user, failure, may_be_another_user,
    polling, program, run, said, text,
};

zenml_auth_testkit::on_servers! {
    secrets_are_not_replaced_under_a_server
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
    crate::support::wait_for_line(
        &folder.path().join("test.log"),
        "sealed the signing keys and the server secret",
    );
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
fn a_damaged_key_is_named_and_has_to_be_moved_away() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let token = server.sign_in(PASSWORD).unwrap();
    server.kill();
    let key = file(folder.path(), "zenml-auth.db.key");
    let whole = fs::read_to_string(&key).unwrap();
    let secret = whole.trim().rsplit(':').next().unwrap();
    let reset = || run(folder.path(), &["encryption", "reset", "--yes"]);
    let cut = &whole[..whole.len() - 10];
    for damaged in [cut, "", "# the key is gone\n"] {
        fs::write(&key, damaged).unwrap();
        for refused in [run(folder.path(), &["--bind", "127.0.0.1:0"]), reset()] {
            let refused = failure(&refused);
            assert!(
                refused.contains("zenml-auth.db.key can't be used"),
                "{damaged:?}: {refused}"
            );
            assert!(!refused.contains(&secret[..20]), "{refused}");
        }
        assert_eq!(fs::read_to_string(&key).unwrap(), damaged, "it is left as it is");
    }
    // A copy mends it.
    fs::write(&key, &whole).unwrap();
    let server = Server::start(folder.path(), &[]);
    assert_eq!(current_user(&server, &token), 200);
    server.kill();
    // Without a copy, a reset makes new secrets.
    fs::write(&key, cut).unwrap();
    fs::rename(&key, file(folder.path(), "damaged")).unwrap();
    said(&reset());
    assert_ne!(fs::read_to_string(&key).unwrap(), whole);
    let server = Server::start(folder.path(), &[]);
    assert_eq!(current_user(&server, &token), 401);
    assert!(server.sign_in(PASSWORD).is_some());
}

const CLIENT: &str = "77ec22a2-335b-4130-ba6c-1e1c371236a7";
const KEYS: &str = "/api/v1/service_accounts/ci/api_keys";

/// A machine asks to be connected.
fn request_device(stranger: &Client, client: &str) -> Value {
    stranger.ok(
        "POST",
        "/api/v1/device_authorization",
        &format!("client_id={client}"),
    )
}

/// A person tries to approve it; gives the status.
fn approve(person: &Client, asked: &Value) -> u16 {
    let path = format!("/api/v1/devices/{}/verify", device_id(asked));
    let body = json!({"user_code": asked["user_code"]}).to_string();
    person.send("PUT", &path, &body).unwrap().0
}

/// The machine asks for its token.
fn poll(stranger: &Client, client: &str, asked: &Value) -> (u16, Value) {
    let form = polling(client, &text(asked, "/device_code"));
    stranger.send("POST", "/api/v1/login", &form).unwrap()
}

/// An API key for an account of its own.
fn api_key(admin: &Client) -> String {
    admin.ok(
        "POST",
        "/api/v1/service_accounts",
        r#"{"name": "ci", "active": true}"#,
    );
    text(&admin.ok("POST", KEYS, r#"{"name": "nightly"}"#), "/body/key")
}

/// The token that a workload gets for its key.
fn exchange(stranger: &Client, key: &str) -> String {
    let form = format!("grant_type=zenml-api-key&password={}", key.replace('+', "%2B"));
    text(&stranger.ok("POST", "/api/v1/login", &form), "/access_token")
}

#[test]
fn after_a_reset_devices_connect_again_and_keys_and_browsers_go_on() {
    const LATER: &str = "77ec22a2-335b-4130-ba6c-1e1c371236a8";
    const WAITING: &str = "77ec22a2-335b-4130-ba6c-1e1c371236a9";
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder.path(), &[]);
    let (stranger, admin) = (server.client(), server.admin());
    let connect = |stranger: &Client, admin: &Client| {
        let asked = request_device(stranger, CLIENT);
        assert_eq!(approve(admin, &asked), 200);
        let (status, granted) = poll(stranger, CLIENT, &asked);
        assert_eq!(status, 200, "{granted}");
        (text(&granted, "/access_token"), text(&granted, "/device_id"))
    };
    let (device, id) = connect(&stranger, &admin);
    let (approved, waiting) = (
        request_device(&stranger, LATER),
        request_device(&stranger, WAITING),
    );
    assert_eq!(approve(&admin, &approved), 200);
    let key = api_key(&admin);
    let from_key = exchange(&stranger, &key);
    let browser = Browser::sign_in(&stranger, ADMIN, PASSWORD).unwrap();
    let tokens = [&admin.token, &device, &from_key];
    for token in tokens {
        assert_eq!(current_user(&server, token), 200);
    }
    assert!(browser.devices(&stranger).1.contains(&id));
    server.kill();
    said(&run(folder.path(), &["encryption", "reset", "--yes"]));

    let server = Server::start(folder.path(), &[]);
    let (stranger, admin) = (server.client(), server.admin());
    for token in tokens {
        assert_eq!(current_user(&server, token), 401);
    }
    // The key is good, by itself and for new tokens.
    assert_eq!(current_user(&server, &key), 200);
    assert_eq!(current_user(&server, &exchange(&stranger, &key)), 200);
    // The browser is signed in.
    let (status, page) = browser.devices(&stranger);
    assert!(status == 200 && page.contains(&id), "{status} {page}");
    // What was approved is exchanged, and what waited can't be approved any more.
    let (status, granted) = poll(&stranger, LATER, &approved);
    assert_eq!(status, 200, "{granted}");
    assert_eq!(current_user(&server, &text(&granted, "/access_token")), 200);
    assert_eq!(approve(&admin, &waiting), 400);
    let again = request_device(&stranger, WAITING);
    assert_eq!(approve(&admin, &again), 200);
    assert_eq!(poll(&stranger, WAITING, &again).0, 200);
    // A device that connects again is the same one.
    let (device, same) = connect(&stranger, &admin);
    assert_eq!(same, id);
    assert_eq!(current_user(&server, &device), 200);
}

/// Looks for secrets in files, in every form in which they could be there.
#[derive(Default)]
struct Search {
    /// Names and forms, by their first eight bytes.
    forms: HashMap<Vec<u8>, Vec<(String, Vec<u8>)>>,
}

impl Search {
    const BEGINNING: usize = 8;

    fn add_form(&mut self, name: &str, form: impl Into<Vec<u8>>) {
        let form = form.into();
        let beginning = form[..Self::BEGINNING].to_vec();
        self.forms
            .entry(beginning)
            .or_default()
            .push((name.to_owned(), form));
    }

    /// Bytes as they are, as hexadecimal digits and in base64, whatever stands before them there.
    fn add_bytes(&mut self, name: &str, bytes: &[u8]) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.add_form(name, bytes);
        self.add_form(name, hex.to_uppercase());
        self.add_form(name, hex);
        for skipped in 0..3 {
            // Only letters that are made of nothing else.
            let whole = bytes[skipped..]
                .chunks_exact(3)
                .flatten()
                .copied()
                .collect::<Vec<_>>();
            for alphabet in [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD] {
                self.add_form(name, alphabet.encode(&whole));
            }
        }
    }

    /// A secret, and the bytes that its digits stand for.
    fn add(&mut self, name: &str, secret: &str) {
        self.add_bytes(name, secret.as_bytes());
        let digits: Option<Vec<u8>> = secret
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        // Fewer would be a word of these letters.
        if let Some(bytes) = digits.filter(|bytes| bytes.len() >= 16) {
            self.add_bytes(name, &bytes);
        }
    }

    fn add_key(&mut self, name: &str, key: &str) {
        self.add(name, key);
        self.add(name, KeyText::parse(key).unwrap().key.expose());
    }

    /// A signed token, and its signature alone.
    fn add_token(&mut self, name: &str, token: &str) {
        self.add(name, token);
        let signature = token.rsplit('.').next().unwrap();
        self.add_bytes(name, &BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap());
    }

    /// What is found in all files of a folder and of those in it.
    fn find(&self, folder: &Path) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                found.extend(self.find(&entry.path()));
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).unwrap();
                for (start, beginning) in bytes.windows(Self::BEGINNING).enumerate() {
                    let forms = self.forms.get(beginning).into_iter().flatten();
                    let here = forms.filter(|(_, form)| bytes[start..].starts_with(form));
                    found.extend(here.map(|(name, _)| name.as_str()));
                }
            }
        }
        found
    }
}

#[test]
fn nothing_that_was_handed_out_is_in_the_files() {
    let folder = TempDir::new().unwrap();
    // The reserve is nothing but room, which would only have to be looked through.
    let server = Server::start(folder.path(), &["--disk-reserve", "0"]);
    let (stranger, admin) = (server.client(), server.admin());
    let mut search = Search::default();
    search.add("the administrator's password", PASSWORD);
    search.add_token("the token of a sign-in", &admin.token);
    let made = admin.ok("GET", "/api/v1/api_token?expires_in=3600", "");
    search.add_token("a token made by hand", made.as_str().unwrap());

    // People.
    let ann = json!({"name": "ann", "password": "first-Passw0rd-0", "is_admin": false, "active": true});
    admin.ok("POST", "/api/v1/users", &ann.to_string());
    search.add("a password that was given", "first-Passw0rd-0");
    let person = stranger.signed_in("ann", "first-Passw0rd-0");
    let changed = json!({"password": "second-Passw0rd-0", "old_password": "first-Passw0rd-0"});
    person.ok("PUT", "/api/v1/current-user", &changed.to_string());
    search.add("a password that was changed", "second-Passw0rd-0");
    let bob = json!({"name": "bob", "is_admin": false, "active": false}).to_string();
    let invited = admin.ok("POST", "/api/v1/users", &bob);
    search.add(
        "an activation token that was used",
        &text(&invited, "/body/activation_token"),
    );
    let activated = json!({
        "activation_token": invited["body"]["activation_token"], "password": "third-Passw0rd-0",
    });
    stranger.ok("PUT", "/api/v1/users/bob/activate", &activated.to_string());
    search.add("a password that was chosen", "third-Passw0rd-0");
    let last_word = |arguments: &[&str]| {
        let shown = said(&run(folder.path(), &[&["admin"], arguments].concat()));
        shown.trim().rsplit(' ').next().unwrap().to_owned()
    };
    search.add(
        "an activation token that is out",
        &last_word(&["deactivate-user", "bob"]),
    );
    search.add("a password that was made", &last_word(&["reset-password", "ann"]));

    // Browsers.
    let browser = Browser::sign_in(&stranger, ADMIN, PASSWORD).unwrap();
    for cookie in browser.cookies() {
        let (name, value) = cookie.split_once('=').unwrap();
        search.add(name, value);
    }
    assert_eq!(browser.status(&stranger), 200);

    // Machines: one waits, one was approved, one is connected.
    let asked = [7, 8, 9].map(|number| request_device(&stranger, &format!("{}{number}", &CLIENT[..35])));
    for (number, asked) in asked.iter().enumerate() {
        let code = text(asked, "/device_code");
        search.add("a device code", &code);
        search.add("a device code", &code[32..]);
        let code = text(asked, "/user_code");
        search.add("a user code", &code);
        search.add("a user code", &code.replace('-', ""));
        assert!(number == 0 || approve(&admin, asked) == 200);
    }
    let (status, granted) = poll(&stranger, &format!("{}9", &CLIENT[..35]), &asked[2]);
    assert_eq!(status, 200, "{granted}");
    search.add_token("the token of a device", &text(&granted, "/access_token"));

    // Workloads.
    let key = api_key(&admin);
    search.add_key("an API key that was rotated", &key);
    let rotated = admin.ok(
        "PUT",
        &format!("{KEYS}/nightly/rotate"),
        r#"{"retain_period_minutes": 60}"#,
    );
    let rotated = text(&rotated, "/body/key");
    search.add_key("an API key", &rotated);
    search.add_token("the token of an API key", &exchange(&stranger, &rotated));
    for key in [&key, &rotated] {
        assert_eq!(current_user(&server, key), 200);
    }

    // What was wrong.
    for form in [
        "username=ann&password=wrong-Passw0rd-0",
        "username=typed-Passw0rd-0&password=x",
    ] {
        assert_eq!(stranger.send("POST", "/api/v1/login", form).unwrap().0, 401);
    }
    search.add("a wrong password", "wrong-Passw0rd-0");
    search.add("a password in place of a name", "typed-Passw0rd-0");

    // That it finds what is there.
    let random = KeyText::parse(&rotated).unwrap().key;
    search.add_bytes(
        "the hash of an API key",
        &Sha256::digest(random.expose().as_bytes()),
    );
    let expected = BTreeSet::from(["the hash of an API key"]);
    assert_eq!(search.find(folder.path()), expected, "while it runs");
    server.kill();
    assert_eq!(search.find(folder.path()), expected, "after a crash");
    let server = Server::start(folder.path(), &["--disk-reserve", "0"]);
    assert_eq!(server.terminate().0, Some(0));
    assert!(!file(folder.path(), "zenml-auth.db-wal").exists());
    assert_eq!(search.find(folder.path()), expected, "after a stop");
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

#[test]
fn files_of_another_user_are_not_used_but_for_roots() {
    if !may_be_another_user() {
        return;
    }
    const STRANGER: u32 = ANOTHER_USER - 1;
    let parent = TempDir::new().unwrap();
    fs::set_permissions(parent.path(), Permissions::from_mode(0o755)).unwrap();
    let folder = parent.path().join("data");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    chown(&folder, Some(ANOTHER_USER), Some(ANOTHER_USER)).unwrap();
    let as_owner = |arguments: &[&str]| {
        let command = program(&folder, arguments);
        as_another_user(&command, parent.path()).output().unwrap()
    };
    let server = as_another_user(&program(&folder, &[]), parent.path());
    let server = Server::start_as(server, &parent.path().join("test.log"));
    assert_eq!(server.terminate().0, Some(0));
    let key = parent.path().join("key");
    write_private(&key, &generated("k1"));
    chown(&key, Some(ANOTHER_USER), None).unwrap();
    let given = ["--encryption-key-file", key.to_str().unwrap(), "check-config"];
    said(&as_owner(&given));
    let database = file(&folder, "zenml-auth.db");
    for path in [&folder, &database, &file(&folder, "zenml-auth.db.key"), &key] {
        chown(path, Some(STRANGER), None).unwrap();
        for arguments in [
            &["--bind", "127.0.0.1:0"][..],
            &["audit"],
            &["admin", "list-users"],
            &["check-config"],
            &given,
        ] {
            if (*path == key) != (arguments == given) {
                continue;
            }
            let refused = failure(&as_owner(arguments));
            let expected = format!("{} belongs to another user of this machine", path.display());
            assert!(
                refused.contains(&expected) && refused.contains("chown"),
                "{arguments:?}: {refused}"
            );
        }
        chown(path, Some(ANOTHER_USER), None).unwrap();
        said(&as_owner(&["admin", "list-users"]));
    }
    // What is root's will do.
    chown(&folder, Some(0), None).unwrap();
    said(&as_owner(&["check-config"]));
}

#[test]
fn what_root_does_leaves_the_files_to_the_owner_of_the_folder() {
    if !may_be_another_user() {
        return;
    }
    let parent = TempDir::new().unwrap();
    fs::set_permissions(parent.path(), Permissions::from_mode(0o755)).unwrap();
    let folder = parent.path().join("data");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    chown(&folder, Some(ANOTHER_USER), Some(ANOTHER_USER)).unwrap();
    let log = parent.path().join("test.log");
    let start = || Server::start_as(as_another_user(&program(&folder, &[]), parent.path()), &log);
    // While it runs, after a crash, and after a stop.
    let server = start();
    said(&run(&folder, &["admin", "create-user", "ann"]));
    server.kill();
    said(&run(&folder, &["admin", "create-user", "bob"]));
    said(&run(&folder, &["audit"]));
    assert_eq!(start().terminate().0, Some(0));
    for name in ["zenml-auth.db.key", "zenml-auth.db.lock"] {
        fs::remove_file(file(&folder, name)).unwrap();
    }
    said(&run(&folder, &["encryption", "reset", "--yes"]));
    said(&run(&folder, &["admin", "create-user", "cara"]));
    let server = start();
    let admin = server.admin();
    for name in ["ann", "bob", "cara"] {
        admin.ok("GET", &format!("/api/v1/users/{name}"), "");
    }
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().uid(),
            ANOTHER_USER,
            "{:?}",
            entry.path()
        );
    }
}

async fn secrets_are_not_replaced_under_a_server(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let folder = TempDir::new().unwrap();
    let url = file(folder.path(), "url");
    fs::write(&url, database.url()).unwrap();
    let with_url = |arguments: &[&str]| {
        let mut command = crate::support::command(arguments);
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
        .with_password(crate::support::ADMIN, password, &Origin::default())
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
