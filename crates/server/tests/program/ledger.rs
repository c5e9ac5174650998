//! What a server acknowledged, and whether it is so.

use serde_json::{Value, json};

use super::{Client, text};

/// An account with one key.
pub struct Known {
    name: String,
    key: String,
    /// `None` when an answer other than a success came: it may have been done or not.
    good: Option<bool>,
}

/// Keys that are good, and keys that were taken away.
#[derive(Default)]
pub struct Ledger {
    known: Vec<Known>,
    touched: usize,
    names: usize,
    /// How many changes were acknowledged.
    pub acknowledged: usize,
    /// Whether the disk may fail to be read, which SQLite takes for damage.
    pub may_be_unreadable: bool,
    /// The statuses of those that were not.
    pub refused: Vec<u16>,
}

const ACCOUNTS: &str = "/api/v1/service_accounts";

impl Ledger {
    /// Makes accounts with a key each, for which there has to be room.
    pub fn fill(&mut self, admin: &Client, count: usize) {
        for _ in 0..count {
            let known = self.known.len();
            assert!(self.add(admin), "{:?}", self.refused);
            assert!(self.known.len() > known);
        }
    }

    /// Tries to make an account and its key, which takes nothing away. Tells whether it was acknowledged.
    pub fn add(&mut self, admin: &Client) -> bool {
        self.names += 1;
        let name = format!("account-{}", self.names);
        let account = json!({"name": name, "active": true});
        if self.send(admin, "POST", ACCOUNTS, &account).is_none() {
            return false;
        }
        let keys = format!("{ACCOUNTS}/{name}/api_keys");
        let Some(key) = self.send(admin, "POST", &keys, &json!({"name": "key"})) else {
            return false;
        };
        self.known.push(Known {
            name,
            key: text(&key, "/body/key"),
            good: Some(true),
        });
        true
    }

    /// Tries to take the next key away, each time in another way. Tells whether it was acknowledged.
    pub fn take_away(&mut self, admin: &Client) -> bool {
        let index = self.touched;
        self.touched += 1;
        let account = format!("{ACCOUNTS}/{}", self.known[index].name);
        let key = format!("{account}/api_keys/key");
        // It is in use, so that it is in the server's memory.
        let before = admin.with(&self.known[index].key).status();
        let is_unread = self.may_be_unreadable && matches!(before, 500 | 503);
        assert!(
            before == 200 || is_unread,
            "{} is good: {before}",
            self.known[index].name
        );
        let done = match index % 5 {
            0 => self.send(admin, "PUT", &key, &json!({"active": false})),
            1 => self.send(admin, "DELETE", &key, &Value::Null),
            2 => self.send(admin, "DELETE", &account, &Value::Null),
            3 => self.send(
                admin,
                "PUT",
                &format!("{key}/rotate"),
                &json!({"retain_period_minutes": 0}),
            ),
            _ => self.send(admin, "PUT", &account, &json!({"active": false})),
        };
        self.known[index].good = done.as_ref().map(|_| false);
        done.is_some()
    }

    /// How many keys are left to take away.
    pub fn left(&self) -> usize {
        self.known.len() - self.touched
    }

    fn send(&mut self, admin: &Client, method: &str, path: &str, body: &Value) -> Option<Value> {
        let (status, answer) = admin.send(method, path, &body.to_string()).unwrap();
        if status == 200 {
            self.acknowledged += 1;
            return Some(answer);
        }
        assert!(
            matches!(status, 503 | 507) || (status == 500 && self.may_be_unreadable),
            "{method} {path}: {status} {answer}"
        );
        self.refused.push(status);
        None
    }

    /// Everything that was acknowledged is so.
    #[track_caller]
    pub fn check(&self, client: &Client, when: &str) {
        for known in &self.known {
            let Some(good) = known.good else { continue };
            let status = client.with(&known.key).status();
            let expected = if good { 200 } else { 401 };
            assert_eq!(status, expected, "{} {when}", known.name);
        }
    }
}
