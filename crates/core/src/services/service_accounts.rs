//! Accounts of workloads.

use zenml_auth_model::audit::{ChangedField, FieldChange};
use zenml_auth_model::query::{Page, Query, ServiceAccountField};
use zenml_auth_model::{
    Action, Details, Name, ServiceAccount, ServiceAccountId, TargetKind, Text, Timestamp, Version,
};

use super::internal::Tries;
use super::{Engine, Internal};
use crate::caller::{Caller, Identity, NotAllowed, NotWithThis, Scribe, target};
use crate::lookup::By;
use crate::ports::{Change, ChangeSet, CommitError, Unique, id_bytes};

/// What a new service account consists of.
#[derive(Debug, Clone)]
pub struct NewServiceAccount {
    /// Its name.
    pub name: Name,
    /// The name to show.
    pub full_name: Text,
    /// What it is for.
    pub description: Text,
    /// A picture to show.
    pub avatar_url: Option<Text>,
    /// Whether it may be used.
    pub active: bool,
}

/// What to change about a service account; `None` leaves things as they are.
#[derive(Debug, Clone, Default)]
pub struct ServiceAccountChanges {
    /// Its name.
    pub name: Option<Name>,
    /// The name to show.
    pub full_name: Option<Text>,
    /// What it is for.
    pub description: Option<Text>,
    /// A picture to show.
    pub avatar_url: Option<Text>,
    /// Whether it may be used.
    pub active: Option<bool>,
}

