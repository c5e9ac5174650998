//! Random sequences of every operation, with the clock moving at random, against a simple model.
//!
//! The model knows when a credential should be good. After each step, every token and every key value that was
//! ever made is shown to the engine, and both have to agree: no token after denied, locked, deleted, expired or
//! deactivated; at most two live values per key; one exchange per code; and nothing that an anonymous caller does
//! changes a device that exists.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use zenml_auth_core::caller::Caller;
use zenml_auth_core::lookup::By;
use zenml_auth_core::rules::api_key::Retention;
use zenml_auth_core::services::{
    ApiKeyChanges, NewApiKey, NewServiceAccount, Presented, ServiceAccountChanges, UserChanges, UserCode,
};
use zenml_auth_core::settings::Lifetimes;
use zenml_auth_model::query::Query;
use zenml_auth_model::{
    ApiKeyId, Device, DeviceId, GrantId, Secret, ServiceAccountId, Text, Timestamp, User,
};

use crate::common::{PASSWORD, World, client, name, origin, traits};

const PEOPLE: usize = 2;
const CLIENTS: usize = 2;

#[derive(Debug, Clone)]
enum Step {
    Wait(Duration),
    Tidy,
    Request {
        client: usize,
    },
    Poll {
        grant: usize,
    },
    PollWithWrongCode {
        client: usize,
    },
    Approve {
        grant: usize,
        person: usize,
        trusted: bool,
        right_code: bool,
    },
    Deny {
        grant: usize,
        person: usize,
    },
    /// All the way, as most people go it.
    Connect {
        client: usize,
        person: usize,
        trusted: bool,
    },
    SetLocked {
        device: usize,
        person: usize,
        locked: bool,
    },
    DeleteDevice {
        device: usize,
        person: usize,
    },
    SignIn {
        person: usize,
    },
    SignOut {
        token: usize,
    },
    ChangePassword {
        person: usize,
    },
    SetPersonActive {
        person: usize,
        active: bool,
    },
    CreateAccount,
    SetAccountActive {
        account: usize,
        active: bool,
    },
    DeleteAccount {
        account: usize,
    },
    CreateKey {
        account: usize,
        expires_in: Option<Duration>,
    },
    Rotate {
        key: usize,
        minutes: u32,
    },
    SetKeyActive {
        key: usize,
        active: bool,
    },
    DeleteKey {
        key: usize,
    },
    SignInWithKey {
        value: usize,
    },
    MakeApiToken {
        token: usize,
    },
    /// With any token that was ever made.
    ApproveWith {
        grant: usize,
        token: usize,
        trusted: bool,
    },
    /// The same.
    UnlockWith {
        device: usize,
        token: usize,
    },
}

