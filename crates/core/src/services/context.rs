//! Where operations find what they need.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;
use zenml_auth_model::{ServerIdentity, Timestamp};
use zeroize::Zeroizing;

use super::maintenance::Purged;
use super::refusals::Refusals;
use super::requests::Requests;
use super::uses::Uses;
use super::{
    ApiKeys, ApiTokens, Audit, Authenticator, DeviceFlow, Devices, Encryption, Internal, Maintenance,
    ServiceAccounts, SignIn, Users,
};
use crate::caller::{Caller, NotWithThis};
use crate::identities::Identities;
use crate::password::{HashingCost, Passwords};
use crate::ports::{Clock, Entropy, Store, StoreError};
use crate::rules::recent_authentication;
use crate::sealing::{EncryptionKeys, Place, SealingError};
use crate::settings::{Limits, Settings};
use crate::throttle::Throttle;
use crate::token::Keyring;

/// What the outside world brings.
#[derive(Clone)]
pub struct Ports {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The keys that the server's secrets are sealed under, which are kept somewhere else than in the store.
    pub encryption: Arc<EncryptionKeys>,
}

/// Why an engine can't start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store was never set up; see [`set_up`](super::set_up).
    #[error("the database is not set up")]
    NotSetUp,
    /// What is sealed in the store can't be opened, or is not sealed yet; see [`Encryption`].
    #[error(transparent)]
    Sealing(#[from] SealingError),
    /// Anything else.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// All operations, on one store.
pub struct Engine {
    pub(super) ports: Ports,
    pub(super) identities: Identities,
    pub(super) settings: Settings,
    pub(super) server: ServerIdentity,
    secret: Zeroizing<[u8; 32]>,
    pub(super) keyring: Keyring,
    pub(super) passwords: Passwords,
    pub(super) throttle: Throttle,
    pub(super) uses: Uses,
    pub(super) requests: Requests,
    pub(super) purged: Mutex<Purged>,
    pub(super) refusals: Refusals,
    pub(super) last_activity: AtomicI64,
}

impl Engine {
    /// Opens a store that was [set up](super::set_up), and loads its signing keys.
    ///
    /// # Errors
    /// [`OpenError`] when the store was not set up or does not answer.
    pub async fn open(ports: Ports, settings: Settings, cost: HashingCost) -> Result<Self, OpenError> {
        let mut engine = Self::open_without_signing_keys(ports, settings, cost).await?;
        let place = Place::ServerSecret(engine.server.id);
        engine.secret = engine.ports.encryption.open(place, &engine.server.secret)?;
        engine.maintenance().rotate_signing_key_if_due().await?;
        match engine.keyring.first_problem() {
            Some(problem) => Err(problem.into()),
            None => Ok(engine),
        }
    }

    /// Opens a store that was [set up](super::set_up) to read from it, while another program may have it open; opening
    /// changes nothing. It loads no signing keys and no secret, so it needs no encryption keys and authenticates nobody.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn open_without_signing_keys(
        ports: Ports,
        settings: Settings,
        cost: HashingCost,
    ) -> Result<Self, OpenError> {
        let server = ports
            .store
            .server()
            .await
            .map_err(Internal::from)?
            .ok_or(OpenError::NotSetUp)?;
        let mut secret = Zeroizing::new([0; 32]);
        ports.entropy.fill(secret.as_mut_slice());
        Ok(Self {
            identities: Identities::remembering(Arc::clone(&ports.store), settings.limits.remembered),
            keyring: Keyring::remembering(server.id, settings.limits.remembered),
            passwords: Passwords::new(cost, ports.entropy.as_ref()).map_err(Internal::from)?,
            throttle: Throttle::new(settings.limits),
            uses: Uses::default(),
            requests: Requests::default(),
            purged: Mutex::default(),
            refusals: Refusals::default(),
            last_activity: AtomicI64::new(server.created.as_micros()),
            ports,
            settings,
            server,
            secret,
        })
    }

    /// The server this is.
    #[must_use]
    pub const fn server(&self) -> &ServerIdentity {
        &self.server
    }

    /// The secret under which user codes and CSRF tokens are authenticated. An engine that was
    /// [opened without signing keys](Engine::open_without_signing_keys) has a random one, under which nothing is genuine.
    #[must_use]
    pub fn server_secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// How the server's secrets are sealed.
    #[must_use]
    pub const fn encryption(&self) -> Encryption<'_> {
        Encryption::of(&self.ports, &self.settings.lifetimes)
    }

    /// How much guessing is allowed at the moment.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.throttle.limits()
    }

    /// Allows more or less guessing from now on. How much is remembered stays as it was.
    pub fn set_limits(&self, limits: Limits) {
        self.throttle.set_limits(limits);
    }

    /// What was set.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The keys that sign tokens.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The time now, to be shown.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// When somebody was last authenticated, as far as this process knows.
    #[must_use]
    pub fn last_activity(&self) -> Timestamp {
        Timestamp::from_micros(self.last_activity.load(Ordering::Relaxed))
    }

    /// Whether callers can be authenticated: the store answers, and tells what was revoked.
    ///
    /// # Errors
    /// When it does not.
    pub async fn is_ready(&self) -> Result<(), StoreError> {
        self.ports.store.ping().await?;
        self.identities.catch_up().await.map(|_| ())
    }

    /// Authenticates callers.
    #[must_use]
    pub const fn authenticator(&self) -> Authenticator<'_> {
        Authenticator(self)
    }

    /// Signs in and out.
    #[must_use]
    pub const fn sign_in(&self) -> SignIn<'_> {
        SignIn(self)
    }

    /// Connects machines.
    #[must_use]
    pub const fn device_flow(&self) -> DeviceFlow<'_> {
        DeviceFlow(self)
    }

    /// Manages connected machines.
    #[must_use]
    pub const fn devices(&self) -> Devices<'_> {
        Devices(self)
    }

    /// Manages service accounts.
    #[must_use]
    pub const fn service_accounts(&self) -> ServiceAccounts<'_> {
        ServiceAccounts(self)
    }

    /// Manages API keys.
    #[must_use]
    pub const fn api_keys(&self) -> ApiKeys<'_> {
        ApiKeys(self)
    }

    /// Makes tokens for use by hand.
    #[must_use]
    pub const fn api_tokens(&self) -> ApiTokens<'_> {
        ApiTokens(self)
    }

    /// Manages users.
    #[must_use]
    pub const fn users(&self) -> Users<'_> {
        Users(self)
    }

    /// Reads the audit trail.
    #[must_use]
    pub const fn audit(&self) -> Audit<'_> {
        Audit(self)
    }

    /// What has to be done from time to time.
    #[must_use]
    pub const fn maintenance(&self) -> Maintenance<'_> {
        Maintenance(self)
    }

    /// Goes on only for a person who signed in a short while ago.
    pub(super) fn recent_person(
        &self,
        caller: &Caller,
        action: &'static str,
        now: Timestamp,
    ) -> Result<(), NotWithThis> {
        let window = self.settings.lifetimes.recent_sign_in;
        recent_authentication::recent_person(caller.proof, now, window)
            .map_err(|refusal| NotWithThis { action, refusal })
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.ports.store.as_ref()
    }

    pub(super) fn entropy(&self) -> &dyn Entropy {
        self.ports.entropy.as_ref()
    }
}