/// Why no service account was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateServiceAccountError {
    /// The credential is not enough.
    #[error(transparent)]
    NotWithThis(#[from] NotWithThis),
    /// Administrators only.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// There is one of that name.
    #[error("there is a service account of the name {0} already")]
    NameTaken(Name),
    /// The name is a word for an actor of the audit trail.
    #[error("the name {0} is reserved; choose another one")]
    NameReserved(Name),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Why a service account can't be had.
#[derive(Debug, thiserror::Error)]
pub enum FindServiceAccountError {
    /// Administrators only, but for the account itself.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// There is none.
    #[error("no such service account: {0}")]
    NotFound(By<ServiceAccountId>),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Why a service account was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeServiceAccountError {
    /// The credential is not enough.
    #[error(transparent)]
    NotWithThis(#[from] NotWithThis),
    /// It can't be had.
    #[error(transparent)]
    Find(#[from] FindServiceAccountError),
    /// There is one of that name.
    #[error("there is a service account of the name {0} already")]
    NameTaken(Name),
    /// The name is a word for an actor of the audit trail.
    #[error("the name {0} is reserved; choose another one")]
    NameReserved(Name),
}

impl From<Internal> for ChangeServiceAccountError {
    fn from(error: Internal) -> Self {
        Self::Find(error.into())
    }
}

/// Manages service accounts.
#[derive(Clone, Copy)]
pub struct ServiceAccounts<'a>(pub(super) &'a Engine);

impl ServiceAccounts<'_> {
    /// Makes a service account.
    ///
    /// # Errors
    /// [`CreateServiceAccountError`]
    pub async fn create(
        self,
        caller: &Caller,
        new: NewServiceAccount,
    ) -> Result<ServiceAccount, CreateServiceAccountError> {
        caller.require_admin("create service accounts")?;
        caller.may_leave("create a service account")?;
        if new.name.is_reserved() {
            return Err(CreateServiceAccountError::NameReserved(new.name));
        }
        let engine = self.0;
        let now = engine.now();
        let account = ServiceAccount {
            id: ServiceAccountId::from_random(id_bytes(engine.entropy())),
            name: new.name,
            full_name: new.full_name,
            description: new.description,
            avatar_url: new.avatar_url,
            active: new.active,
            created: now,
            updated: now,
            version: Version::FIRST,
        };
        let changes = ChangeSet::new()
            .with(Change::InsertServiceAccount(account.clone()))
            .with(self.entry(caller, now, Action::ServiceAccountCreated, &account, None));
        match engine.store().commit(changes).await {
            Ok(()) => Ok(account),
            Err(CommitError::Taken(Unique::ServiceAccountName)) => {
                Err(CreateServiceAccountError::NameTaken(account.name))
            }
            Err(error) => Err(Internal::from(error).into()),
        }
    }

    /// A service account.
    ///
    /// # Errors
    /// [`FindServiceAccountError`]
    pub async fn find(
        self,
        caller: &Caller,
        which: &By<ServiceAccountId>,
    ) -> Result<ServiceAccount, FindServiceAccountError> {
        if let Identity::ServiceAccount(own) = &caller.identity {
            let is_own = match which {
                By::Id(id) => *id == own.id,
                By::Name(name) => own.name.is(name),
            };
            if is_own {
                return Ok(own.as_ref().clone());
            }
        }
        caller.require_admin("see service accounts")?;
        let found = match which {
            By::Id(id) => self.0.store().service_account(*id).await,
            By::Name(name) => self.0.service_account_by_name(name).await,
        };
        found
            .map_err(Internal::from)?
            .ok_or_else(|| FindServiceAccountError::NotFound(which.clone()))
    }

    /// A page of service accounts.
    ///
    /// # Errors
    /// [`FindServiceAccountError`]
    pub async fn list(
        self,
        caller: &Caller,
        query: &Query<ServiceAccountField>,
    ) -> Result<Page<ServiceAccount>, FindServiceAccountError> {
        caller.require_admin("list service accounts")?;
        Ok(self
            .0
            .store()
            .list_service_accounts(query)
            .await
            .map_err(Internal::from)?)
    }

    /// Changes a service account. Switching it off ends every use of its keys at once.
    ///
    /// # Errors
    /// [`ChangeServiceAccountError`]
    pub async fn update(
        self,
        caller: &Caller,
        which: &By<ServiceAccountId>,
        changes: &ServiceAccountChanges,
    ) -> Result<ServiceAccount, ChangeServiceAccountError> {
        caller
            .require_admin("change service accounts")
            .map_err(FindServiceAccountError::from)?;
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            let now = self.0.now();
            let found = self.find(caller, which).await?;
            let changed = ServiceAccount {
                name: changes.name.clone().unwrap_or_else(|| found.name.clone()),
                full_name: changes
                    .full_name
                    .clone()
                    .unwrap_or_else(|| found.full_name.clone()),
                description: changes
                    .description
                    .clone()
                    .unwrap_or_else(|| found.description.clone()),
                avatar_url: changes.avatar_url.clone().or_else(|| found.avatar_url.clone()),
                active: changes.active.unwrap_or(found.active),
                updated: now,
                ..found.clone()
            };
            if !found.active && changed.active {
                caller.may_leave("switch a service account on")?;
            }
            if changed.name != found.name && changed.name.is_reserved() {
                return Err(ChangeServiceAccountError::NameReserved(changed.name));
            }
            let mut set = ChangeSet::new().with(Change::UpdateServiceAccount(changed.clone()));
            let switched = match (found.active, changed.active) {
                (false, true) => Some(Action::ServiceAccountActivated),
                (true, false) => Some(Action::ServiceAccountDeactivated),
                (true, true) | (false, false) => None,
            };
            if let Some(action) = switched {
                set = set.with(self.entry(caller, now, action, &changed, None));
            }
            let different = differences(&found, &changed);
            if switched.is_none() || !different.is_empty() {
                let details = Some(Details::Changes(different));
                set = set.with(self.entry(caller, now, Action::ServiceAccountUpdated, &changed, details));
            }
            match self.0.store().commit(set).await {
                Ok(()) => {
                    return Ok(ServiceAccount {
                        version: changed.version.next(),
                        ..changed
                    });
                }
                Err(CommitError::Stale) => {}
                Err(CommitError::Taken(Unique::ServiceAccountName)) => {
                    return Err(ChangeServiceAccountError::NameTaken(changed.name));
                }
                Err(error) => return Err(Internal::from(error).into()),
            }
        }
    }

    /// Deletes a service account with its keys.
    ///
    /// # Errors
    /// [`FindServiceAccountError`]
    pub async fn delete(
        self,
        caller: &Caller,
        which: &By<ServiceAccountId>,
    ) -> Result<(), FindServiceAccountError> {
        caller.require_admin("delete service accounts")?;
        let mut tries = Tries::new();
        loop {
            tries.next().await?;
            let now = self.0.now();
            let found = self.find(caller, which).await?;
            let set = ChangeSet::new()
                .with(Change::DeleteServiceAccount(found.id, found.version))
                .with(self.entry(caller, now, Action::ServiceAccountDeleted, &found, None));
            if self.0.committed(set).await? {
                return Ok(());
            }
        }
    }

    fn entry(
        self,
        caller: &Caller,
        now: Timestamp,
        action: Action,
        account: &ServiceAccount,
        details: Option<Details>,
    ) -> Change {
        let target = target(
            TargetKind::ServiceAccount,
            account.id.as_uuid(),
            account.name.as_str(),
        );
        Scribe::of(caller).entry_with(self.0.entropy(), now, action, target, details)
    }
}

/// What an update changed, but for whether the account may be used.
fn differences(before: &ServiceAccount, after: &ServiceAccount) -> Vec<FieldChange> {
    [
        FieldChange::between(ChangedField::Name, &before.name, &after.name),
        FieldChange::between(ChangedField::FullName, &before.full_name, &after.full_name),
        FieldChange::between(ChangedField::Description, &before.description, &after.description),
        FieldChange::between(
            ChangedField::Avatar,
            before.avatar_url.as_ref(),
            after.avatar_url.as_ref(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
