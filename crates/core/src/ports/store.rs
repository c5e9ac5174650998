//! Where everything is kept.

use async_trait::async_trait;
use zenml_auth_model::query::{
    ApiKeyField, AuditField, DeviceField, Page, Query, ServiceAccountField, UserField,
};
use zenml_auth_model::{
    ApiKey, ApiKeyId, AuditEvent, ClientId, CodeMac, Device, DeviceGrant, DeviceId, GrantId, KeyUse,
    SecretHash, ServerIdentity, ServiceAccount, ServiceAccountId, Session, SessionId, SigningKey, Timestamp,
    UsedFrom, User, UserId, Version,
};

use super::{ChangeSet, CommitError, Epoch, Guard, Revocations};
use crate::rules::slow_down::Failures;

/// Why a store could not answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It can't be reached, or is too busy. Asking again later may help.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// It takes no changes.
    #[error("the database is read-only: {0}")]
    ReadOnly(String),
    /// It has no room left.
    #[error("the disk of the database is full: {0}")]
    Full(String),
    /// It holds something that can't be.
    #[error("the database holds something unexpected: {0}")]
    Corrupt(String),
    /// Anything else.
    #[error("the database reported an error: {0}")]
    Other(String),
}

/// How many of those who use a value of an API key are remembered: the latest ones. The holder of a key can pretend to
/// be any number of users, so there has to be a bound.
pub const KEY_USERS_KEPT: usize = 16;

/// A use of an API key, written behind in batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyUse {
    /// Which key.
    pub id: ApiKeyId,
    /// Which value of it, when and from where.
    pub latest: KeyUse,
}

/// The latest use of a device, written behind in batches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceUse {
    /// Which device.
    pub id: DeviceId,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub from: UsedFrom,
}

/// The latest use of a browser's session, written behind in batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionUse {
    /// Which session.
    pub id: SessionId,
    /// When.
    pub at: Timestamp,
}

/// How many networks from which an account signs in are remembered: the latest ones.
pub const NETWORKS_KEPT: usize = 32;

/// A network from which an account signed in. Both are named by a MAC under the server's secret, as what is typed as a name
/// may be a password, and as nobody needs to read from a backup where people work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamiliarNetwork {
    /// Account and network together.
    pub id: SecretHash,
    /// The account.
    pub account: SecretHash,
    /// When it last signed in from there.
    pub seen: Timestamp,
}

/// What may be cleaned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgeBefore {
    /// Requests of machines that expired before this.
    pub grants: Timestamp,
    /// Sessions that expired before this.
    pub sessions: Timestamp,
    /// Signing keys whose last token expired before this.
    pub signing_keys: Timestamp,
    /// Counts of failures of which the last one was before this.
    pub failures: Timestamp,
    /// Networks from which an account last signed in before this.
    pub networks: Timestamp,
}

impl PurgeBefore {
    /// Everything that ended before this.
    #[must_use]
    pub const fn all(moment: Timestamp) -> Self {
        Self {
            grants: moment,
            sessions: moment,
            signing_keys: moment,
            failures: moment,
            networks: moment,
        }
    }
}

