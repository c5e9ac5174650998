//! People's accounts.

use parking_lot::Mutex;
use uuid::Uuid;
use zenml_auth_model::audit::{ChangedField, FieldChange, RefusalReason};
use zenml_auth_model::query::{Page, Query, UserField};
use zenml_auth_model::{
    Action, Details, Invitation, Name, Origin, PasswordHash, Secret, SecretHash, ServiceAccount,
    ServiceAccountId, Text, Timestamp, User, UserId, Version,
};

use super::attempts::Refused;
use super::refusals::Refusal;
use super::setup::readable_password;
use super::transact::Decision;
use super::{Engine, Internal};
use crate::audit_target;
use crate::audit_writer::AuditWriter;
use crate::caller::{Caller, Identity, NotAllowed, NotWithThis};
use crate::lookup::By;
use crate::ports::{Change, Guard, Unique, id_bytes};
use crate::rules::user as rules;
use crate::secrets;
use crate::strength::{WeakPassword, Whose};
use crate::throttle::TooMany;

/// What a new user consists of.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The sign-in name.
    pub name: Name,
    /// The name to show.
    pub full_name: Text,
    /// An e-mail address.
    pub email: Option<Text>,
    /// Whether the person shares the address.
    pub email_opted_in: Option<bool>,
    /// A password; without one, the user is invited and sets their own.
    pub password: Option<Secret>,
    /// Whether the person becomes an administrator.
    pub is_admin: bool,
    /// A JSON object to keep with the account.
    pub metadata: Option<String>,
    /// A picture to show.
    pub avatar_url: Option<Text>,
}

/// What to change about a user; `None` leaves things as they are.
#[derive(Debug, Clone, Default)]
pub struct UserChanges {
    /// The sign-in name.
    pub name: Option<Name>,
    /// The name to show.
    pub full_name: Option<Text>,
    /// An e-mail address; one's own only.
    pub email: Option<Text>,
    /// Whether the person shares the address; one's own only.
    pub email_opted_in: Option<bool>,
    /// Whether the person is an administrator; somebody else's only.
    pub is_admin: Option<bool>,
    /// Whether the person may sign in; somebody else's only.
    pub active: Option<bool>,
    /// A new password; one's own only, with the old one.
    pub password: Option<Secret>,
    /// The password so far.
    pub old_password: Option<Secret>,
    /// A JSON object to keep with the account.
    pub metadata: Option<String>,
    /// The project that clients use unless told otherwise.
    pub default_project_id: Option<Uuid>,
    /// A picture to show.
    pub avatar_url: Option<Text>,
}

/// What goes by a user's id: a person, or a workload.
#[derive(Debug, Clone)]
pub enum Account {
    /// A person.
    User(User),
    /// A workload.
    ServiceAccount(ServiceAccount),
}

