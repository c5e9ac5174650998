//! What a server acknowledged, and whether it is so.

use serde_json::{Value, json};
use zenml_auth_testkit::server::device_id;

use super::{Browser, Client, PASSWORD, polling, text};

/// A way to take something away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    SwitchKeyOff,
    DeleteKey,
    DeleteAccount,
    RotateKey,
    SwitchAccountOff,
    LockDevice,
    DeleteDevice,
    SignDeviceOut,
    DeactivateUser,
    DeleteUser,
    ChangePassword,
    SignOut,
    SignBrowserOut,
}

impl Way {
    pub const ALL: &[Self] = &[
        Self::SwitchKeyOff,
        Self::DeleteKey,
        Self::DeleteAccount,
        Self::RotateKey,
        Self::SwitchAccountOff,
        Self::LockDevice,
        Self::DeleteDevice,
        Self::SignDeviceOut,
        Self::DeactivateUser,
        Self::DeleteUser,
        Self::ChangePassword,
        Self::SignOut,
        Self::SignBrowserOut,
    ];
    /// Those that are about accounts and their keys.
    pub const OF_KEYS: &[Self] = &[
        Self::SwitchKeyOff,
        Self::DeleteKey,
        Self::DeleteAccount,
        Self::RotateKey,
        Self::SwitchAccountOff,
    ];

    /// Whether something new comes in the place of what is taken away.
    pub const fn gives_another(self) -> bool {
        matches!(self, Self::RotateKey | Self::ChangePassword)
    }
}

/// Someone or something with a credential.
struct Known {
    name: String,
    /// Where the API has it.
    path: String,
    credential: Credential,
    /// How it is going to be taken away.
    way: Way,
    /// `None` when an answer other than a success came: it may have been done or not.
    good: Option<bool>,
}

#[derive(Clone)]
enum Credential {
    Bearer(String),
    Browser(Browser),
}

impl Credential {
    /// 200 while it is good, and 401 when it is not.
    fn status(&self, client: &Client) -> u16 {
        match self {
            Self::Bearer(token) => client.with(token).status(),
            Self::Browser(browser) => match browser.status(client) {
                303 => 401,
                status => status,
            },
        }
    }
}

/// Credentials that are good, and credentials that were taken away.
pub struct Ledger {
    ways: &'static [Way],
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
const DEVICES: &str = "/api/v1/devices";
const USERS: &str = "/api/v1/users";
const LOGIN: &str = "/api/v1/login";

impl Ledger {
    /// One whose credentials are taken away in these ways, in turn.
    pub const fn of(ways: &'static [Way]) -> Self {
        Self {
            ways,
            known: Vec::new(),
            touched: 0,
            names: 0,
            acknowledged: 0,
            may_be_unreadable: false,
            refused: Vec::new(),
        }
    }

    /// Makes so many credentials, for which there has to be room.
    pub fn fill(&mut self, admin: &Client, count: usize) {
        for _ in 0..count {
            let known = self.known.len();
            assert!(self.add(admin), "{:?}", self.refused);
            assert!(self.known.len() > known);
        }
    }

    /// Tries to make another credential, which takes nothing away. Tells whether it was acknowledged.
    pub fn add(&mut self, admin: &Client) -> bool {
        let way = self.ways[self.names % self.ways.len()];
        self.names += 1;
        let name = format!("name-{}", self.names);
        let made = match way {
            Way::SwitchKeyOff
            | Way::DeleteKey
            | Way::DeleteAccount
            | Way::RotateKey
            | Way::SwitchAccountOff => self.add_key(admin, &name),
            Way::LockDevice | Way::DeleteDevice | Way::SignDeviceOut => self.add_device(admin),
            Way::DeactivateUser
            | Way::DeleteUser
            | Way::ChangePassword
            | Way::SignOut
            | Way::SignBrowserOut => self.add_user(admin, &name, way),
        };
        let Some((path, credential)) = made else {
            return false;
        };
        self.known.push(Known {
            name,
            path,
            credential,
            way,
            good: Some(true),
        });
        true
    }

    /// An account with one key.
    fn add_key(&mut self, admin: &Client, name: &str) -> Option<(String, Credential)> {
        self.send(admin, "POST", ACCOUNTS, &json!({"name": name, "active": true}))?;
        let path = format!("{ACCOUNTS}/{name}");
        let key = self.send(
            admin,
            "POST",
            &format!("{path}/api_keys"),
            &json!({"name": "key"}),
        )?;
        Some((path, Credential::Bearer(text(&key, "/body/key"))))
    }