fn some_time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        4 => (0_u64..10_000_000).prop_map(Duration::from_micros),
        3 => (1_u64..600).prop_map(Duration::from_secs),
        2 => (1_u64..48).prop_map(|hours| Duration::from_secs(3600 * hours)),
        1 => (1_u64..40).prop_map(|days| Duration::from_secs(86_400 * days)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    // The latest things are the likeliest to be used again, as steps that meet tell more than steps that don't.
    let index = prop_oneof![5 => 0_usize..2, 1 => 0_usize..64];
    let (person, account_active) = (0..PEOPLE, any::<bool>());
    prop_oneof![
        6 => some_time().prop_map(Step::Wait),
        1 => Just(Step::Tidy),
        5 => (0..CLIENTS).prop_map(|client| Step::Request { client }),
        8 => index.clone().prop_map(|grant| Step::Poll { grant }),
        1 => (0..CLIENTS).prop_map(|client| Step::PollWithWrongCode { client }),
        7 => (index.clone(), person.clone(), any::<bool>(), prop::bool::weighted(0.6)).prop_map(
            |(grant, person, trusted, right_code)| Step::Approve { grant, person, trusted, right_code }
        ),
        1 => (index.clone(), person.clone()).prop_map(|(grant, person)| Step::Deny { grant, person }),
        6 => (0..CLIENTS, person.clone(), any::<bool>())
            .prop_map(|(client, person, trusted)| Step::Connect { client, person, trusted }),
        3 => (index.clone(), person.clone(), prop::bool::weighted(0.6))
            .prop_map(|(device, person, locked)| Step::SetLocked { device, person, locked }),
        1 => (index.clone(), person.clone()).prop_map(|(device, person)| Step::DeleteDevice { device, person }),
        2 => person.clone().prop_map(|person| Step::SignIn { person }),
        1 => index.clone().prop_map(|token| Step::SignOut { token }),
        1 => person.clone().prop_map(|person| Step::ChangePassword { person }),
        2 => (person, prop::bool::weighted(0.7)).prop_map(|(person, active)| Step::SetPersonActive { person, active }),
        1 => Just(Step::CreateAccount),
        2 => (index.clone(), account_active)
            .prop_map(|(account, active)| Step::SetAccountActive { account, active }),
        1 => index.clone().prop_map(|account| Step::DeleteAccount { account }),
        3 => (index.clone(), prop::option::weighted(0.2, some_time()))
            .prop_map(|(account, expires_in)| Step::CreateKey { account, expires_in }),
        4 => (index.clone(), prop_oneof![Just(0_u32), 1_u32..120])
            .prop_map(|(key, minutes)| Step::Rotate { key, minutes }),
        2 => (index.clone(), any::<bool>()).prop_map(|(key, active)| Step::SetKeyActive { key, active }),
        1 => index.clone().prop_map(|key| Step::DeleteKey { key }),
        4 => index.clone().prop_map(|value| Step::SignInWithKey { value }),
        2 => index.clone().prop_map(|token| Step::MakeApiToken { token }),
        4 => (index.clone(), index.clone(), any::<bool>())
            .prop_map(|(grant, token, trusted)| Step::ApproveWith { grant, token, trusted }),
        2 => (index.clone(), index).prop_map(|(device, token)| Step::UnlockWith { device, token }),
    ]
}

/// What the model knows of a person.
struct Person {
    user: User,
    /// As they were in the beginning; enough to look at devices.
    caller: Caller,
    active: bool,
    /// Counts what ends all of their credentials.
    era: u32,
}

enum GrantFate {
    Pending { wrong_codes: u32 },
    Approved { person: usize, era: u32, trusted: bool },
    Over,
}

struct Grant {
    id: GrantId,
    client: usize,
    device_code: Secret,
    user_code: Secret,
    expires: Timestamp,
    fate: GrantFate,
}

struct Connected {
    id: DeviceId,
    locked: bool,
    expires: Timestamp,
    connections: u32,
}

/// What a token was made from.
#[derive(Clone)]
enum Made {
    Device {
        person: usize,
        era: u32,
        client: usize,
        device: DeviceId,
        connection: u32,
    },
    ApiKey {
        key: usize,
        generation: usize,
    },
    Password {
        person: usize,
        era: u32,
        session: usize,
    },
}

struct Token {
    text: Secret,
    made: Made,
    /// When the person proved who they are, if this is the token of the sign-in itself.
    signed_in: Option<Timestamp>,
    expires: Timestamp,
}

struct ServiceAccount {
    id: ServiceAccountId,
    active: bool,
    exists: bool,
}

struct Key {
    id: ApiKeyId,
    account: usize,
    active: bool,
    exists: bool,
    expires: Option<Timestamp>,
    /// Every value it ever had, with the time at which it ends, if that is known.
    values: Vec<(Secret, Option<Timestamp>)>,
}

struct Session {
    ended: bool,
    expires: Timestamp,
}

struct Model {
    world: World,
    lifetimes: Lifetimes,
    people: Vec<Person>,
    grants: Vec<Grant>,
    devices: BTreeMap<(usize, usize), Connected>,
    tokens: Vec<Token>,
    accounts: Vec<ServiceAccount>,
    keys: Vec<Key>,
    sessions: Vec<Session>,
}

