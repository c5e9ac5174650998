//! An engine on a store in memory, with a clock that is moved by hand.

use std::sync::Arc;

use zenml_auth_core::caller::Caller;
use zenml_auth_core::memory::MemoryStore;
use zenml_auth_core::password::HashingCost;
use zenml_auth_core::services::{Engine, FirstAdministrator, NewUser, Ports, Presented, set_up};
use zenml_auth_core::settings::{Limits, Settings};
use zenml_auth_model::{ClientId, DeviceTraits, Name, Origin, Secret, Text, User};
use zenml_auth_testkit::clock::ManualClock;
use zenml_auth_testkit::encryption::encryption_keys;
use zenml_auth_testkit::entropy::SeededEntropy;

/// As cheap as argon2 gets.
pub(crate) const CHEAP: HashingCost = HashingCost {
    memory_kib: 8,
    passes: 1,
    parallel: 4,
    queue: 1000,
};
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) clock: ManualClock,
}

impl World {
    pub(crate) async fn new(seed: u64, settings: Settings) -> Self {
        let clock = ManualClock::default();
        let ports = Ports {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(seed)),
            encryption: encryption_keys(),
        };
        let administrator = FirstAdministrator {
            name: name("default"),
            password: Some(Secret::new(PASSWORD)),
        };
        set_up(&ports, administrator, CHEAP).await.unwrap();
        let engine = Engine::open(ports, settings, CHEAP).await.unwrap();
        Self {
            engine: Arc::new(engine),
            clock,
        }
    }

    /// Without limits, for tests that are about something else.
    pub(crate) async fn unlimited(seed: u64) -> Self {
        let limits = Limits {
            enabled: false,
            ..Limits::default()
        };
        Self::new(
            seed,
            Settings {
                limits,
                ..Settings::default()
            },
        )
        .await
    }

    pub(crate) async fn add_user(&self, user: &str, is_admin: bool) -> User {
        let new = NewUser {
            name: name(user),
            full_name: Text::default(),
            email: None,
            email_opted_in: None,
            password: Some(Secret::new(PASSWORD)),
            is_admin,
            metadata: None,
            avatar_url: None,
        };
        self.engine
            .users()
            .create(&Caller::operator(), new)
            .await
            .unwrap()
            .0
    }

    /// A person who signs in just now.
    pub(crate) async fn sign_in(&self, user: &str) -> Caller {
        self.try_to_sign_in(user).await.unwrap()
    }

    pub(crate) async fn try_to_sign_in(&self, user: &str) -> Option<Caller> {
        let signed_in = self.engine.sign_in();
        let token = signed_in
            .with_password(user, Secret::new(PASSWORD), &origin())
            .await
            .ok()?;
        self.caller(&token.token).await
    }

    pub(crate) async fn caller(&self, token: &Secret) -> Option<Caller> {
        let presented = Presented::Token(token.expose());
        self.engine
            .authenticator()
            .authenticate(presented, origin())
            .await
            .ok()
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn origin() -> Origin {
    Origin {
        address: Some("192.0.2.1".parse().unwrap()),
        request_id: None,
        user_agent: None,
    }
}

pub(crate) fn client(number: u8) -> ClientId {
    ClientId::from_random([number; 16])
}

pub(crate) fn traits(host: &str) -> DeviceTraits {
    DeviceTraits {
        hostname: Some(Text::new(host).unwrap()),
        ..DeviceTraits::default()
    }
}
