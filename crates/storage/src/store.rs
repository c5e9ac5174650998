//! The store itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use sea_orm::sea_query::{Expr, ExprTrait as _, Query as SeaQuery, SimpleExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait as _, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Select,
};
use tokio::time::Instant;
use uuid::Uuid;
use zenml_auth_core::ports::{
    ApiKeyUse, ChangeSet, CommitError, DeviceUse, Epoch, FamiliarNetwork, Guard, PurgeBefore, Revocations,
    SessionUse, Store, StoreError,
};
use zenml_auth_core::rules::slow_down::Failures;
use zenml_auth_migrations::Schema;
use zenml_auth_model::query::{
    ApiKeyField, AuditField, DeviceField, Page, Query, ServiceAccountField, UserField,
};
use zenml_auth_model::{
    ApiKey, ApiKeyId, AuditEvent, ClientId, CodeMac, Device, DeviceGrant, DeviceId, GrantId, KeyUse,
    SecretHash, ServerIdentity, ServiceAccount, ServiceAccountId, Session, SessionId, SigningKey, Timestamp,
    User, UserId, Version,
};

use crate::dialect::{Connected, Dialect, Files};
use crate::entities::{
    Listed, SecretBytes, WithId, api_key, audit_event, device, device_grant, guard, server, service_account,
    session, signing_key, user,
};
use crate::epoch::Epochs;
use crate::error;
use crate::health;
use crate::options::{ConnectOptions, Database, OptionsError};
use crate::queries::{attempts, key_uses, listing, upkeep};
#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::revocations;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::schema::SchemaError;
use crate::transaction::{Transaction, Transactions};

/// Keeps everything in a SQL database. Clones share their connections.
#[derive(Clone)]
pub struct SqlStore {
    dialect: Dialect,
    writer: Transactions,
    reader: Transactions,
    /// What it has on this disk, if it is a file.
    files: Option<Files>,
    epochs: Epochs,
    /// Which database it is, for as long as it is open.
    leads_to: (Database, String),
    /// How long to wait for the answer of a server that has fallen silent.
    patience: Duration,
    schema: Schema,
    watch: Arc<SchemaWatch>,
}

/// When the schema was last found to be one that we work with; a server looks now and then.
#[derive(Debug, Default)]
struct SchemaWatch {
    found_good: Mutex<Option<Instant>>,
}

/// For how long the schema is taken to be what it was. Readiness may be asked for often.
const SCHEMA_LASTS: Duration = Duration::from_secs(1);

impl std::fmt::Debug for SqlStore {
    /// Leaves the connections out: they may know a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlStore")
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

impl SqlStore {
    /// Connects to a database, whatever its schema is. Before anything else, call [`SqlStore::migrate_up`] or
    /// [`SqlStore::check_schema`].
    ///
    /// # Errors
    /// [`StoreError`] says why the database can't be reached or opened.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, StoreError> {
        let dialect = Dialect::of(options)?;
        let connected = dialect.connect(options).await?;
        let Connected {
            writer,
            reader,
            files,
            epochs,
        } = connected;
        Ok(Self {
            dialect,
            writer,
            reader,
            files,
            epochs,
            leads_to: options.leads_to()?,
            patience: options.acquire_timeout + options.statement_timeout,
            schema: options.schema.clone(),
            watch: Arc::default(),
        })
    }

    /// The connection that writes, for migrations and for maintenance by hand.
    #[must_use]
    pub const fn connection(&self) -> &DatabaseConnection {
        self.writer.connection()
    }

    /// Closes all connections, once nobody uses them any more. Afterwards the store only answers with errors. What was
    /// committed is safe without it; on SQLite it leaves one tidy file behind.
    ///
    /// # Errors
    /// [`StoreError`] when the last state could not be written to its final place.
    pub async fn close(&self) -> Result<(), StoreError> {
        let error = |error| error::of_read(self.dialect, &error);
        self.epochs.close().await;
        self.reader().close_by_ref().await.map_err(error)?;
        let tidied = self.dialect.before_close(self.connection()).await.map_err(error);
        if let Some(files) = &self.files {
            files.place.close().await;
        }
        self.connection().close_by_ref().await.map_err(error)?;
        tidied
    }