fn pick<T>(items: &[T], index: usize) -> Option<usize> {
    (!items.is_empty()).then(|| items.len() - 1 - index % items.len())
}

impl Model {
    async fn new() -> Self {
        let world = World::unlimited(7).await;
        let mut people = Vec::new();
        for person in 0..PEOPLE {
            let user = world.add_user(&format!("person-{person}"), false).await;
            people.push(Person {
                caller: world.sign_in(user.name.as_str()).await,
                user,
                active: true,
                era: 0,
            });
        }
        Self {
            world,
            lifetimes: Lifetimes::default(),
            people,
            grants: Vec::new(),
            devices: BTreeMap::new(),
            tokens: Vec::new(),
            accounts: Vec::new(),
            keys: Vec::new(),
            sessions: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        self.world.engine.now()
    }

    /// A person who signs in just now, if they can.
    async fn person(&self, person: usize) -> Option<Caller> {
        let name = self.people[person].user.name.as_str();
        let caller = self.world.try_to_sign_in(name).await;
        assert_eq!(caller.is_some(), self.people[person].active);
        caller
    }

    async fn all_devices(&self) -> Vec<Device> {
        let mut all = Vec::new();
        for person in &self.people {
            let devices = self.world.engine.devices();
            let listed = devices.list(&person.caller, &Query::default()).await;
            all.extend(listed.unwrap().items);
        }
        all
    }

    fn admits(&self, token: &Token) -> bool {
        let now = self.now();
        if now >= token.expires {
            return false;
        }
        match &token.made {
            Made::Device {
                person,
                era,
                client,
                device,
                connection,
            } => {
                let owner = &self.people[*person];
                let connected = self.devices.get(&(*client, *person));
                owner.active
                    && owner.era == *era
                    && connected.is_some_and(|connected| {
                        connected.id == *device
                            && !connected.locked
                            && now < connected.expires
                            && connected.connections == *connection
                    })
            }
            Made::ApiKey { key, generation } => self.admits_value(*key, *generation),
            Made::Password { person, era, session } => {
                let owner = &self.people[*person];
                let session = &self.sessions[*session];
                owner.active && owner.era == *era && !session.ended && now < session.expires
            }
        }
    }

    fn admits_value(&self, key: usize, generation: usize) -> bool {
        let now = self.now();
        let key = &self.keys[key];
        let account = &self.accounts[key.account];
        let (_, ends) = &key.values[generation];
        account.exists
            && account.active
            && key.exists
            && key.active
            && key.expires.is_none_or(|expires| now < expires)
            && ends.is_none_or(|ends| now < ends)
    }

    async fn take(&mut self, step: &Step) -> Result<(), TestCaseError> {
        let engine = self.world.engine.clone();
        let operator = Caller::operator();
        match *step {
            Step::Wait(time) => self.world.clock.advance(time),
            Step::Tidy => {
                engine.maintenance().rotate_signing_key_if_due().await.unwrap();
                engine.maintenance().tidy_up(100).await.unwrap();
                engine.maintenance().flush_uses().await.unwrap();
            }
            Step::Connect {
                client,
                person,
                trusted,
            } => {
                Box::pin(self.take(&Step::Request { client })).await?;
                let newest = self.grants.len() - 1;
                self.approve(newest, person, trusted, true).await?;
                self.poll(newest).await?;
            }
            Step::Request { client: number } => {
                let before = self.all_devices().await;
                let asked = client(u8::try_from(number).unwrap());
                let made = engine
                    .device_flow()
                    .request(asked, traits("laptop"), &origin())
                    .await
                    .unwrap();
                prop_assert_eq!(
                    self.all_devices().await,
                    before,
                    "an anonymous request changed a device"
                );
                self.grants.push(Grant {
                    id: made.id,
                    client: number,
                    device_code: made.device_code,
                    user_code: made.user_code,
                    expires: self.now() + self.lifetimes.device_grant,
                    fate: GrantFate::Pending { wrong_codes: 0 },
                });
            }
            Step::Poll { grant } => {
                if let Some(grant) = pick(&self.grants, grant) {
                    self.poll(grant).await?;
                }
            }
            Step::PollWithWrongCode { client: number } => {
                let before = self.all_devices().await;
                let asked = client(u8::try_from(number).unwrap());
                let polled = engine
                    .device_flow()
                    .poll(asked, &Secret::new("00ff"), &origin())
                    .await;
                prop_assert!(polled.is_err());
                prop_assert_eq!(
                    self.all_devices().await,
                    before,
                    "an anonymous poll changed a device"
                );
            }
            Step::Approve {
                grant,
                person,
                trusted,
                right_code,
            } => {
                if let Some(grant) = pick(&self.grants, grant) {
                    self.approve(grant, person, trusted, right_code).await?;
                }
            }
            Step::Deny { grant, person } => {
                let Some(grant) = pick(&self.grants, grant) else {
                    return Ok(());
                };
                let Some(caller) = self.person(person).await else {
                    return Ok(());
                };
                let now = self.now();
                let grant = &mut self.grants[grant];
                let code = UserCode::typed(grant.user_code.expose());
                let denied = engine.device_flow().deny(&caller, grant.id, &code).await;
                let pending = now < grant.expires && matches!(grant.fate, GrantFate::Pending { .. });
                prop_assert_eq!(denied.is_ok(), pending);
                if pending {
                    grant.fate = GrantFate::Over;
                }
            }
            Step::SetLocked {
                device,
                person,
                locked,
            } => {
                let Some(caller) = self.person(person).await else {
                    return Ok(());
                };
                let keys: Vec<_> = self.devices.keys().copied().collect();
                let Some(at) = pick(&keys, device) else {
                    return Ok(());
                };
                let (_, owner) = keys[at];
                let known = self.devices.get_mut(&keys[at]).unwrap();
                let done = engine.devices().set_locked(&caller, known.id, locked).await;
                prop_assert_eq!(done.is_ok(), owner == person, "devices are their owner's alone");
                if done.is_ok() {
                    known.locked = locked;
                }
            }
            Step::DeleteDevice { device, person } => {
                let Some(caller) = self.person(person).await else {
                    return Ok(());
                };
                let keys: Vec<_> = self.devices.keys().copied().collect();
                let Some(at) = pick(&keys, device) else {
                    return Ok(());
                };
                let (_, owner) = keys[at];
                let done = engine.devices().delete(&caller, self.devices[&keys[at]].id).await;
                prop_assert_eq!(done.is_ok(), owner == person, "devices are their owner's alone");
                if done.is_ok() {
                    self.devices.remove(&keys[at]);
                }
            }
            Step::SignIn { person } => {
                let known = &self.people[person];
                let signed_in = engine
                    .sign_in()
                    .with_password(known.user.name.as_str(), Secret::new(PASSWORD), &origin())
                    .await;
                prop_assert_eq!(signed_in.is_ok(), known.active);
                if let Ok(token) = signed_in {
                    let expires = self.now() + self.lifetimes.access_token;
                    self.sessions.push(Session {
                        ended: false,
                        expires,
                    });
                    let session = self.sessions.len() - 1;
                    let made = Made::Password {
                        person,
                        era: self.people[person].era,
                        session,
                    };
                    self.keep(token.token, made, expires);
                    self.tokens.last_mut().unwrap().signed_in = Some(self.now());
                }
            }
            Step::SignOut { token } => self.sign_out(token).await,
            Step::ChangePassword { person } => {
                let Some(caller) = self.person(person).await else {
                    return Ok(());
                };
                let own = By::Id(self.people[person].user.id);
                let changes = UserChanges {
                    password: Some(Secret::new(PASSWORD)),
                    old_password: Some(Secret::new(PASSWORD)),
                    ..UserChanges::default()
                };
                engine.users().update(&caller, &own, &changes).await.unwrap();
                self.people[person].era += 1;
            }
            Step::SetPersonActive { person, active } => {
                let known = &mut self.people[person];
                let changes = UserChanges {
                    active: Some(active),
                    ..UserChanges::default()
                };
                engine
                    .users()
                    .update(&operator, &By::Id(known.user.id), &changes)
                    .await
                    .unwrap();
                if known.active && !active {
                    known.era += 1;
                }
                known.active = active;
            }
            Step::CreateAccount => {
                if self.accounts.len() < 4 {
                    let new = NewServiceAccount {
                        name: name(&format!("account-{}", self.accounts.len())),
                        full_name: Text::default(),
                        description: Text::default(),
                        avatar_url: None,
                        active: true,
                    };
                    let id = engine.service_accounts().create(&operator, new).await.unwrap().id;
                    self.accounts.push(ServiceAccount {
                        id,
                        active: true,
                        exists: true,
                    });
                }
            }
            Step::SetAccountActive { account, active } => {
                let Some(at) = pick(&self.accounts, account) else {
                    return Ok(());
                };
                let known = &mut self.accounts[at];
                let changes = ServiceAccountChanges {
                    active: Some(active),
                    ..ServiceAccountChanges::default()
                };
                let done = engine
                    .service_accounts()
                    .update(&operator, &By::Id(known.id), &changes)
                    .await;
                prop_assert_eq!(done.is_ok(), known.exists);
                known.active = active;
            }
            Step::DeleteAccount { account } => {
                let Some(at) = pick(&self.accounts, account) else {
                    return Ok(());
                };
                let known = &mut self.accounts[at];
                let done = engine
                    .service_accounts()
                    .delete(&operator, &By::Id(known.id))
                    .await;
                prop_assert_eq!(done.is_ok(), known.exists);
                known.exists = false;
            }
            Step::CreateKey { account, expires_in } => {
                let Some(account) = pick(&self.accounts, account) else {
                    return Ok(());
                };
                let expires = expires_in.map(|time| self.now() + time);
                let new = NewApiKey {
                    name: name(&format!("key-{}", self.keys.len())),
                    description: Text::default(),
                    expires,
                };
                let by = By::Id(self.accounts[account].id);
                let made = engine.api_keys().create(&operator, &by, new).await;
                let possible =
                    self.accounts[account].exists && expires.is_none_or(|expires| expires > self.now());
                prop_assert_eq!(made.is_ok(), possible);
                if let Ok(made) = made {
                    self.keys.push(Key {
                        id: made.key.id,
                        account,
                        active: true,
                        exists: true,
                        expires,
                        values: vec![(made.value, None)],
                    });
                }
            }
            Step::Rotate { key, minutes } => {
                let Some(at) = pick(&self.keys, key) else {
                    return Ok(());
                };
                let now = self.now();
                let account = By::Id(self.accounts[self.keys[at].account].id);
                let account_exists = self.accounts[self.keys[at].account].exists;
                let key = &mut self.keys[at];
                let retention = Retention::from_minutes(i64::from(minutes)).unwrap();
                let done = engine
                    .api_keys()
                    .rotate(&operator, &account, &By::Id(key.id), retention)
                    .await;
                let expired = key.expires.is_some_and(|expires| now >= expires);
                prop_assert_eq!(done.is_ok(), account_exists && key.exists && !expired);
                if let Ok(rotated) = done {
                    let until = now + Duration::from_secs(60 * u64::from(minutes));
                    let current = key.values.len() - 1;
                    for (at, (_, ends)) in key.values.iter_mut().enumerate() {
                        // What was retained before ends now; what was current is retained.
                        *ends = Some(if at == current {
                            until
                        } else {
                            ends.unwrap_or(now).min(now)
                        });
                    }
                    key.values.push((rotated.value, None));
                }
            }
            Step::SetKeyActive { key, active } => {
                let Some(at) = pick(&self.keys, key) else {
                    return Ok(());
                };
                let account = &self.accounts[self.keys[at].account];
                let (by, possible) = (By::Id(account.id), account.exists && self.keys[at].exists);
                let changes = ApiKeyChanges {
                    active: Some(active),
                    ..ApiKeyChanges::default()
                };
                let done = engine
                    .api_keys()
                    .update(&operator, &by, &By::Id(self.keys[at].id), &changes)
                    .await;
                prop_assert_eq!(done.is_ok(), possible);
                self.keys[at].active = active;
            }
            Step::DeleteKey { key } => {
                let Some(at) = pick(&self.keys, key) else {
                    return Ok(());
                };
                let account = &self.accounts[self.keys[at].account];
                let (by, possible) = (By::Id(account.id), account.exists && self.keys[at].exists);
                let done = engine
                    .api_keys()
                    .delete(&operator, &by, &By::Id(self.keys[at].id))
                    .await;
                prop_assert_eq!(done.is_ok(), possible);
                self.keys[at].exists = false;
            }
            Step::SignInWithKey { value } => {
                let all: Vec<_> = self
                    .keys
                    .iter()
                    .enumerate()
                    .flat_map(|(key, known)| (0..known.values.len()).map(move |value| (key, value)))
                    .collect();
                let Some(at) = pick(&all, value) else {
                    return Ok(());
                };
                let (key, generation) = all[at];
                let known = &self.keys[key];
                let (secret, ends) = &known.values[generation];
                let signed_in = engine.sign_in().with_api_key(known.id, secret, &origin()).await;
                prop_assert_eq!(signed_in.is_ok(), self.admits_value(key, generation));
                if let Ok(token) = signed_in {
                    let latest = self.now() + self.lifetimes.access_token;
                    let expires = [*ends, known.expires]
                        .into_iter()
                        .flatten()
                        .fold(latest, Timestamp::min);
                    self.keep(token.token, Made::ApiKey { key, generation }, expires);
                }
            }
            Step::MakeApiToken { token } => {
                let Some(at) = pick(&self.tokens, token) else {
                    return Ok(());
                };
                let Some(caller) = self.world.caller(&self.tokens[at].text).await else {
                    return Ok(());
                };
                let asked = self.lifetimes.max_api_token;
                let made = engine.api_tokens().issue(&caller, Some(asked)).await.unwrap();
                let latest = self.now() + asked;
                // No token outlives the one that asked for it.
                let expires = self.tokens[at].expires.min(latest);
                let from = self.tokens[at].made.clone();
                self.keep(made.token, from, expires);
            }
            Step::ApproveWith {
                grant,
                token,
                trusted,
            } => self.approve_with(grant, token, trusted).await?,
            Step::UnlockWith { device, token } => self.unlock_with(device, token).await?,
        }
        Ok(())
    }

    /// Whose token it is, if it is good and a person's; and whether it is one that may give something.
    async fn holder(&self, at: usize) -> Option<(Caller, usize, bool)> {
        let token = &self.tokens[at];
        let caller = self.world.caller(&token.text).await?;
        let window = self.lifetimes.recent_sign_in;
        let is_recent = token.signed_in.is_some_and(|at| self.now() < at + window);
        match token.made {
            Made::Device { person, .. } | Made::Password { person, .. } => Some((caller, person, is_recent)),
            Made::ApiKey { .. } => None,
        }
    }

    /// Only the token of a recent sign-in approves, so that no credential leads to one that outlives its revocation.
    async fn approve_with(&mut self, grant: usize, token: usize, trusted: bool) -> Result<(), TestCaseError> {
        let (Some(at), Some(token)) = (pick(&self.grants, grant), pick(&self.tokens, token)) else {
            return Ok(());
        };
        let Some((caller, person, is_recent)) = self.holder(token).await else {
            return Ok(());
        };
        let (now, era) = (self.now(), self.people[person].era);
        let grant = &mut self.grants[at];
        let locked = self
            .devices
            .get(&(grant.client, person))
            .is_some_and(|known| known.locked);
        let code = UserCode::typed(grant.user_code.expose());
        let flow = self.world.engine.device_flow();
        let approved = flow.approve(&caller, grant.id, &code, trusted).await;
        let pending = now < grant.expires && matches!(grant.fate, GrantFate::Pending { .. });
        prop_assert_eq!(
            approved.is_ok(),
            is_recent && pending && !locked,
            "{:?}",
            approved
        );
        if approved.is_ok() {
            grant.fate = GrantFate::Approved { person, era, trusted };
        }
        Ok(())
    }

    async fn unlock_with(&mut self, device: usize, token: usize) -> Result<(), TestCaseError> {
        let keys: Vec<_> = self.devices.keys().copied().collect();
        let (Some(at), Some(token)) = (pick(&keys, device), pick(&self.tokens, token)) else {
            return Ok(());
        };
        let Some((caller, person, is_recent)) = self.holder(token).await else {
            return Ok(());
        };
        let (_, owner) = keys[at];
        let known = self.devices.get_mut(&keys[at]).unwrap();
        let done = self
            .world
            .engine
            .devices()
            .set_locked(&caller, known.id, false)
            .await;
        prop_assert_eq!(done.is_ok(), owner == person && is_recent, "{:?}", done);
        if done.is_ok() {
            known.locked = false;
        }
        Ok(())
    }

    fn keep(&mut self, text: Secret, made: Made, expires: Timestamp) {
        self.tokens.push(Token {
            text,
            made,
            signed_in: None,
            expires: Timestamp::from_secs(expires.as_secs()),
        });
    }

    async fn poll(&mut self, at: usize) -> Result<(), TestCaseError> {
        let before = self.all_devices().await;
        let now = self.now();
        let grant = &self.grants[at];
        let asked = client(u8::try_from(grant.client).unwrap());
        let polled = self
            .world
            .engine
            .device_flow()
            .poll(asked, &grant.device_code, &origin())
            .await;
        let expected = match grant.fate {
            GrantFate::Approved { person, era, trusted } if now < grant.expires => {
                let owner = &self.people[person];
                let locked = self
                    .devices
                    .get(&(grant.client, person))
                    .is_some_and(|known| known.locked);
                (owner.active && owner.era == era && !locked).then_some((person, era, trusted))
            }
            _ => None,
        };
        prop_assert_eq!(polled.is_ok(), expected.is_some(), "{:?}", polled.err());
        let (Ok(token), Some((person, era, trusted))) = (polled, expected) else {
            prop_assert_eq!(
                self.all_devices().await,
                before,
                "a poll without a token changed a device"
            );
            return Ok(());
        };
        let expires = now + self.lifetimes.device(trusted);
        let id = grant.id.into_device_id();
        let client = grant.client;
        let connected = self.devices.entry((client, person)).or_insert(Connected {
            id,
            locked: false,
            expires,
            connections: 0,
        });
        connected.expires = expires;
        connected.connections += 1;
        prop_assert_eq!(
            token.device,
            Some(connected.id),
            "the same person on the same client keeps the id"
        );
        let made = Made::Device {
            person,
            era,
            client,
            device: connected.id,
            connection: connected.connections,
        };
        self.grants[at].fate = GrantFate::Over;
        self.keep(token.token, made, expires);
        Ok(())
    }

    async fn approve(
        &mut self,
        at: usize,
        person: usize,
        trusted: bool,
        right_code: bool,
    ) -> Result<(), TestCaseError> {
        let Some(caller) = self.person(person).await else {
            return Ok(());
        };
        let now = self.now();
        let era = self.people[person].era;
        let grant = &mut self.grants[at];
        let typed = if right_code {
            grant.user_code.expose()
        } else {
            "BBBB-BBBB"
        };
        let locked = self
            .devices
            .get(&(grant.client, person))
            .is_some_and(|known| known.locked);
        let approved = self
            .world
            .engine
            .device_flow()
            .approve(&caller, grant.id, &UserCode::typed(typed), trusted)
            .await;
        let pending = now < grant.expires && matches!(grant.fate, GrantFate::Pending { .. });
        prop_assert_eq!(approved.is_ok(), pending && right_code && !locked);
        if approved.is_ok() {
            grant.fate = GrantFate::Approved { person, era, trusted };
        } else if let GrantFate::Pending { wrong_codes } = &mut grant.fate
            && pending
            && !right_code
        {
            *wrong_codes += 1;
            if *wrong_codes == 3 {
                grant.fate = GrantFate::Over;
            }
        }
        Ok(())
    }

    async fn sign_out(&mut self, token: usize) {
        let Some(at) = pick(&self.tokens, token) else {
            return;
        };
        let Some(caller) = self.world.caller(&self.tokens[at].text).await else {
            return;
        };
        self.world.engine.sign_in().out(&caller).await.unwrap();
        match self.tokens[at].made {
            Made::Device { person, client, .. } => {
                self.devices.get_mut(&(client, person)).unwrap().connections += 1;
            }
            Made::Password { session, .. } => self.sessions[session].ended = true,
            Made::ApiKey { .. } => {}
        }
    }

    /// Shows the engine everything that was ever made.
    async fn check(&self, after: &Step) -> Result<(), TestCaseError> {
        for token in &self.tokens {
            let admitted = self.world.caller(&token.text).await.is_some();
            prop_assert_eq!(admitted, self.admits(token), "a token after {:?}", after);
        }
        for (at, key) in self.keys.iter().enumerate() {
            let mut alive = 0;
            for (generation, (value, _)) in key.values.iter().enumerate() {
                let presented = Presented::ApiKey { id: key.id, value };
                let admitted = self
                    .world
                    .engine
                    .authenticator()
                    .authenticate(presented, origin())
                    .await
                    .is_ok();
                prop_assert_eq!(
                    admitted,
                    self.admits_value(at, generation),
                    "a key after {:?}",
                    after
                );
                alive += usize::from(admitted);
            }
            prop_assert!(alive <= 2, "{alive} values of one key are alive");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_model(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new().await;
            for step in &steps {
                model.take(step).await?;
                model.check(step).await?;
            }
            Ok::<(), TestCaseError>(())
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// The retained value and the tokens made from it live exactly until the window ends, to the microsecond.
    #[test]
    fn retention_is_exact(minutes in 1_u32..525_600, start in 0_u64..86_400_000_000) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::unlimited(11).await;
            world.clock.advance(Duration::from_micros(start));
            let operator = Caller::operator();
            let new = NewServiceAccount {
                name: name("ci"),
                full_name: Text::default(),
                description: Text::default(),
                avatar_url: None,
                active: true,
            };
            let account = By::Id(world.engine.service_accounts().create(&operator, new).await.unwrap().id);
            let new = NewApiKey { name: name("default"), description: Text::default(), expires: None };
            let old = world.engine.api_keys().create(&operator, &account, new).await.unwrap();
            let by = By::Id(old.key.id);
            let retention = Retention::from_minutes(i64::from(minutes)).unwrap();
            world.engine.api_keys().rotate(&operator, &account, &by, retention).await.unwrap();
            let ends = world.engine.now() + Duration::from_secs(60 * u64::from(minutes));

            let presented = Presented::ApiKey { id: old.key.id, value: &old.value };
            world.clock.set(ends - Duration::from_micros(1));
            let last = world.engine.authenticator().authenticate(presented, origin()).await;
            prop_assert!(last.is_ok());
            prop_assert_eq!(last.unwrap().expires(), Some(ends));
            world.clock.set(ends);
            prop_assert!(world.engine.authenticator().authenticate(presented, origin()).await.is_err());
            Ok(())
        })?;
    }
}
