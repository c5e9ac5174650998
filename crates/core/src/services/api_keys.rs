//! Keys of workloads.

use zenml_auth_model::audit::{ChangedField, FieldChange};
use zenml_auth_model::query::{ApiKeyField, Page, Query};
use zenml_auth_model::{
    Action, ApiKey, ApiKeyId, Details, KeyGeneration, KeyUse, Name, Secret, ServiceAccount, ServiceAccountId,
    Text, Timestamp, UsedFrom, Version,
};

use super::service_accounts::FindServiceAccountError;
use super::transact::Decision;
use super::{Engine, Internal};
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::caller::{Caller, NotAllowed, NotWithThis};
use crate::lookup::By;
use crate::ports::{Change, Unique, id_bytes};
use crate::rules::api_key::{self, Retention};
use crate::secrets;

/// What a new API key consists of.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Its name.
    pub name: Name,
    /// What it is for.
    pub description: Text,
    /// When it ends by itself; never, unless told to.
    pub expires: Option<Timestamp>,
}

/// What to change about an API key; `None` leaves things as they are.
#[derive(Debug, Clone, Default)]
pub struct ApiKeyChanges {
    /// Its name.
    pub name: Option<Name>,
    /// What it is for.
    pub description: Option<Text>,
    /// Whether it may be used.
    pub active: Option<bool>,
}