    /// Sees to it that a file holds nothing any more of what was overwritten or deleted in it: SQLite leaves that where it
    /// was until the room is needed. A database server does so in its own time.
    ///
    /// # Errors
    /// [`StoreError`] when there is no room for a second copy for the moment, or the database fails.
    pub async fn scrub(&self) -> Result<(), StoreError> {
        let scrubbed = self.dialect.scrub(self.connection()).await;
        scrubbed.map_err(|error| self.read_error(&error))
    }

    /// What kind of database it is.
    #[must_use]
    pub const fn database(&self) -> Database {
        self.dialect.database()
    }

    pub(crate) const fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) const fn reader(&self) -> &DatabaseConnection {
        self.reader.connection()
    }

    pub(crate) const fn writer(&self) -> &Transactions {
        &self.writer
    }

    pub(crate) const fn schema(&self) -> &Schema {
        &self.schema
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) const fn epoch_reader(&self) -> Option<&crate::epoch::EpochReader> {
        match &self.epochs {
            Epochs::Own { .. } => None,
            Epochs::Shared { reader, .. } => Some(reader),
        }
    }

    /// Has [`Store::ping`] look at the schema from now on, which is good now.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn watch_schema(&self) {
        *self.watch.found_good.lock() = Some(Instant::now());
    }

    /// Whether the schema is still one that we work with, if somebody serves from it.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    async fn check_schema_while_serving(&self) -> Result<(), StoreError> {
        let found_good = *self.watch.found_good.lock();
        let Some(at) = found_good else { return Ok(()) };
        if at.elapsed() < SCHEMA_LASTS {
            return Ok(());
        }
        let now = Instant::now();
        match self.check_schema().await {
            Ok(()) => {
                *self.watch.found_good.lock() = Some(now);
                Ok(())
            }
            Err(SchemaError::Store(error)) => Err(error),
            Err(error) => Err(StoreError::Unavailable(error.to_string())),
        }
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) const fn patience(&self) -> Duration {
        self.patience
    }

    fn read_error(&self, error: &DbErr) -> StoreError {
        error::of_read(self.dialect, error)
    }

    /// Waits for an answer; for that of a server not without end.
    async fn patiently<T>(&self, answer: impl Future<Output = T>) -> Result<T, StoreError> {
        if self.own_epoch().is_some() {
            return Ok(answer.await);
        }
        tokio::time::timeout(self.patience, answer)
            .await
            .map_err(|_| error::silent())
    }

    /// Reads something. If the connection turns out to be broken, over another one.
    async fn read<T, F>(&self, ask: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let mut answer = self.patiently(ask()).await?;
        if answer
            .as_ref()
            .is_err_and(|error| self.is_broken_off(error) || self.has_new_password(error))
        {
            answer = self.patiently(ask()).await?;
        }
        answer.map_err(|error| {
            let error = self.read_error(&error);
            // A database server says itself what is wrong with it, also when it is asked whether it is ready.
            if self.files.is_some()
                && let Some(health) = self.writer.health()
            {
                health.unread(error.clone());
            }
            error
        })
    }

    /// Whether the connection broke, in which case those that are as old are not trusted any more either.
    pub(crate) fn is_broken_off(&self, error: &DbErr) -> bool {
        match &self.epochs {
            Epochs::Own { .. } => {
                let _ = error;
                false
            }
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Epochs::Shared { authority, .. } => {
                let broken = error::fate(self.dialect, error) == error::Fate::BrokenOff;
                if broken {
                    authority.begins();
                }
                broken
            }
        }
    }

    /// Whether to try once more after this error: the server refused the password, and another one is configured now.
    pub(crate) fn has_new_password(&self, error: &DbErr) -> bool {
        match &self.epochs {
            Epochs::Own { .. } => {
                let _ = error;
                false
            }
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Epochs::Shared { endpoint, .. } => {
                if !error::refuses_login(self.dialect, error) {
                    return false;
                }
                endpoint.reread();
                let options = endpoint.options();
                self.dialect.set_options(self.connection(), &options).is_ok() && endpoint.changed_just_now()
            }
        }
    }

    /// Has new connections opened with these options: with their URL, which has to lead to the same database, and their TLS.
    /// What is open stays open, and all else stays as it was.
    ///
    /// # Errors
    /// [`OptionsError`] when they can't be used; nothing has changed then.
    pub fn connect_with(&self, options: &ConnectOptions) -> Result<(), OptionsError> {
        options.check_leads_to(&self.leads_to)?;
        match &self.epochs {
            Epochs::Own { .. } => Ok(()),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Epochs::Shared { endpoint, .. } => {
                let options = ConnectOptions {
                    location: options.location.clone(),
                    url_file: options.url_file.clone(),
                    tls: options.tls,
                    ca_file: options.ca_file.clone(),
                    ..endpoint.options()
                };
                self.dialect.set_options(self.connection(), &options)?;
                endpoint.set(options);
                Ok(())
            }
        }
    }

    /// Whether changes are taken. When that is not known, it makes one that says nothing.
    async fn check_writing(&self) -> Result<(), StoreError> {
        let Some(health) = self.writer.health() else {
            return Ok(());
        };
        let this = self.clone();
        // A file that is gone takes changes like any other.
        let in_place = self.writer.check_place().await;
        in_place.map_err(|error| self.read_error(&error))?;
        health.check(|| async move { this.probe().await }).await
    }

    /// Makes a change that says nothing. Replicas that do so at the same time get in each other's way, which says nothing
    /// about the database either.
    async fn probe(&self) -> Result<(), StoreError> {
        self.upkeep(|| self.try_to_probe()).await
    }

    async fn try_to_probe(&self) -> Result<(), DbErr> {
        let transaction = self.writer.begin().await?;
        let mut more = SeaQuery::update();
        more.table("write_probe")
            .value("written", Expr::col("written").add(1));
        if self.writer.health().is_some_and(|health| health.is_in_trouble()) {
            self.dialect.add_ballast(&mut more);
        }
        transaction.execute(&more).await?;
        transaction.commit().await?;
        // What was just written has to be read from the disk.
        let written = SeaQuery::select()
            .column("written")
            .from("write_probe")
            .to_owned();
        self.reader().query_one(&written).await.map(drop)
    }

    async fn try_to_note_uses(&self, keys: &[ApiKeyUse], devices: &[DeviceUse]) -> Result<(), DbErr> {
        let transaction = self.writer.begin().await?;
        upkeep::note_uses(&transaction, keys, devices).await?;
        transaction.commit().await
    }

    async fn try_to_note_session_uses(&self, sessions: &[SessionUse]) -> Result<(), DbErr> {
        let transaction = self.writer.begin().await?;
        upkeep::note_session_uses(&transaction, sessions).await?;
        transaction.commit().await
    }

    async fn try_to_count_failure(
        &self,
        key: &SecretHash,
        at: Timestamp,
        forgotten_before: Timestamp,
    ) -> Result<(), DbErr> {
        let transaction = self.writer.begin().await?;
        attempts::count_failure(&transaction, key, at, forgotten_before).await?;
        transaction.commit().await
    }

    async fn try_to_forget_failures(&self, key: &SecretHash) -> Result<(), DbErr> {
        let transaction = self.writer.begin().await?;
        attempts::forget_failures(&transaction, key).await?;
        transaction.commit().await
    }

    async fn try_to_note_network(&self, network: &FamiliarNetwork) -> Result<(), DbErr> {
        let transaction = self.writer.begin().await?;
        attempts::note_network(&transaction, network).await?;
        transaction.commit().await
    }

    /// Begins to clean up; not when another replica is doing so.
    async fn begin_in_turn(&self) -> Result<Option<Transaction>, DbErr> {
        let transaction = self.writer.begin().await?;
        if upkeep::take_turn(self.dialect, &transaction).await? {
            return Ok(Some(transaction));
        }
        transaction.commit().await?;
        Ok(None)
    }

    /// Cleans up and tells how much, or `None` when another replica is doing so.
    async fn try_to_purge(&self, before: PurgeBefore, limit: u32) -> Result<Option<u64>, DbErr> {
        let Some(transaction) = self.begin_in_turn().await? else {
            return Ok(None);
        };
        let purged = upkeep::purge(&transaction, before, limit).await?;
        transaction.commit().await?;
        Ok(Some(purged))
    }

    /// The same for old entries of the audit trail.
    async fn try_to_purge_audit(&self, before: Timestamp, limit: u32) -> Result<Option<u64>, DbErr> {
        let Some(transaction) = self.begin_in_turn().await? else {
            return Ok(None);
        };
        let purged = upkeep::purge_audit(&transaction, before, limit).await?;
        transaction.commit().await?;
        Ok(Some(purged))
    }

    /// Does something that may be done twice. A database server is asked again when it takes a transaction back for the
    /// sake of another one, or the connection breaks.
    async fn upkeep<T, F>(&self, work: impl Fn() -> F + Send + Sync) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, DbErr>> + Send,
    {
        match &self.epochs {
            Epochs::Own { .. } => work().await.map_err(|error| self.read_error(&error)),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Epochs::Shared { .. } => self.until_done(work).await,
        }
    }

    /// The only row of a selection, as a model.
    async fn one<E, M>(&self, selection: Select<E>) -> Result<Option<M>, StoreError>
    where
        E: EntityTrait,
        M: TryFrom<E::Model, Error = StoreError>,
    {
        let row = self.read(|| selection.clone().one(self.reader())).await?;
        row.map(M::try_from).transpose()
    }

    async fn by_id<E, M>(&self, id: Uuid) -> Result<Option<M>, StoreError>
    where
        E: WithId,
        M: TryFrom<E::Model, Error = StoreError>,
    {
        self.one(E::find().filter(E::ID.eq(id))).await
    }

    /// The row of this name.
    async fn by_name<E, M>(&self, name: &str, selection: Select<E>) -> Result<Option<M>, StoreError>
    where
        E: EntityTrait,
        M: TryFrom<E::Model, Error = StoreError>,
    {
        if self.dialect.first_unsupported_char(name).is_some() {
            return Ok(None);
        }
        self.one(selection).await
    }

    /// The latest moment in a column.
    async fn latest<E: EntityTrait>(&self, column: E::Column) -> Result<Option<Timestamp>, StoreError> {
        let latest = E::find().select_only().column_as(column.max(), "latest");
        let found = self
            .read(|| latest.clone().into_tuple::<Option<i64>>().one(self.reader()))
            .await?;
        Ok(found.flatten().map(Timestamp::from_micros))
    }

    async fn exists<E: WithId>(&self, selection: Select<E>) -> Result<bool, StoreError> {
        let id = selection.select_only().column(E::ID);
        let found = self
            .read(|| id.clone().into_tuple::<Uuid>().one(self.reader()))
            .await?;
        Ok(found.is_some())
    }

    async fn page<E, M>(
        &self,
        query: &Query<E::Field>,
        scope: Option<SimpleExpr>,
    ) -> Result<Page<M>, StoreError>
    where
        E: Listed,
        M: TryFrom<E::Model, Error = StoreError>,
    {
        let (rows, total) = self
            .read(|| listing::page::<E>(self.dialect, &self.reader, query, scope.clone()))
            .await?;
        Ok(Page {
            items: rows.into_iter().map(M::try_from).collect::<Result<_, _>>()?,
            total,
            request: query.page,
        })
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn ping(&self) -> Result<(), StoreError> {
        let check = async {
            self.read(|| self.reader().ping()).await?;
            match &self.epochs {
                Epochs::Own { commits, .. } => commits.check_open()?,
                #[cfg(any(feature = "postgres", feature = "mysql"))]
                Epochs::Shared { .. } => self.check_schema_while_serving().await?,
            }
            self.check_writing().await
        };
        tokio::time::timeout(health::ATTEMPT_TIMEOUT * 2, check)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("the database does not answer".to_owned())))
    }

    async fn commit(&self, changes: ChangeSet) -> Result<(), CommitError> {
        match &self.epochs {
            Epochs::Own { commits, .. } => commits.commit(changes).await,
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Epochs::Shared { .. } => self.commit_on_server(changes).await,
        }
    }

    async fn epoch(&self) -> Result<Epoch, StoreError> {
        match &self.epochs {
            Epochs::Own { log, .. } => Ok(log.epoch()),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Epochs::Shared { reader, .. } => reader.epoch().await,
        }
    }

    fn own_epoch(&self) -> Option<Epoch> {
        match &self.epochs {
            Epochs::Own { log, .. } => Some(log.epoch()),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Epochs::Shared { .. } => None,
        }
    }

    async fn revoked_since(&self, since: Epoch) -> Result<Revocations, StoreError> {
        match &self.epochs {
            Epochs::Own { log, .. } => Ok(log.since(since)),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Epochs::Shared { .. } => {
                let rows = self.read(|| revocations::since(self.reader(), since)).await?;
                revocations::read(self.dialect, since, &rows)
            }
        }
    }

    async fn guard(&self, guard: Guard) -> Result<Version, StoreError> {
        self.read(|| guard::Entity::find_by_id(guard.as_str()).one(self.reader()))
            .await?
            .and_then(|row| u32::try_from(row.version).ok())
            .map(Version::new)
            .ok_or_else(|| {
                StoreError::Corrupt(format!("the guard {:?} is missing or broken", guard.as_str()))
            })
    }

    async fn server(&self) -> Result<Option<ServerIdentity>, StoreError> {
        self.one(server::Entity::find_by_id(server::SINGLETON)).await
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        let keys = signing_key::Entity::find()
            .order_by_asc(signing_key::Column::Created)
            .order_by_asc(signing_key::Column::Id);
        let rows = self.read(|| keys.clone().all(self.reader())).await?;
        rows.into_iter().map(SigningKey::try_from).collect()
    }

    async fn last_end(&self) -> Result<Option<Timestamp>, StoreError> {
        let device = self.latest::<device::Entity>(device::Column::Expires).await?;
        let session = self.latest::<session::Entity>(session::Column::Expires).await?;
        Ok(device.max(session))
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.by_id::<user::Entity, _>(id.as_uuid()).await
    }

    async fn user_by_name(&self, name: &str) -> Result<Option<User>, StoreError> {
        self.by_name(name, user::Entity::find().filter(user::Column::Name.eq(name)))
            .await
    }

    async fn list_users(
        &self,
        query: &Query<UserField>,
        only: Option<UserId>,
    ) -> Result<Page<User>, StoreError> {
        self.page::<user::Entity, _>(query, only.map(|id| user::Column::Id.eq(id.as_uuid())))
            .await
    }

    async fn count_administrators(&self) -> Result<u64, StoreError> {
        let administrators = user::Entity::find()
            .filter(user::Column::IsAdmin.eq(true))
            .filter(user::Column::Active.eq(true))
            .filter(user::Column::Password.is_not_null());
        self.read(|| administrators.clone().count(self.reader())).await
    }

    async fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.by_id::<session::Entity, _>(id.as_uuid()).await
    }

    async fn session_by_cookie(&self, cookie: &SecretHash) -> Result<Option<Session>, StoreError> {
        let cookie = SecretBytes::from(cookie.as_bytes());
        self.one(session::Entity::find().filter(session::Column::Cookie.eq(cookie)))
            .await
    }

    async fn grant(&self, id: GrantId) -> Result<Option<DeviceGrant>, StoreError> {
        self.by_id::<device_grant::Entity, _>(id.as_uuid()).await
    }

    async fn grant_by_user_code(&self, code: &CodeMac) -> Result<Option<DeviceGrant>, StoreError> {
        let code = SecretBytes::from(code.as_bytes());
        self.one(device_grant::Entity::find().filter(device_grant::Column::UserCode.eq(code)))
            .await
    }

    async fn client_is_known(&self, client: ClientId) -> Result<bool, StoreError> {
        let client = client.as_uuid();
        let grants = device_grant::Entity::find().filter(device_grant::Column::ClientId.eq(client));
        let devices = device::Entity::find().filter(device::Column::ClientId.eq(client));
        Ok(self.exists(grants).await? || self.exists(devices).await?)
    }

    async fn client_has_device(&self, client: ClientId) -> Result<bool, StoreError> {
        let devices = device::Entity::find().filter(device::Column::ClientId.eq(client.as_uuid()));
        self.exists(devices).await
    }

    async fn device(&self, id: DeviceId) -> Result<Option<Device>, StoreError> {
        self.by_id::<device::Entity, _>(id.as_uuid()).await
    }

    async fn device_of(&self, client: ClientId, user: UserId) -> Result<Option<Device>, StoreError> {
        let device = device::Entity::find()
            .filter(device::Column::ClientId.eq(client.as_uuid()))
            .filter(device::Column::UserId.eq(user.as_uuid()));
        self.one(device).await
    }

    async fn list_devices(
        &self,
        query: &Query<DeviceField>,
        owner: UserId,
    ) -> Result<Page<Device>, StoreError> {
        self.page::<device::Entity, _>(query, Some(device::Column::UserId.eq(owner.as_uuid())))
            .await
    }

    async fn service_account(&self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError> {
        self.by_id::<service_account::Entity, _>(id.as_uuid()).await
    }

    async fn service_account_by_name(&self, name: &str) -> Result<Option<ServiceAccount>, StoreError> {
        let account = service_account::Entity::find().filter(service_account::Column::Name.eq(name));
        self.by_name(name, account).await
    }

    async fn list_service_accounts(
        &self,
        query: &Query<ServiceAccountField>,
    ) -> Result<Page<ServiceAccount>, StoreError> {
        self.page::<service_account::Entity, _>(query, None).await
    }

    async fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.by_id::<api_key::Entity, _>(id.as_uuid()).await
    }

    async fn api_key_by_name(
        &self,
        account: ServiceAccountId,
        name: &str,
    ) -> Result<Option<ApiKey>, StoreError> {
        let key = api_key::Entity::find()
            .filter(api_key::Column::ServiceAccountId.eq(account.as_uuid()))
            .filter(api_key::Column::Name.eq(name));
        self.by_name(name, key).await
    }

    async fn list_api_keys(
        &self,
        query: &Query<ApiKeyField>,
        account: ServiceAccountId,
    ) -> Result<Page<ApiKey>, StoreError> {
        let of_account = api_key::Column::ServiceAccountId.eq(account.as_uuid());
        self.page::<api_key::Entity, _>(query, Some(of_account)).await
    }

    async fn api_key_uses(&self, id: ApiKeyId) -> Result<Vec<KeyUse>, StoreError> {
        let rows = self.read(|| key_uses::of(self.reader(), id.as_uuid())).await?;
        rows.into_iter().map(KeyUse::try_from).collect()
    }

    async fn list_audit_events(&self, query: &Query<AuditField>) -> Result<Page<AuditEvent>, StoreError> {
        self.page::<audit_event::Entity, _>(query, None).await
    }

    async fn note_uses(&self, keys: &[ApiKeyUse], devices: &[DeviceUse]) -> Result<(), StoreError> {
        if keys.is_empty() && devices.is_empty() {
            return Ok(());
        }
        let keys = in_order(keys, |noted| noted.id.as_uuid());
        let devices = in_order(devices, |noted| noted.id.as_uuid());
        // A use that is noted twice is noted once.
        self.upkeep(|| self.try_to_note_uses(&keys, &devices)).await
    }

    async fn note_session_uses(&self, sessions: &[SessionUse]) -> Result<(), StoreError> {
        if sessions.is_empty() {
            return Ok(());
        }
        let sessions = in_order(sessions, |noted| noted.id.as_uuid());
        self.upkeep(|| self.try_to_note_session_uses(&sessions)).await
    }

    async fn failures(&self, key: &SecretHash) -> Result<Option<Failures>, StoreError> {
        let row = self.read(|| attempts::failures(self.reader(), key)).await?;
        row.map(Failures::try_from).transpose()
    }

    async fn count_failure(
        &self,
        key: &SecretHash,
        at: Timestamp,
        forgotten_before: Timestamp,
    ) -> Result<(), StoreError> {
        self.upkeep(|| self.try_to_count_failure(key, at, forgotten_before))
            .await
    }

    async fn forget_failures(&self, key: &SecretHash) -> Result<(), StoreError> {
        self.upkeep(|| self.try_to_forget_failures(key)).await
    }

    async fn network_seen(&self, id: &SecretHash) -> Result<Option<Timestamp>, StoreError> {
        let row = self.read(|| attempts::network_seen(self.reader(), id)).await?;
        Ok(row.map(|row| Timestamp::from_micros(row.seen)))
    }

    async fn note_network(&self, network: &FamiliarNetwork) -> Result<(), StoreError> {
        self.upkeep(|| self.try_to_note_network(network)).await
    }

    async fn purge(&self, before: PurgeBefore, limit: u32) -> Result<u64, StoreError> {
        // What was cleaned up already is not found again.
        let purged = self.upkeep(|| self.try_to_purge(before, limit)).await?;
        #[cfg(any(feature = "postgres", feature = "mysql"))]
        if matches!(self.epochs, Epochs::Shared { .. })
            && purged.is_some_and(|purged| purged < u64::from(limit))
        {
            self.trim_revocations().await?;
        }
        Ok(purged.unwrap_or_default())
    }

    async fn purge_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let purged = self.upkeep(|| self.try_to_purge_audit(before, limit)).await?;
        Ok(purged.unwrap_or_default())
    }
}

/// In the order of their ids, so that replicas that change the same rows at the same time do not block each other.
fn in_order<T: Clone>(uses: &[T], id: impl Fn(&T) -> Uuid) -> Vec<T> {
    let mut uses = uses.to_vec();
    uses.sort_unstable_by_key(id);
    uses
}