    /// A device of the administrator's.
    fn add_device(&mut self, admin: &Client) -> Option<(String, Credential)> {
        let client = format!("11111111-2222-4333-8444-{:012}", self.names);
        let form = format!("client_id={client}");
        let asked = self.exchange(admin, "POST", "/api/v1/device_authorization", &form)?;
        let path = format!("{DEVICES}/{}", device_id(&asked));
        let approval = json!({"user_code": asked["user_code"], "trusted_device": true});
        self.send(admin, "PUT", &format!("{path}/verify"), &approval)?;
        let form = polling(&client, &text(&asked, "/device_code"));
        let granted = self.exchange(admin, "POST", LOGIN, &form)?;
        Some((path, Credential::Bearer(text(&granted, "/access_token"))))
    }

    /// A user who signed in.
    fn add_user(&mut self, admin: &Client, name: &str, way: Way) -> Option<(String, Credential)> {
        let user = json!({"name": name, "is_admin": false, "active": true, "password": PASSWORD});
        let user = self.send(admin, "POST", USERS, &user)?;
        let path = format!("{USERS}/{}", text(&user, "/id"));
        let credential = if way == Way::SignBrowserOut {
            let signed_in = Browser::sign_in(admin, name, PASSWORD);
            Credential::Browser(signed_in.map_err(|status| self.refuse(status, "/login")).ok()?)
        } else {
            let form = format!("username={name}&password={PASSWORD}");
            let signed_in = self.exchange(admin, "POST", LOGIN, &form)?;
            Credential::Bearer(text(&signed_in, "/access_token"))
        };
        Some((path, credential))
    }

    /// How the next one is going to be taken away.
    pub fn next_way(&self) -> Way {
        self.known[self.touched].way
    }

    /// Tries to take the next one away. Tells whether it was acknowledged.
    pub fn take_away(&mut self, admin: &Client) -> bool {
        let index = self.touched;
        self.touched += 1;
        let known = &self.known[index];
        // It is in use, so that it is in the server's memory.
        let before = known.credential.status(admin);
        let is_unread = self.may_be_unreadable && matches!(before, 500 | 503);
        assert!(before == 200 || is_unread, "{} is good: {before}", known.name);
        let (way, path, credential) = (known.way, known.path.clone(), known.credential.clone());
        let key = format!("{path}/api_keys/key");
        let done = match credential {
            Credential::Browser(browser) => {
                let status = browser.sign_out(admin);
                if status == 303 {
                    self.acknowledged += 1;
                    true
                } else {
                    self.refuse(status, "/logout");
                    false
                }
            }
            Credential::Bearer(token) => {
                let own = admin.with(&token);
                let nothing = Value::Null;
                let (client, method, path, body) = match way {
                    Way::SwitchKeyOff => (admin, "PUT", key, json!({"active": false})),
                    Way::DeleteKey => (admin, "DELETE", key, nothing),
                    Way::RotateKey => {
                        let body = json!({"retain_period_minutes": 0});
                        (admin, "PUT", format!("{key}/rotate"), body)
                    }
                    Way::SwitchAccountOff => (admin, "PUT", path, json!({"active": false})),
                    Way::LockDevice => (admin, "PUT", path, json!({"locked": true})),
                    Way::DeactivateUser => (admin, "PUT", format!("{path}/deactivate"), json!({})),
                    Way::DeleteAccount | Way::DeleteDevice | Way::DeleteUser => {
                        (admin, "DELETE", path, nothing)
                    }
                    Way::ChangePassword => {
                        let body = json!({"password": "correct horse battery", "old_password": PASSWORD});
                        (&own, "PUT", "/api/v1/current-user".to_owned(), body)
                    }
                    Way::SignDeviceOut | Way::SignOut | Way::SignBrowserOut => {
                        (&own, "POST", "/api/v1/logout".to_owned(), nothing)
                    }
                };
                self.send(client, method, &path, &body).is_some()
            }
        };
        self.known[index].good = done.then_some(false);
        done
    }

    fn send(&mut self, client: &Client, method: &str, path: &str, body: &Value) -> Option<Value> {
        self.exchange(client, method, path, &body.to_string())
    }

    fn exchange(&mut self, client: &Client, method: &str, path: &str, body: &str) -> Option<Value> {
        let (status, answer) = client.send(method, path, body).unwrap();
        if status == 200 {
            self.acknowledged += 1;
            return Some(answer);
        }
        self.refuse(status, &format!("{method} {path}: {answer}"));
        None
    }

    fn refuse(&mut self, status: u16, what: &str) {
        assert!(
            matches!(status, 503 | 507) || (status == 500 && self.may_be_unreadable),
            "{what}: {status}"
        );
        self.refused.push(status);
    }

    /// Everything that was acknowledged is so.
    #[track_caller]
    pub fn check(&self, client: &Client, when: &str) {
        for known in &self.known {
            let Some(good) = known.good else { continue };
            let status = known.credential.status(client);
            let expected = if good { 200 } else { 401 };
            assert_eq!(status, expected, "{} {:?} {when}", known.name, known.way);
        }
    }
}
