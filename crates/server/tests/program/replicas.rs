//! Two servers on one database: what is revoked on one is refused by the other on the very next request, and what is
//! live never is.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::json;
use zenml_auth_testkit::databases::{Kind, fresh};
use zenml_auth_testkit::server::device_id;

use crate::support::{Client, Server, Watch, command, text};

/// How many revocations on each database; two databases make ten thousand.
const ROUNDS: u32 = 5_000;
/// How many take turns at revoking, each with people, machines and keys of their own.
const TESTERS: u32 = 4;
/// Hashing passwords is slow on purpose, so one round in so many changes one. It is odd, so that both servers get to.
const PASSWORD_EVERY: u32 = 51;

/// Both servers, as seen by one client.
struct Pair<'a>([&'a Server; 2]);

impl Pair<'_> {
    /// Where to revoke in this round, and where to look.
    fn of_round(&self, client: &Client, round: u32) -> (Client, Client) {
        let [one, other] = self.0;
        if round.is_multiple_of(2) {
            (client.at(one), client.at(other))
        } else {
            (client.at(other), client.at(one))
        }
    }
}

#[track_caller]
fn live(client: &Client, round: u32, what: &str) {
    assert_eq!(
        client.status(),
        200,
        "round {round}: {what} is live and was refused"
    );
}

#[track_caller]
fn revoked(client: &Client, round: u32, what: &str) {
    assert_eq!(
        client.status(),
        401,
        "round {round}: {what} is revoked and was accepted"
    );
}

/// A person with a machine, and a workload with a key.
struct Tester<'a> {
    admin: Client,
    /// Others use what is revoked all the time, on both servers.
    watch: &'a Watch,
    user: String,
    password: String,
    person: Client,
    device: String,
    device_token: String,
    account: String,
    key: String,
}

impl<'a> Tester<'a> {
    fn new(admin: &Client, watch: &'a Watch, number: u32) -> Self {
        let (user, account) = (format!("person-{number}"), format!("workload-{number}"));
        let password = format!("{}-0", crate::support::PASSWORD);
        let body = json!({"name": user, "password": password, "is_admin": false, "active": true});
        admin.ok("POST", "/api/v1/users", &body.to_string());
        let body = json!({"name": account, "active": true});
        admin.ok("POST", "/api/v1/service_accounts", &body.to_string());
        let mut tester = Self {
            admin: admin.clone(),
            watch,
            person: admin.signed_in(&user, &password),
            user,
            password,
            device: String::new(),
            device_token: String::new(),
            account,
            key: String::new(),
        };
        tester.make_key();
        tester.connect();
        tester
    }

    fn keys(&self) -> String {
        format!("/api/v1/service_accounts/{}/api_keys", self.account)
    }