/// Keeps everything. All reads see everything that was committed before they began.
///
/// To add a kind of row: give it a model with an id and a [`Version`], add reads here and changes to
/// [`Change`](super::Change), then extend the contract suite in `zenml-auth-testkit`, which every store has to pass.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Whether the store answers at all.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Makes all of the changes, durably, or none of them.
    ///
    /// When it returns `Ok`, everything is safe from a crash. Updates and deletions name the version they were
    /// decided on and fail as [`CommitError::Stale`] when the row has another one or is gone.
    async fn commit(&self, changes: ChangeSet) -> Result<(), CommitError>;

    /// The epoch: it moves on with every commit that has [revoked](ChangeSet::revoked) anything, before that commit
    /// returns and not after.
    async fn epoch(&self) -> Result<Epoch, StoreError>;

    /// The same without asking anybody, if every commit goes through this very store.
    fn own_epoch(&self) -> Option<Epoch> {
        None
    }

    /// What was revoked by the commits after an epoch.
    async fn revoked_since(&self, since: Epoch) -> Result<Revocations, StoreError>;

    /// The version of a guard.
    async fn guard(&self, guard: Guard) -> Result<Version, StoreError>;

    /// The server, once it was set up.
    async fn server(&self) -> Result<Option<ServerIdentity>, StoreError>;
    /// All signing keys, oldest first.
    async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError>;
    /// When the last of all devices and sessions ends, and with it the last of their tokens.
    async fn last_end(&self) -> Result<Option<Timestamp>, StoreError>;

    /// A user.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;
    /// A user by exact name.
    async fn user_by_name(&self, name: &str) -> Result<Option<User>, StoreError>;
    /// A page of users; with `only`, of that one.
    async fn list_users(
        &self,
        query: &Query<UserField>,
        only: Option<UserId>,
    ) -> Result<Page<User>, StoreError>;
    /// How many administrators are active and have a password.
    async fn count_administrators(&self) -> Result<u64, StoreError>;

    /// A session.
    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;
    /// A browser's session by the hash of its cookie.
    async fn session_by_cookie(&self, cookie: &SecretHash) -> Result<Option<Session>, StoreError>;

    /// A machine's request.
    async fn grant(&self, id: GrantId) -> Result<Option<DeviceGrant>, StoreError>;
    /// A machine's request by its user code.
    async fn grant_by_user_code(&self, code: &CodeMac) -> Result<Option<DeviceGrant>, StoreError>;
    /// Whether any request or device of this client is kept.
    async fn client_is_known(&self, client: ClientId) -> Result<bool, StoreError>;
    /// Whether any device of this client is kept.
    async fn client_has_device(&self, client: ClientId) -> Result<bool, StoreError>;

    /// A device.
    async fn device(&self, id: DeviceId) -> Result<Option<Device>, StoreError>;
    /// The device of one person on one client.
    async fn device_of(&self, client: ClientId, user: UserId) -> Result<Option<Device>, StoreError>;
    /// A page of one person's devices.
    async fn list_devices(
        &self,
        query: &Query<DeviceField>,
        owner: UserId,
    ) -> Result<Page<Device>, StoreError>;

    /// A service account.
    async fn service_account(&self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError>;
    /// A service account by exact name.
    async fn service_account_by_name(&self, name: &str) -> Result<Option<ServiceAccount>, StoreError>;
    /// A page of service accounts.
    async fn list_service_accounts(
        &self,
        query: &Query<ServiceAccountField>,
    ) -> Result<Page<ServiceAccount>, StoreError>;

    /// An API key.
    async fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError>;
    /// An API key by its exact name within its service account.
    async fn api_key_by_name(
        &self,
        account: ServiceAccountId,
        name: &str,
    ) -> Result<Option<ApiKey>, StoreError>;
    /// A page of the keys of a service account.
    async fn list_api_keys(
        &self,
        query: &Query<ApiKeyField>,
        account: ServiceAccountId,
    ) -> Result<Page<ApiKey>, StoreError>;

    /// Who used a key of late, the latest first: for each of its values the latest [`KEY_USERS_KEPT`] that were
    /// [noted](Store::note_uses). Of a value that was replaced twice, nothing need be known any more.
    async fn api_key_uses(&self, id: ApiKeyId) -> Result<Vec<KeyUse>, StoreError>;

    /// A page of the audit trail.
    async fn list_audit_events(&self, query: &Query<AuditField>) -> Result<Page<AuditEvent>, StoreError>;

    /// Notes when and from where keys and devices were last used, unless a later use is already noted; and for keys
    /// also by whom, see [`Store::api_key_uses`]. Neither counts as a change nor moves a version on; what is gone is
    /// skipped.
    async fn note_uses(&self, keys: &[ApiKeyUse], devices: &[DeviceUse]) -> Result<(), StoreError>;

    /// Notes when sessions were last used, unless a later use is already noted. It counts as no change, as in
    /// [`Store::note_uses`].
    async fn note_session_uses(&self, sessions: &[SessionUse]) -> Result<(), StoreError>;
    /// How often attempts under this key failed, since they were last [forgotten](Store::forget_failures).
    async fn failures(&self, key: &SecretHash) -> Result<Option<Failures>, StoreError>;
    /// Counts one more failure, beside any number of others who do the same. One that comes after `forgotten_before` begins
    /// anew. When the connection breaks in the middle, it may count twice.
    async fn count_failure(
        &self,
        key: &SecretHash,
        at: Timestamp,
        forgotten_before: Timestamp,
    ) -> Result<(), StoreError>;
    /// Forgets the failures under a key.
    async fn forget_failures(&self, key: &SecretHash) -> Result<(), StoreError>;
    /// When an account last signed in from a network, if it is [remembered](Store::note_network).
    async fn network_seen(&self, id: &SecretHash) -> Result<Option<Timestamp>, StoreError>;
    /// Remembers that an account signed in from a network, unless a later time is remembered. Of each account it remembers
    /// the latest [`NETWORKS_KEPT`].
    async fn note_network(&self, network: &FamiliarNetwork) -> Result<(), StoreError>;

    /// Cleans away at most `limit` rows of each kind that ended before the given times, and tells how many. None while
    /// another replica does so.
    async fn purge(&self, before: PurgeBefore, limit: u32) -> Result<u64, StoreError>;
    /// Cleans away at most `limit` entries of the audit trail that were written before this, the oldest first, and tells how
    /// many. None while another replica does so.
    async fn purge_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
