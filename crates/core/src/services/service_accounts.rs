//! Accounts of workloads.

use zenml_auth_model::audit::{ChangedField, FieldChange};
use zenml_auth_model::query::{Page, Query, ServiceAccountField};
use zenml_auth_model::{Action, Details, Name, ServiceAccount, ServiceAccountId, Text, Version};

use super::transact::Decision;
use super::{Engine, Internal};
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::caller::{Caller, Identity, NotAllowed, NotWithThis};
use crate::lookup::By;
use crate::ports::{Change, Unique, id_bytes};

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
        let (new, by) = (&new, &AuditWriter::of(caller));
        engine
            .transact("create a service account", |now| async move {
                let account = ServiceAccount {
                    id: ServiceAccountId::from_random(id_bytes(engine.entropy())),
                    name: new.name.clone(),
                    full_name: new.full_name.clone(),
                    description: new.description.clone(),
                    avatar_url: new.avatar_url.clone(),
                    active: new.active,
                    created: now,
                    updated: now,
                    version: Version::FIRST,
                };
                Ok(Decision::answer(account.clone())
                    .audit(
                        by,
                        Action::ServiceAccountCreated,
                        audit_target::service_account(&account),
                    )
                    .change(Change::InsertServiceAccount(account))
                    .fail_if_taken(
                        Unique::ServiceAccountName,
                        CreateServiceAccountError::NameTaken(new.name.clone()),
                    ))
            })
            .await
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
        let by = &AuditWriter::of(caller);
        self.0
            .transact("update a service account", |now| async move {
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
                let switched = match (found.active, changed.active) {
                    (false, true) => Some(Action::ServiceAccountActivated),
                    (true, false) => Some(Action::ServiceAccountDeactivated),
                    (true, true) | (false, false) => None,
                };
                let different = differences(&found, &changed);
                let target = || audit_target::service_account(&changed);
                let name_taken = ChangeServiceAccountError::NameTaken(changed.name.clone());
                let mut decision =
                    Decision::update(changed.clone()).fail_if_taken(Unique::ServiceAccountName, name_taken);
                if let Some(action) = switched {
                    decision = decision.audit(by, action, target());
                }
                if switched.is_none() || !different.is_empty() {
                    let details = Details::Changes(different);
                    decision = decision.audit_with(by, Action::ServiceAccountUpdated, target(), details);
                }
                Ok(decision)
            })
            .await
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
        self.0
            .transact("delete a service account", |_| async move {
                let found = self.find(caller, which).await?;
                Ok(Decision::answer(())
                    .audit(
                        &AuditWriter::of(caller),
                        Action::ServiceAccountDeleted,
                        audit_target::service_account(&found),
                    )
                    .change(Change::DeleteServiceAccount(found.id, found.version)))
            })
            .await
    }
}

/// What an update changed, except whether the account may be used.
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