    fn make_key(&mut self) {
        let made = self.admin.ok("POST", &self.keys(), r#"{"name": "key"}"#);
        self.key = text(&made, "/body/key");
    }

    /// Connects a machine, or connects it again.
    fn connect(&mut self) {
        let client = format!(
            "11111111-2222-4333-8444-{:0>12}",
            self.user.rsplit_once('-').unwrap().1
        );
        let asked = self.person.ok(
            "POST",
            "/api/v1/device_authorization",
            &format!("client_id={client}"),
        );
        let id = device_id(&asked);
        let body = json!({"user_code": asked["user_code"], "trusted_device": true});
        self.person
            .ok("PUT", &format!("/api/v1/devices/{id}/verify"), &body.to_string());
        let polling = crate::support::polling(&client, &text(&asked, "/device_code"));
        let granted = self.person.ok("POST", "/api/v1/login", &polling);
        self.device = text(&granted, "/device_id");
        self.device_token = text(&granted, "/access_token");
    }

    fn round(&mut self, servers: &Pair<'_>, round: u32) {
        self.watch.forget();
        if round % PASSWORD_EVERY == PASSWORD_EVERY - 1 {
            if (round / PASSWORD_EVERY).is_multiple_of(2) {
                self.change_the_password(servers, round);
            } else {
                self.deactivate_the_user(servers, round);
            }
            return;
        }
        match round % 7 {
            0 => self.lock_the_device(servers, round),
            1 => self.deactivate_the_key(servers, round),
            2 => self.deactivate_the_account(servers, round),
            3 => self.rotate_the_key(servers, round),
            4 => self.delete_the_key(servers, round),
            5 => self.delete_the_device(servers, round),
            _ => self.sign_out(servers, round),
        }
    }

    fn lock_the_device(&self, servers: &Pair<'_>, round: u32) {
        let (here, there) = servers.of_round(&self.person, round);
        let device = format!("/api/v1/devices/{}", self.device);
        let token = there.with(&self.device_token);
        live(&token, round, "a device");
        self.watch.revoking(&self.device_token, || {
            here.ok("PUT", &device, r#"{"locked": true}"#)
        });
        revoked(&token, round, "a locked device");
        self.watch.restoring(&self.device_token, || {
            there.ok("PUT", &device, r#"{"locked": false}"#)
        });
        live(&here.with(&self.device_token), round, "an unlocked device");
    }

    fn switch(&self, servers: &Pair<'_>, round: u32, path: &str, what: &str) {
        let (here, there) = servers.of_round(&self.admin, round);
        let signed_in = there.ok("POST", "/api/v1/login", &self.sign_in_form());
        let tokens = [self.key.clone(), text(&signed_in, "/access_token")];
        for token in &tokens {
            live(&there.with(token), round, what);
        }
        let watched = &tokens[(round / 7 % 2) as usize];
        self.watch
            .revoking(watched, || here.ok("PUT", path, r#"{"active": false}"#));
        for token in &tokens {
            revoked(&there.with(token), round, what);
        }
        self.watch
            .restoring(watched, || there.ok("PUT", path, r#"{"active": true}"#));
        for token in &tokens {
            live(&here.with(token), round, what);
        }
    }

    fn sign_in_form(&self) -> String {
        let key = self
            .key
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        format!("grant_type=zenml-api-key&password={key}")
    }

    fn deactivate_the_key(&self, servers: &Pair<'_>, round: u32) {
        self.switch(servers, round, &format!("{}/key", self.keys()), "a key");
    }

    fn deactivate_the_account(&self, servers: &Pair<'_>, round: u32) {
        let account = format!("/api/v1/service_accounts/{}", self.account);
        self.switch(servers, round, &account, "a key of an account");
    }

    fn rotate_the_key(&mut self, servers: &Pair<'_>, round: u32) {
        let (here, there) = servers.of_round(&self.admin, round);
        live(&there.with(&self.key), round, "a key");
        let rotate = format!("{}/key/rotate", self.keys());
        let rotated = self.watch.revoking(&self.key, || {
            here.ok("PUT", &rotate, r#"{"retain_period_minutes": 0}"#)
        });
        revoked(&there.with(&self.key), round, "a key that was rotated away");
        self.key = text(&rotated, "/body/key");
        live(&there.with(&self.key), round, "the new key");
    }

    fn delete_the_key(&mut self, servers: &Pair<'_>, round: u32) {
        let (here, there) = servers.of_round(&self.admin, round);
        live(&there.with(&self.key), round, "a key");
        self.watch.revoking(&self.key, || {
            here.ok("DELETE", &format!("{}/key", self.keys()), "")
        });
        revoked(&there.with(&self.key), round, "a deleted key");
        self.make_key();
        live(&there.with(&self.key), round, "a new key");
    }

    fn delete_the_device(&mut self, servers: &Pair<'_>, round: u32) {
        let (here, there) = servers.of_round(&self.person, round);
        live(&there.with(&self.device_token), round, "a device");
        self.watch.revoking(&self.device_token, || {
            here.ok("DELETE", &format!("/api/v1/devices/{}", self.device), "")
        });
        revoked(&there.with(&self.device_token), round, "a deleted device");
        self.connect();
        live(&there.with(&self.device_token), round, "a new device");
    }

    /// A device that signs out, and connects again.
    fn sign_out(&mut self, servers: &Pair<'_>, round: u32) {
        let (here, there) = servers.of_round(&self.person, round);
        self.watch.revoking(&self.device_token, || {
            here.with(&self.device_token).ok("GET", "/api/v1/logout", "")
        });
        revoked(&there.with(&self.device_token), round, "a device that signed out");
        self.connect();
        live(&there.with(&self.device_token), round, "a device that came back");
    }

    fn change_the_password(&mut self, servers: &Pair<'_>, round: u32) {
        let (here, there) = servers.of_round(&self.person, round);
        let new = format!("{}-{round}", crate::support::PASSWORD);
        let body = json!({"password": new, "old_password": self.password});
        self.watch.revoking(&self.device_token, || {
            here.ok("PUT", "/api/v1/current-user", &body.to_string())
        });
        revoked(&there, round, "a sign-in with the old password");
        revoked(&there.with(&self.device_token), round, "a device from before");
        self.come_back(&there, new);
    }

    fn deactivate_the_user(&mut self, servers: &Pair<'_>, round: u32) {
        let (here, there) = servers.of_round(&self.admin, round);
        let user = format!("/api/v1/users/{}", self.user);
        let deactivated = self.watch.revoking(&self.device_token, || {
            here.ok("PUT", &format!("{user}/deactivate"), "")
        });
        revoked(&there.with(&self.person.token), round, "a deactivated user");
        revoked(
            &there.with(&self.device_token),
            round,
            "a device of a deactivated user",
        );
        let new = format!("{}-{round}", crate::support::PASSWORD);
        let body = json!({
            "name": self.user,
            "password": new,
            "activation_token": text(&deactivated, "/body/activation_token"),
        });
        there
            .with("")
            .ok("PUT", &format!("{user}/activate"), &body.to_string());
        self.come_back(&there, new);
    }

    fn come_back(&mut self, there: &Client, password: String) {
        self.password = password;
        self.person = there.signed_in(&self.user, &self.password);
        self.connect();
    }
}

/// Uses live credentials on both servers until told to stop; none may ever be refused.
fn load(servers: &Pair<'_>, credentials: &[String], client: &Client, done: &AtomicBool) -> u64 {
    let mut asked = 0;
    while !done.load(Ordering::SeqCst) {
        for credential in credentials {
            for server in servers.0 {
                let status = client.at(server).with(credential).status();
                assert_eq!(status, 200, "a live credential was refused under load");
                asked += 1;
            }
        }
    }
    asked
}

fn revoke_again_and_again(settings: &[&str], log: &Path) {
    let servers = [
        Server::start_as(command(settings), log),
        Server::start_as(command(settings), log),
    ];
    let servers = Pair([&servers[0], &servers[1]]);
    let admin = servers.0[0].admin();
    let watches: Vec<Watch> = (0..TESTERS).map(|_| Watch::new()).collect();
    let mut testers: Vec<Tester<'_>> = (0..TESTERS)
        .zip(&watches)
        .map(|(number, watch)| Tester::new(&admin, watch, number))
        .collect();
    let unwatched = Watch::new();
    let bystander = Tester::new(&admin, &unwatched, TESTERS);
    let credentials = [
        bystander.device_token.clone(),
        bystander.key.clone(),
        bystander.person.token.clone(),
    ];
    let done = AtomicBool::new(false);
    let rounds = AtomicU64::new(0);
    thread::scope(|scope| {
        let loading = scope.spawn(|| load(&servers, &credentials, &admin, &done));
        let striking: Vec<_> = watches
            .iter()
            .flat_map(|watch| [(watch, 0), (watch, 1)])
            .map(|(watch, server)| {
                let (servers, done) = (servers.0, &done);
                scope.spawn(move || watch.strike_on(servers, server, done))
            })
            .collect();
        let testing: Vec<_> = testers
            .iter_mut()
            .map(|tester| {
                let (servers, rounds) = (&servers, &rounds);
                scope.spawn(move || {
                    for round in 0..ROUNDS / TESTERS {
                        tester.round(servers, round);
                        rounds.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        let outcomes: Vec<_> = testing.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::SeqCst);
        let asked = loading.join();
        for outcome in outcomes {
            outcome.unwrap();
        }
        assert!(asked.unwrap() > 0);
        for strikes in striking {
            let (let_in, refused) = strikes.join().unwrap();
            assert!(let_in > 0 && refused > 0);
        }
    });
    assert_eq!(rounds.into_inner(), u64::from(ROUNDS));
}

async fn on(kind: Kind) {
    let Some(database) = fresh(kind).await else { return };
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let written = log.clone();
    let revoking = tokio::task::spawn_blocking(move || {
        let settings = [
            "--database-url",
            &url,
            "--rate-limit=off",
            "--log-filter=warn",
            // A machine that stands still for a while is not what this is about.
            "--database-acquire-timeout=1m",
            "--database-connect-timeout=1m",
            "--database-statement-timeout=1m",
        ];
        revoke_again_and_again(&settings, &written);
    });
    if let Err(failed) = revoking.await {
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        panic!("{failed}\nthe servers said:\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    on(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mysql() {
    on(Kind::MySql).await;
}