/// A key with its value, which is shown this once.
#[derive(Debug, Clone)]
pub struct IssuedApiKey {
    /// The key.
    pub key: ApiKey,
    /// Whose it is.
    pub account: ServiceAccount,
    /// The random part of its value.
    pub value: Secret,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateApiKeyError {
    /// The credential is not enough.
    #[error(transparent)]
    NotWithThis(#[from] NotWithThis),
    /// The service account can't be had.
    #[error(transparent)]
    Account(#[from] FindServiceAccountError),
    /// The account has one of that name.
    #[error("the service account {account} has an API key of the name {name} already")]
    NameTaken {
        /// The key's name.
        name: Name,
        /// The service account's name.
        account: Name,
    },
    /// It would end before it begins.
    #[error("an API key has to expire in the future")]
    ExpiresInThePast,
}

impl From<Internal> for CreateApiKeyError {
    fn from(error: Internal) -> Self {
        Self::Account(error.into())
    }
}

/// Why a key can't be had.
#[derive(Debug, thiserror::Error)]
pub enum FindApiKeyError {
    /// The service account can't be had.
    #[error(transparent)]
    Account(#[from] FindServiceAccountError),
    /// There is no such key.
    #[error("the service account {account} has no API key {which}")]
    NotFound {
        /// What was asked for.
        which: By<ApiKeyId>,
        /// The service account's name.
        account: Name,
    },
}

impl From<Internal> for FindApiKeyError {
    fn from(error: Internal) -> Self {
        Self::Account(error.into())
    }
}

/// Why a key was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeApiKeyError {
    /// The credential is not enough.
    #[error(transparent)]
    NotWithThis(#[from] NotWithThis),
    /// It can't be had.
    #[error(transparent)]
    Find(#[from] FindApiKeyError),
    /// The account has one of that name.
    #[error("the service account {account} has an API key of the name {name} already")]
    NameTaken {
        /// The key's name.
        name: Name,
        /// The service account's name.
        account: Name,
    },
}

impl From<Internal> for ChangeApiKeyError {
    fn from(error: Internal) -> Self {
        Self::Find(error.into())
    }
}

/// Why a key was not rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotateApiKeyError {
    /// The credential is not enough.
    #[error(transparent)]
    NotWithThis(#[from] NotWithThis),
    /// It can't be had.
    #[error(transparent)]
    Find(#[from] FindApiKeyError),
    /// The key has expired; a new value would be refused too.
    #[error("the API key {0} has expired; create a new one")]
    Expired(Name),
}

impl From<Internal> for RotateApiKeyError {
    fn from(error: Internal) -> Self {
        Self::Find(error.into())
    }
}

/// Manages API keys.
#[derive(Clone, Copy)]
pub struct ApiKeys<'a>(pub(super) &'a Engine);

impl ApiKeys<'_> {
    /// Makes a key.
    ///
    /// # Errors
    /// [`CreateApiKeyError`]
    pub async fn create(
        self,
        caller: &Caller,
        account: &By<ServiceAccountId>,
        new: NewApiKey,
    ) -> Result<IssuedApiKey, CreateApiKeyError> {
        let engine = self.0;
        let account = &self.account(caller, account, "create API keys").await?;
        caller.may_leave("create an API key")?;
        let (new, by) = (&new, &AuditWriter::of(caller));
        engine
            .transact::<_, CreateApiKeyError, _>("create an API key", |now| async move {
                if new.expires.is_some_and(|expires| expires <= now) {
                    return Err(CreateApiKeyError::ExpiresInThePast);
                }
                let value = secrets::random_secret(engine.entropy());
                let key = ApiKey {
                    id: ApiKeyId::from_random(id_bytes(engine.entropy())),
                    service_account_id: account.id,
                    name: new.name.clone(),
                    description: new.description.clone(),
                    active: true,
                    current: KeyGeneration {
                        number: 1,
                        hash: secrets::hash(&value),
                    },
                    retained: None,
                    retain_period_minutes: 0,
                    expires: new.expires,
                    last_login: None,
                    last_used_from: UsedFrom::default(),
                    last_rotated: None,
                    created: now,
                    updated: now,
                    version: Version::FIRST,
                };
                let name_taken = CreateApiKeyError::NameTaken {
                    name: key.name.clone(),
                    account: account.name.clone(),
                };
                // The account was deleted a moment ago.
                let account_gone = FindServiceAccountError::NotFound(By::Id(account.id));
                let issued = IssuedApiKey {
                    key: key.clone(),
                    account: account.clone(),
                    value,
                };
                Ok(Decision::answer(issued)
                    .audit(by, Action::ApiKeyCreated, audit_target::api_key(account, &key))
                    .change(Change::InsertApiKey(key))
                    .fail_if_taken(Unique::ApiKeyName, name_taken)
                    .fail_if_parent_missing(account_gone.into()))
            })
            .await
    }

    /// A key. A workload sees the one that it came with, and no other.
    ///
    /// # Errors
    /// [`FindApiKeyError`]
    pub async fn find(
        self,
        caller: &Caller,
        account: &By<ServiceAccountId>,
        which: &By<ApiKeyId>,
    ) -> Result<(ServiceAccount, ApiKey), FindApiKeyError> {
        if let Some((own, _)) = caller.api_key()
            && *which == By::Id(own)
        {
            let account = self.0.service_accounts().find(caller, account).await?;
            let key = self.of(&account, which).await?;
            return Ok((account, key));
        }
        let account = self.account(caller, account, "see API keys").await?;
        let key = self.of(&account, which).await?;
        Ok((account, key))
    }

    /// Who used a key of late, the latest first: its current value, and the one before it.
    ///
    /// # Errors
    /// [`FindApiKeyError`]
    pub async fn recent_uses(self, caller: &Caller, key: &ApiKey) -> Result<Vec<KeyUse>, FindApiKeyError> {
        caller
            .require_admin("see who uses API keys")
            .map_err(FindServiceAccountError::from)?;
        let mut uses = self
            .0
            .store()
            .api_key_uses(key.id)
            .await
            .map_err(Internal::from)?;
        self.0.uses.show_uses(key.id, &mut uses);
        let replaced = key.retained.map(|retained| retained.generation.number);
        uses.retain(|user| user.generation == key.current.number || Some(user.generation) == replaced);
        Ok(uses)
    }

    /// A page of the keys of a service account.
    ///
    /// # Errors
    /// [`FindServiceAccountError`]
    pub async fn list(
        self,
        caller: &Caller,
        account: &By<ServiceAccountId>,
        query: &Query<ApiKeyField>,
    ) -> Result<(ServiceAccount, Page<ApiKey>), FindServiceAccountError> {
        let account = self.account(caller, account, "list API keys").await?;
        let mut page = self
            .0
            .store()
            .list_api_keys(query, account.id)
            .await
            .map_err(Internal::from)?;
        page.items.iter_mut().for_each(|key| self.0.uses.show_key(key));
        Ok((account, page))
    }

    /// Changes a key. Switching it off ends every use of it at once.
    ///
    /// # Errors
    /// [`ChangeApiKeyError`]
    pub async fn update(
        self,
        caller: &Caller,
        account: &By<ServiceAccountId>,
        which: &By<ApiKeyId>,
        changes: &ApiKeyChanges,
    ) -> Result<(ServiceAccount, ApiKey), ChangeApiKeyError> {
        let engine = self.0;
        let account = &self
            .account(caller, account, "change API keys")
            .await
            .map_err(FindApiKeyError::from)?;
        let by = &AuditWriter::of(caller);
        engine
            .transact::<_, ChangeApiKeyError, _>("update an API key", |now| async move {
                let found = self.of(account, which).await?;
                let changed = ApiKey {
                    name: changes.name.clone().unwrap_or_else(|| found.name.clone()),
                    description: changes
                        .description
                        .clone()
                        .unwrap_or_else(|| found.description.clone()),
                    active: changes.active.unwrap_or(found.active),
                    updated: now,
                    ..found.clone()
                };
                if !found.active && changed.active {
                    caller.may_leave("switch an API key on")?;
                }
                let switched = match (found.active, changed.active) {
                    (false, true) => Some(Action::ApiKeyActivated),
                    (true, false) => Some(Action::ApiKeyDeactivated),
                    (true, true) | (false, false) => None,
                };
                let different = differences(&found, &changed);
                let target = || audit_target::api_key(account, &changed);
                let name_taken = ChangeApiKeyError::NameTaken {
                    name: changed.name.clone(),
                    account: account.name.clone(),
                };
                let mut decision =
                    Decision::update(changed.clone()).fail_if_taken(Unique::ApiKeyName, name_taken);
                if let Some(action) = switched {
                    decision = decision.audit(by, action, target());
                }
                if switched.is_none() || !different.is_empty() {
                    let details = Details::Changes(different);
                    decision = decision.audit_with(by, Action::ApiKeyUpdated, target(), details);
                }
                Ok(decision.map(|key| (account.clone(), key)))
            })
            .await
    }

    /// Replaces a key's value, and keeps the one before alive for the retention. Each call that succeeds is one
    /// rotation: of several at once, each replaces the value of the one before it.
    ///
    /// # Errors
    /// [`RotateApiKeyError`]
    pub async fn rotate(
        self,
        caller: &Caller,
        account: &By<ServiceAccountId>,
        which: &By<ApiKeyId>,
        retention: Retention,
    ) -> Result<IssuedApiKey, RotateApiKeyError> {
        let engine = self.0;
        let account = &self
            .account(caller, account, "rotate API keys")
            .await
            .map_err(FindApiKeyError::from)?;
        caller.may_leave("rotate an API key")?;
        let by = &AuditWriter::of(caller);
        engine
            .transact::<_, RotateApiKeyError, _>("rotate an API key", |now| async move {
                let found = self.of(account, which).await?;
                if found.expires.is_some_and(|expires| now >= expires) {
                    return Err(RotateApiKeyError::Expired(found.name));
                }
                let value = secrets::random_secret(engine.entropy());
                let rotated = api_key::rotate(found, secrets::hash(&value), retention, now);
                let details = Details::Rotated {
                    old_value_until: rotated
                        .retained
                        .map(|retained| retained.until)
                        .filter(|until| now < *until),
                };
                let target = audit_target::api_key(account, &rotated);
                Ok(Decision::update(rotated)
                    .audit_with(by, Action::ApiKeyRotated, target, details)
                    .map(|key| IssuedApiKey {
                        key,
                        account: account.clone(),
                        value,
                    }))
            })
            .await
    }

    /// Deletes a key; every use of it ends at once.
    ///
    /// # Errors
    /// [`FindApiKeyError`]
    pub async fn delete(
        self,
        caller: &Caller,
        account: &By<ServiceAccountId>,
        which: &By<ApiKeyId>,
    ) -> Result<(), FindApiKeyError> {
        let account = &self.account(caller, account, "delete API keys").await?;
        self.0
            .transact("delete an API key", |_| async move {
                let found = self.of(account, which).await?;
                Ok(Decision::answer(())
                    .audit(
                        &AuditWriter::of(caller),
                        Action::ApiKeyDeleted,
                        audit_target::api_key(account, &found),
                    )
                    .change(Change::DeleteApiKey(found.id, found.version)))
            })
            .await
    }

    /// Keys are for administrators, even to look at.
    async fn account(
        self,
        caller: &Caller,
        account: &By<ServiceAccountId>,
        action: &'static str,
    ) -> Result<ServiceAccount, FindServiceAccountError> {
        let allowed: Result<(), NotAllowed> = caller.require_admin(action);
        allowed?;
        self.0.service_accounts().find(caller, account).await
    }

    async fn of(self, account: &ServiceAccount, which: &By<ApiKeyId>) -> Result<ApiKey, FindApiKeyError> {
        let found = match which {
            By::Id(id) => self.0.store().api_key(*id).await,
            By::Name(name) => self.0.api_key_by_name(account.id, name).await,
        };
        let mut key = found
            .map_err(Internal::from)?
            .filter(|key| key.service_account_id == account.id)
            .ok_or_else(|| FindApiKeyError::NotFound {
                which: which.clone(),
                account: account.name.clone(),
            })?;
        self.0.uses.show_key(&mut key);
        Ok(key)
    }
}

/// What an update changed, except whether the key may be used.
fn differences(before: &ApiKey, after: &ApiKey) -> Vec<FieldChange> {
    [
        FieldChange::between(ChangedField::Name, &before.name, &after.name),
        FieldChange::between(ChangedField::Description, &before.description, &after.description),
    ]
    .into_iter()
    .flatten()
    .collect()
}