/// Why no user was made.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    /// The credential is not enough.
    #[error(transparent)]
    NotWithThis(#[from] NotWithThis),
    /// Administrators only.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// There is one of that name.
    #[error("there is a user of the name {0} already")]
    NameTaken(Name),
    /// The name is a word for an actor of the audit trail.
    #[error("the name {0} is reserved; choose another one")]
    NameReserved(Name),
    /// The password can't be set.
    #[error(transparent)]
    WeakPassword(#[from] WeakPassword),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Why a user can't be had.
#[derive(Debug, thiserror::Error)]
pub enum FindUserError {
    /// People see themselves only, unless they are administrators.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// There is none.
    #[error("no such user: {0}")]
    NotFound(By<UserId>),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// The old password is missing.
    #[error("the current password is needed to change it")]
    OldPasswordMissing,
    /// The old password is wrong.
    #[error("the current password is wrong")]
    OldPasswordWrong,
    /// The new one can't be set.
    #[error(transparent)]
    WeakPassword(#[from] WeakPassword),
    /// Too many wrong ones.
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

/// Why a user was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeUserError {
    /// The credential is not enough.
    #[error(transparent)]
    NotWithThis(#[from] NotWithThis),
    /// The user can't be had.
    #[error(transparent)]
    Find(#[from] FindUserError),
    /// There is one of that name.
    #[error("there is a user of the name {0} already")]
    NameTaken(Name),
    /// The name is a word for an actor of the audit trail.
    #[error("the name {0} is reserved; choose another one")]
    NameReserved(Name),
    /// The password was not changed.
    #[error(transparent)]
    Password(#[from] ChangePasswordError),
    /// Only administrators rename users.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// People set their own passwords.
    #[error("nobody sets the password of somebody else; deactivate the account and let them set a new one")]
    OthersPassword,
    /// People decide about their own addresses.
    #[error("nobody changes the e-mail settings of somebody else")]
    OthersEmail,
    /// Nobody changes their own rights.
    #[error("nobody changes whether they are an administrator themselves")]
    OwnAdminFlag,
    /// Nobody deactivates themselves.
    #[error("nobody activates or deactivates themselves")]
    OwnActiveFlag,
    /// There has to be an administrator.
    #[error("this is the last administrator; make somebody else one first")]
    LastAdministrator,
    /// Without a password there is nothing to sign in with.
    #[error("the user has no password yet; deactivate them for a new activation token")]
    NeverActivated,
    /// Sharing an address needs an address.
    #[error("sharing an e-mail address needs an address")]
    EmailMissing,
}

impl From<WeakPassword> for ChangeUserError {
    fn from(error: WeakPassword) -> Self {
        Self::Password(error.into())
    }
}

impl From<Internal> for ChangeUserError {
    fn from(error: Internal) -> Self {
        Self::Find(error.into())
    }
}

/// Why a user was not deactivated.
#[derive(Debug, thiserror::Error)]
pub enum DeactivateUserError {
    /// The credential is not enough.
    #[error(transparent)]
    NotWithThis(#[from] NotWithThis),
    /// The user can't be had.
    #[error(transparent)]
    Find(#[from] FindUserError),
    /// Nobody deactivates themselves.
    #[error("nobody deactivates themselves")]
    Oneself,
    /// There has to be an administrator.
    #[error("this is the last administrator; make somebody else one first")]
    LastAdministrator,
}

impl From<Internal> for DeactivateUserError {
    fn from(error: Internal) -> Self {
        Self::Find(error.into())
    }
}

/// Why a user was not deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteUserError {
    /// The user can't be had.
    #[error(transparent)]
    Find(#[from] FindUserError),
    /// Nobody deletes themselves.
    #[error("nobody deletes the account they are signed in with")]
    Oneself,
    /// There has to be an administrator.
    #[error("this is the last administrator; make somebody else one first")]
    LastAdministrator,
}

impl From<Internal> for DeleteUserError {
    fn from(error: Internal) -> Self {
        Self::Find(error.into())
    }
}

/// Why an account was not activated.
#[derive(Debug, thiserror::Error)]
pub enum ActivateUserError {
    /// There is no such user, no token is out, or it is another one. Strangers are not told which.
    #[error("the activation token is not valid")]
    Invalid,
    /// The password can't be set.
    #[error(transparent)]
    WeakPassword(#[from] WeakPassword),
    /// Too many wrong tokens.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Not the caller's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// Why an operator's change of a user was not made.
#[derive(Debug, thiserror::Error)]
pub enum OperatorUserError {
    /// There is no such user.
    #[error("there is no user of the name {0}")]
    NotFound(String),
    /// The password can't be set.
    #[error(transparent)]
    WeakPassword(#[from] WeakPassword),
    /// Not the operator's fault.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// A new password that was accepted, and the old one that was checked for it.
struct CheckedPassword {
    old: Option<PasswordHash>,
    new: PasswordHash,
}

/// Manages users.
#[derive(Clone, Copy)]
pub struct Users<'a>(pub(super) &'a Engine);

impl Users<'_> {
    /// Makes a user. Without a password, the user is invited: the token that comes back lets its holder set one.
    ///
    /// # Errors
    /// [`CreateUserError`]
    pub async fn create(
        self,
        caller: &Caller,
        new: NewUser,
    ) -> Result<(User, Option<Secret>), CreateUserError> {
        caller.require_admin("create users")?;
        if new.name.is_reserved() {
            return Err(CreateUserError::NameReserved(new.name));
        }
        let engine = self.0;
        caller.may_leave("create a user")?;
        if new.is_admin {
            engine.recent_person(caller, "make an administrator", engine.now())?;
        }
        let (password, token) = match &new.password {
            Some(password) => {
                let whose = whose(&new.name, &new.full_name, new.email.as_ref());
                (
                    Some(
                        self.new_password::<CreateUserError>(password.clone(), whose)
                            .await?,
                    ),
                    None,
                )
            }
            None => (None, Some(secrets::random_secret(engine.entropy()))),
        };
        let by = &AuditWriter::of(caller);
        let (new, password, token) = (&new, &password, &token);
        engine
            .transact::<_, CreateUserError, _>("create a user", |now| async move {
                let user = User {
                    id: UserId::from_random(id_bytes(engine.entropy())),
                    name: new.name.clone(),
                    full_name: new.full_name.clone(),
                    email: new.email.clone(),
                    email_opted_in: new.email_opted_in,
                    active: password.is_some(),
                    is_admin: new.is_admin,
                    password_changed: password.is_some().then_some(now),
                    password: password.clone(),
                    invitation: token.as_ref().map(|token| self.invitation(token, now)),
                    credentials_gen: 1,
                    metadata: new.metadata.clone(),
                    default_project_id: None,
                    avatar_url: new.avatar_url.clone(),
                    created: now,
                    updated: now,
                    version: Version::FIRST,
                };
                let details = Details::UserCreated {
                    administrator: user.is_admin,
                    invited_until: user.invitation.map(|invitation| invitation.expires),
                };
                let mut decision = Decision::answer((user.clone(), token.clone()))
                    .audit_with(by, Action::UserCreated, audit_target::user(&user), details)
                    .fail_if_taken(Unique::UserName, CreateUserError::NameTaken(user.name.clone()));
                if user.is_admin {
                    decision = decision.audit(by, Action::UserAdminGranted, audit_target::user(&user));
                }
                Ok(decision.change(Change::InsertUser(user)))
            })
            .await
    }

    /// A user. A service account can be had by id too, as clients look up who made something.
    ///
    /// # Errors
    /// [`FindUserError`]
    pub async fn find(self, caller: &Caller, which: &By<UserId>) -> Result<Account, FindUserError> {
        match self.find_user(caller, which, "see other users").await {
            Err(FindUserError::NotFound(By::Id(id))) => {
                let id = ServiceAccountId::from_uuid(id.as_uuid());
                let own = matches!(&caller.identity, Identity::ServiceAccount(own) if own.id == id);
                if !own {
                    caller.require_admin("see other users")?;
                }
                let found = self.0.store().service_account(id).await.map_err(Internal::from)?;
                found
                    .map(Account::ServiceAccount)
                    .ok_or_else(|| FindUserError::NotFound(which.clone()))
            }
            found => found.map(Account::User),
        }
    }

    /// A page of users; for a caller who is not an administrator, of oneself only.
    ///
    /// # Errors
    /// [`Internal`] when the store does not answer.
    pub async fn list(self, caller: &Caller, query: &Query<UserField>) -> Result<Page<User>, Internal> {
        let only = match (&caller.identity, caller.is_admin()) {
            (_, true) => None,
            (Identity::User(user), false) => Some(user.id),
            (Identity::ServiceAccount(_) | Identity::Operator, false) => {
                return Ok(Page {
                    items: Vec::new(),
                    total: 0,
                    request: query.page,
                });
            }
        };
        Ok(self.0.store().list_users(query, only).await?)
    }

    /// Changes a user.
    ///
    /// # Errors
    /// [`ChangeUserError`]
    pub async fn update(
        self,
        caller: &Caller,
        which: &By<UserId>,
        changes: &UserChanges,
    ) -> Result<User, ChangeUserError> {
        let engine = self.0;
        let by = &AuditWriter::of(caller);
        let checked = &Mutex::new(None);
        engine
            .transact("update a user", |now| async move {
                let found = self.find_user(caller, which, "change other users").await?;
                let own = caller.user_id() == Some(found.id);
                check_rights(caller, changes, &found, own)?;
                self.check_credential(caller, changes, &found, now)?;
                let password = match &changes.password {
                    None => None,
                    Some(password) => Some(
                        self.checked_password(caller, changes, &found, password, checked)
                            .await?,
                    ),
                };
                let (changed, actions) = decide_update(&found, changes, password, now)?;
                let target = || audit_target::user(&changed);
                let name_taken = ChangeUserError::NameTaken(changed.name.clone());
                let guard = self
                    .spare_administrator(&found, Some(&changed), ChangeUserError::LastAdministrator)
                    .await?;
                let mut decision = Decision::update(changed.clone())
                    .guarded(guard)
                    .fail_if_taken(Unique::UserName, name_taken);
                let different = differences(&found, &changed);
                if actions.is_empty() || !different.is_empty() {
                    let details = Details::Changes(different);
                    decision = decision.audit_with(by, Action::UserUpdated, target(), details);
                }
                for action in actions {
                    decision = decision.audit(by, action, target());
                }
                Ok(decision)
            })
            .await
    }

    /// Deactivates a user, and makes a token with which they can set a new password and come back.
    ///
    /// # Errors
    /// [`DeactivateUserError`]
    pub async fn deactivate(
        self,
        caller: &Caller,
        which: &By<UserId>,
    ) -> Result<(User, Secret), DeactivateUserError> {
        let engine = self.0;
        engine
            .transact("deactivate a user", |now| async move {
                let found = self.find_user(caller, which, "deactivate other users").await?;
                if caller.user_id() == Some(found.id) {
                    return Err(DeactivateUserError::Oneself);
                }
                // The activation token sets a password, and so outlives the credential. Without one, `update` switches off.
                caller.may_leave("make an activation token")?;
                if found.is_admin {
                    engine.recent_person(caller, "make an activation token for an administrator", now)?;
                }
                let token = secrets::random_secret(engine.entropy());
                let invitation = self.invitation(&token, now);
                let changed = rules::deactivate(found.clone(), Some(invitation), now);
                let guard = self
                    .spare_administrator(&found, Some(&changed), DeactivateUserError::LastAdministrator)
                    .await?;
                let details = Details::Invited {
                    until: invitation.expires,
                };
                let target = audit_target::user(&changed);
                Ok(Decision::update(changed)
                    .guarded(guard)
                    .audit_with(&AuditWriter::of(caller), Action::UserDeactivated, target, details)
                    .map(|user| (user, token)))
            })
            .await
    }

    /// Redeems an activation token: sets a password, and switches the user on again.
    ///
    /// # Errors
    /// [`ActivateUserError`]
    pub async fn activate(
        self,
        which: &By<UserId>,
        token: &Secret,
        password: Secret,
        full_name: Option<Text>,
        origin: &Origin,
    ) -> Result<User, ActivateUserError> {
        let engine = self.0;
        let called = which.to_string();
        let presented = secrets::hash(token);
        // The token is checked before the password is hashed: strangers can't make the server work.
        let checked = self.redeemable(which, &presented, origin).await;
        if matches!(checked, Err(ActivateUserError::Invalid)) {
            engine
                .throttle
                .wrong_secret(origin.address, engine.now())
                .inspect_err(|_| {
                    engine.refused(Refusal::too_many_on(Action::SignInThrottled, &called, origin));
                })?;
        }
        let user = checked?;
        let (presented, full_name) = (&presented, &full_name);
        let hash = &self
            .new_password::<ActivateUserError>(password, whose_is(&user))
            .await?;
        engine
            .transact("activate a user", |now| async move {
                let found = self.redeemable(which, presented, origin).await?;
                let activated = rules::activate(found.clone(), hash.clone(), now);
                let activated = User {
                    full_name: full_name.clone().unwrap_or(activated.full_name),
                    ..activated
                };
                let by = &AuditWriter::user(&activated, origin);
                let mut different = differences(&found, &activated);
                different.push(FieldChange::untold(ChangedField::Password));
                let details = Details::Changes(different);
                let target = audit_target::user(&activated);
                Ok(Decision::update(activated).audit_with(by, Action::UserActivated, target, details))
            })
            .await
    }

    /// The user, if this is the hash of the activation token that is out for them.
    async fn redeemable(
        self,
        which: &By<UserId>,
        presented: &SecretHash,
        origin: &Origin,
    ) -> Result<User, ActivateUserError> {
        let found = match which {
            By::Id(id) => self.0.store().user(*id).await,
            By::Name(name) => self.0.user_by_name(name).await,
        };
        let found = found.map_err(Internal::from)?;
        let refused = |reason| {
            let called = which.to_string();
            let action = Action::UserActivationRefused;
            let refusal = Refusal::of_account(action, reason, found.as_ref(), &called, origin);
            self.0.refused(refusal);
            ActivateUserError::Invalid
        };
        match &found {
            None => Err(refused(RefusalReason::UnknownAccount)),
            Some(user) => match rules::redeemable(user, presented, self.0.now()) {
                Ok(()) => Ok(user.clone()),
                Err(rules::NotRedeemable::WrongToken) => Err(refused(RefusalReason::WrongToken)),
                Err(rules::NotRedeemable::Ended) => Err(refused(RefusalReason::InvitationEnded)),
            },
        }
    }

    /// Deletes a user with their devices and sign-ins.
    ///
    /// # Errors
    /// [`DeleteUserError`]
    pub async fn delete(self, caller: &Caller, which: &By<UserId>) -> Result<(), DeleteUserError> {
        self.0
            .transact("delete a user", |_| async move {
                let found = self.find_user(caller, which, "delete other users").await?;
                if caller.user_id() == Some(found.id) {
                    return Err(DeleteUserError::Oneself);
                }
                let guard = self
                    .spare_administrator(&found, None, DeleteUserError::LastAdministrator)
                    .await?;
                Ok(Decision::answer(())
                    .guarded(guard)
                    .audit(
                        &AuditWriter::of(caller),
                        Action::UserDeleted,
                        audit_target::user(&found),
                    )
                    .change(Change::DeleteUser(found.id, found.version)))
            })
            .await
    }

    /// A strong password that can be read out, for who has none in mind.
    #[must_use]
    pub fn suggest_password(self) -> Secret {
        readable_password(self.0.entropy())
    }

    /// An operator sets a user's password, and switches them on if they were off. Everything that was signed in
    /// as that user ends.
    ///
    /// # Errors
    /// [`OperatorUserError`]
    pub async fn reset_password(self, name: &str, password: Secret) -> Result<User, OperatorUserError> {
        let engine = self.0;
        let found = engine.user_by_name(name).await.map_err(Internal::from)?;
        let found = found.ok_or_else(|| OperatorUserError::NotFound(name.to_owned()))?;
        let hash = &self
            .new_password::<OperatorUserError>(password, whose_is(&found))
            .await?;
        let by = &AuditWriter::of(&Caller::operator());
        engine
            .transact("reset a password", |now| async move {
                let found = engine.user_by_name(name).await.map_err(Internal::from)?;
                let found = found.ok_or_else(|| OperatorUserError::NotFound(name.to_owned()))?;
                let was_active = found.active;
                let changed = rules::activate(found, hash.clone(), now);
                let target = audit_target::user(&changed);
                let mut decision =
                    Decision::update(changed).audit(by, Action::UserPasswordReset, target.clone());
                if !was_active {
                    decision = decision.audit(by, Action::UserActivated, target);
                }
                Ok(decision)
            })
            .await
    }

    /// Oneself or, for administrators, anybody. Who may not see others learns nothing about whether they exist.
    async fn find_user(
        self,
        caller: &Caller,
        which: &By<UserId>,
        action: &'static str,
    ) -> Result<User, FindUserError> {
        let own = caller.user().is_some_and(|user| match which {
            By::Id(id) => *id == user.id,
            By::Name(name) => user.name.is(name),
        });
        let own_id = matches!(
            (&caller.identity, which),
            (Identity::ServiceAccount(own), By::Id(id)) if own.id.as_uuid() == id.as_uuid()
        );
        if !own && !own_id {
            caller.require_admin(action)?;
        }
        let found = match which {
            By::Id(id) => self.0.store().user(*id).await,
            By::Name(name) => self.0.user_by_name(name).await,
        };
        found
            .map_err(Internal::from)?
            .ok_or_else(|| FindUserError::NotFound(which.clone()))
    }

    /// What gives rights, or a credential that outlives the caller's, needs more than any credential.
    fn check_credential(
        self,
        caller: &Caller,
        changes: &UserChanges,
        found: &User,
        now: Timestamp,
    ) -> Result<(), NotWithThis> {
        if changes.password.is_some() {
            self.0.recent_person(caller, "change a password", now)?;
        }
        let becomes_admin = changes.is_admin == Some(true) && !found.is_admin;
        let comes_back = changes.active == Some(true) && !found.active;
        let stays_admin = changes.is_admin.unwrap_or(found.is_admin);
        if becomes_admin {
            self.0.recent_person(caller, "make an administrator", now)?;
        }
        if comes_back && stays_admin {
            self.0.recent_person(caller, "switch an administrator on", now)?;
        }
        if comes_back {
            caller.may_leave("switch a user on")?;
        }
        Ok(())
    }

    /// The hash of a new password, once the old one was checked. What was checked in an earlier round stays good unless another
    /// password was set meanwhile.
    async fn checked_password(
        self,
        caller: &Caller,
        changes: &UserChanges,
        found: &User,
        password: &Secret,
        earlier: &Mutex<Option<CheckedPassword>>,
    ) -> Result<PasswordHash, ChangeUserError> {
        if let Some(checked) = earlier.lock().as_ref()
            && checked.old == found.password
        {
            return Ok(checked.new.clone());
        }
        self.check_old_password(caller, found, changes.old_password.clone())
            .await?;
        let hash = self
            .new_password::<ChangeUserError>(password.clone(), whose_is(found))
            .await?;
        *earlier.lock() = Some(CheckedPassword {
            old: found.password.clone(),
            new: hash.clone(),
        });
        Ok(hash)
    }

    async fn check_old_password(
        self,
        caller: &Caller,
        user: &User,
        old: Option<Secret>,
    ) -> Result<(), ChangeUserError> {
        let engine = self.0;
        let old = old.ok_or(ChangePasswordError::OldPasswordMissing)?;
        let refused = |action, reason| {
            let refusal = Refusal::of_user(action, reason, user, &caller.origin);
            engine.refused(refusal.by(AuditWriter::of(caller)));
        };
        let attempt = engine
            .attempt_password(user.name.as_str(), caller.origin.address)
            .await
            .map_err(|error| match error {
                Refused::TooMany(error) => {
                    refused(Action::SignInThrottled, RefusalReason::TooMany);
                    ChangeUserError::from(ChangePasswordError::from(error))
                }
                Refused::Internal(error) => error.into(),
            })?;
        match engine.passwords.verify(old, user.password.clone()).await {
            Ok(true) => {
                attempt.succeeded().await;
                Ok(())
            }
            Ok(false) => {
                refused(Action::UserPasswordRefused, RefusalReason::WrongPassword);
                attempt.failed().await?;
                Err(ChangePasswordError::OldPasswordWrong.into())
            }
            Err(error) => {
                attempt.came_to_nothing();
                Err(Internal::from(error).into())
            }
        }
    }

    /// Makes sure that an administrator is left after a change of a user from one state to another, or to none. If the change takes
    /// an administrator away, it has to go with the guard that comes back: of two such changes at the same time, one begins again.
    /// Fails with `last` when there is no other administrator.
    async fn spare_administrator<E: From<Internal>>(
        self,
        before: &User,
        after: Option<&User>,
        last: E,
    ) -> Result<Option<Change>, E> {
        if !rules::can_administer(before) || after.is_some_and(rules::can_administer) {
            return Ok(None);
        }
        let store = self.0.store();
        // The guard is read first: a change of the count after it makes this change stale.
        let guard = store.guard(Guard::Administrators).await.map_err(Internal::from)?;
        let count = store.count_administrators().await.map_err(Internal::from)?;
        if count > 1 {
            Ok(Some(Change::Guard(Guard::Administrators, guard)))
        } else {
            Err(last)
        }
    }

    /// Hashes a password that is to be set, if it may be.
    async fn new_password<E: From<WeakPassword> + From<Internal>>(
        self,
        password: Secret,
        whose: Whose,
    ) -> Result<PasswordHash, E> {
        let least = self.0.limits().password_min_length;
        let passwords = &self.0.passwords;
        let hashed = passwords.hash_new(password, least, whose, self.0.entropy()).await;
        Ok(hashed.map_err(Internal::from)??)
    }

    fn invitation(self, token: &Secret, now: Timestamp) -> Invitation {
        Invitation {
            token: secrets::hash(token),
            expires: now + self.0.settings.lifetimes.invitation,
        }
    }
}

/// The user as an update makes them, and what happens to them beside what changed.
fn decide_update(
    found: &User,
    changes: &UserChanges,
    password: Option<PasswordHash>,
    now: Timestamp,
) -> Result<(User, Vec<Action>), ChangeUserError> {
    let mut changed = User {
        name: changes.name.clone().unwrap_or_else(|| found.name.clone()),
        full_name: changes
            .full_name
            .clone()
            .unwrap_or_else(|| found.full_name.clone()),
        email: changes.email.clone().or_else(|| found.email.clone()),
        // An address that is given without a word on sharing is shared, unless the person said no before.
        email_opted_in: changes
            .email_opted_in
            .or_else(|| found.email_opted_in.or(changes.email.is_some().then_some(true))),
        is_admin: changes.is_admin.unwrap_or(found.is_admin),
        metadata: changes.metadata.clone().or_else(|| found.metadata.clone()),
        default_project_id: changes.default_project_id.or(found.default_project_id),
        avatar_url: changes.avatar_url.clone().or_else(|| found.avatar_url.clone()),
        updated: now,
        ..found.clone()
    };
    let mut actions = Vec::new();
    if changed.is_admin != found.is_admin {
        actions.push(if changed.is_admin {
            Action::UserAdminGranted
        } else {
            Action::UserAdminRevoked
        });
    }
    if let Some(hash) = password {
        changed = rules::change_password(changed, hash, now);
        actions.push(Action::UserPasswordChanged);
    }
    match changes.active {
        // For a person who was invited and has not set a password, this ends the invitation.
        Some(false) if found.active || found.invitation.is_some() => {
            changed = rules::deactivate(changed, None, now);
            actions.push(Action::UserDeactivated);
        }
        Some(true) if !found.active && found.password.is_none() => {
            return Err(ChangeUserError::NeverActivated);
        }
        Some(true) if !found.active => {
            changed = rules::reactivate(changed, now);
            actions.push(Action::UserActivated);
        }
        Some(_) | None => {}
    }
    Ok((changed, actions))
}

fn whose(name: &Name, full_name: &Text, email: Option<&Text>) -> Whose {
    let known = [Some(full_name), email];
    Whose {
        name: name.to_string(),
        known: known.into_iter().flatten().map(Text::to_string).collect(),
    }
}

fn whose_is(user: &User) -> Whose {
    whose(&user.name, &user.full_name, user.email.as_ref())
}

/// What an update changed, but for what has an action of its own.
fn differences(before: &User, after: &User) -> Vec<FieldChange> {
    let metadata = before.metadata != after.metadata;
    [
        FieldChange::between(ChangedField::Name, &before.name, &after.name),
        FieldChange::between(ChangedField::FullName, &before.full_name, &after.full_name),
        FieldChange::between(ChangedField::Email, before.email.as_ref(), after.email.as_ref()),
        FieldChange::between(
            ChangedField::EmailOptedIn,
            before.email_opted_in,
            after.email_opted_in,
        ),
        FieldChange::between(
            ChangedField::DefaultProject,
            before.default_project_id,
            after.default_project_id,
        ),
        FieldChange::between(
            ChangedField::Avatar,
            before.avatar_url.as_ref(),
            after.avatar_url.as_ref(),
        ),
        // Clients keep whatever they like in it.
        metadata.then(|| FieldChange::untold(ChangedField::Metadata)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn check_rights(
    caller: &Caller,
    changes: &UserChanges,
    found: &User,
    own: bool,
) -> Result<(), ChangeUserError> {
    if let Some(name) = changes.name.as_ref().filter(|name| **name != found.name) {
        caller.require_admin("rename users")?;
        if name.is_reserved() {
            return Err(ChangeUserError::NameReserved(name.clone()));
        }
    }
    if changes.password.is_some() && !own {
        return Err(ChangeUserError::OthersPassword);
    }
    if (changes.email.is_some() || changes.email_opted_in.is_some()) && !own {
        return Err(ChangeUserError::OthersEmail);
    }
    if changes.email_opted_in == Some(true) && changes.email.is_none() && found.email.is_none() {
        return Err(ChangeUserError::EmailMissing);
    }
    if own && changes.is_admin.is_some_and(|wanted| wanted != found.is_admin) {
        return Err(ChangeUserError::OwnAdminFlag);
    }
    if own && changes.active.is_some_and(|wanted| wanted != found.active) {
        return Err(ChangeUserError::OwnActiveFlag);
    }
    Ok(())
}
