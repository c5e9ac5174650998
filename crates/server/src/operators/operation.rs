//! What an operator can ask for, what comes of it, and carrying it out.

use serde::{Deserialize, Serialize};
use zenml_auth_api::SecretText;
use zenml_auth_core::caller::Caller;
use zenml_auth_core::lookup::By;
use zenml_auth_core::sealing::Place;
use zenml_auth_core::services::{
    ChangeUserError, CreateUserError, DeactivateUserError, EncryptionStatus, Engine, FindUserError, Internal,
    KeptRow, NewUser, OperatorUserError, RotateEncryptionError, UserChanges,
};
use zenml_auth_model::query::{PageRequest, Query};
use zenml_auth_model::{EncryptionKeyId, Name, Secret, Text, User};

/// How many users come at a time.
const PAGE: u32 = 1000;

/// What an operator can ask for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// Make a user.
    CreateUser {
        /// The sign-in name.
        name: String,
        /// Whether they administer.
        is_admin: bool,
        /// Their password; one is made when none is given.
        password: Option<SecretText>,
    },
    /// Set a user's password, and switch them on; everything they were signed in with ends.
    ResetPassword {
        /// The sign-in name.
        name: String,
        /// The new password; one is made when none is given.
        password: Option<SecretText>,
    },
    /// Keep a user out; everything they were signed in with ends for good.
    DeactivateUser {
        /// The sign-in name.
        name: String,
    },
    /// Switch a user on again, with the password they had.
    ActivateUser {
        /// The sign-in name.
        name: String,
    },
    /// A page of the users.
    ListUsers {
        /// Which page, from 1.
        page: u32,
    },
    /// Which key seals what.
    EncryptionStatus,
    /// Seal everything anew under the current key.
    RotateEncryption {
        /// The key that has to be the current one, if it matters.
        wanted: Option<String>,
    },
}

impl Operation {
    /// What it is called in the log. Whom it is about is in the audit trail.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CreateUser { .. } => "create_user",
            Self::ResetPassword { .. } => "reset_password",
            Self::DeactivateUser { .. } => "deactivate_user",
            Self::ActivateUser { .. } => "activate_user",
            Self::ListUsers { .. } => "list_users",
            Self::EncryptionStatus => "encryption_status",
            Self::RotateEncryption { .. } => "rotate_encryption",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// There is a new user.
    UserCreated {
        /// Their name.
        name: String,
        /// Their password, if it was made.
        made_password: Option<SecretText>,
    },
    /// The user has a new password.
    PasswordReset {
        /// Their name.
        name: String,
        /// Their password, if it was made.
        made_password: Option<SecretText>,
    },
    /// The user is kept out.
    UserDeactivated {
        /// Their name.
        name: String,
        /// With it they can set a new password and come back.
        activation_token: SecretText,
    },
    /// The user may come in.
    UserActivated {
        /// Their name.
        name: String,
    },
    /// A page of users.
    Users {
        /// Those on it.
        users: Vec<Listed>,
        /// Whether there are more.
        more: bool,
    },
    /// Which key seals what.
    Encryption(Sealing),
    /// Everything is sealed under the current key.
    EncryptionRotated {
        /// Its id.
        key: String,
        /// How many secrets were sealed under another one before.
        secrets: usize,
    },
}

/// Which key seals what; no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealing {
    /// The id of the key that seals, if there is one.
    pub current: Option<String>,
    /// The ids of the keys that open.
    pub known: Vec<String>,
    /// What is sealed, or should be.
    pub rows: Vec<Kept>,
}

/// A secret of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// `server_secret` or `signing_key`.
    pub what: String,
    /// The id of the server or of the key.
    pub id: String,
    /// The id of the key that it is sealed under; none if it is in plain.
    pub sealed_by: Option<String>,
    /// Why it can't be used, if it can't.
    pub problem: Option<String>,
}

/// A user in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Their id.
    pub id: String,
    /// Their sign-in name.
    pub name: String,
    /// Whether they may come in.
    pub state: State,
    /// Whether they administer.
    pub is_admin: bool,
}

/// Whether a user may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// They may.
    Active,
    /// They never set a password. They may come in when they do, with their activation token.
    Invited,
    /// They may not, as they were deactivated.
    Inactive,
}

/// Why it was not done. Nothing was changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// There is no such user.
    #[error("there is no user of the name {0}")]
    NoSuchUser(String),
    /// There is one already.
    #[error("there is a user of the name {0} already")]
    NameTaken(String),
    /// What was given can't be used; why.
    #[error("{0}")]
    NotUsable(String),
    /// There has to be an administrator.
    #[error("this is the last administrator; make somebody else one first")]
    LastAdministrator,
    /// Without a password there is nothing to sign in with.
    #[error("the user has no password yet; set one with reset-password")]
    NoPassword,
    /// The database, most likely; why.
    #[error("{0}")]
    Failed(String),
    /// The request could not be read.
    #[error("the server did not understand the request")]
    NotUnderstood,
    /// The server speaks another language.
    #[error(
        "the server that runs on this database is {program}, which this program can't talk to; use that one"
    )]
    OtherProtocol {
        /// The server's version.
        program: String,
    },
}

/// Carries out an operation as the operator.
///
/// # Errors
/// [`Refusal`]
pub async fn perform(engine: &Engine, operation: Operation) -> Result<Done, Refusal> {
    let operator = Caller::operator();
    let users = engine.users();
    Ok(match operation {
        Operation::CreateUser {
            name,
            is_admin,
            password,
        } => {
            let (password, made_password) = given_or_made(engine, password);
            let new = NewUser {
                name: Name::new(name).map_err(|error| Refusal::NotUsable(error.to_string()))?,
                full_name: Text::default(),
                email: None,
                email_opted_in: None,
                password: Some(password),
                is_admin,
                metadata: None,
                avatar_url: None,
            };
            let (user, _) = users.create(&operator, new).await?;
            Done::UserCreated {
                name: user.name.to_string(),
                made_password,
            }
        }
        Operation::ResetPassword { name, password } => {
            let (password, made_password) = given_or_made(engine, password);
            let user = users.reset_password(&name, password).await?;
            Done::PasswordReset {
                name: user.name.to_string(),
                made_password,
            }
        }
        Operation::DeactivateUser { name } => {
            let (user, token) = users.deactivate(&operator, &By::Name(name)).await?;
            Done::UserDeactivated {
                name: user.name.to_string(),
                activation_token: token.into(),
            }
        }
        Operation::ActivateUser { name } => {
            let changes = UserChanges {
                active: Some(true),
                ..UserChanges::default()
            };
            let user = users.update(&operator, &By::Name(name), &changes).await?;
            Done::UserActivated {
                name: user.name.to_string(),
            }
        }
        Operation::ListUsers { page } => {
            let query = Query {
                page: PageRequest::new(page, PAGE).map_err(|error| Refusal::NotUsable(error.to_string()))?,
                ..Query::default()
            };
            let found = users.list(&operator, &query).await?;
            Done::Users {
                users: found.items.iter().map(Listed::from).collect(),
                more: u64::from(page) < found.total_pages(),
            }
        }
        Operation::EncryptionStatus => Done::Encryption(Sealing::from(engine.encryption().status().await?)),
        Operation::RotateEncryption { wanted } => {
            let wanted = wanted
                .map(EncryptionKeyId::new)
                .transpose()
                .map_err(|error| Refusal::NotUsable(error.to_string()))?;
            let secrets = engine.encryption().rotate(wanted.as_ref()).await?;
            let current = engine.encryption().status().await?.current;
            Done::EncryptionRotated {
                key: current.map(|key| key.to_string()).unwrap_or_default(),
                secrets,
            }
        }
    })
}

/// The password, and the same again if somebody has to be told.
fn given_or_made(engine: &Engine, given: Option<SecretText>) -> (Secret, Option<SecretText>) {
    match given {
        Some(password) => (password.into_secret(), None),
        None => {
            let made = engine.users().suggest_password();
            (made.clone(), Some(made.into()))
        }
    }
}

impl From<&User> for Listed {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.to_string(),
            name: user.name.to_string(),
            state: match (user.active, user.password.is_some()) {
                (true, _) => State::Active,
                // Who had a password was deactivated, with or without a token to come back.
                (false, true) => State::Inactive,
                (false, false) => State::Invited,
            },
            is_admin: user.is_admin,
        }
    }
}

impl From<EncryptionStatus> for Sealing {
    fn from(status: EncryptionStatus) -> Self {
        let kept = |row: KeptRow| {
            let (what, id) = match row.place {
                Place::ServerSecret(id) => ("server_secret", id.to_string()),
                Place::SigningKey(_, id) => ("signing_key", id.to_string()),
            };
            Kept {
                what: what.to_owned(),
                id,
                sealed_by: row.sealed_by.map(|key| key.to_string()),
                problem: row.problem.map(|problem| problem.to_string()),
            }
        };
        Self {
            current: status.current.map(|key| key.to_string()),
            known: status.known.iter().map(ToString::to_string).collect(),
            rows: status.rows.into_iter().map(kept).collect(),
        }
    }
}

impl From<RotateEncryptionError> for Refusal {
    fn from(error: RotateEncryptionError) -> Self {
        match error {
            RotateEncryptionError::Internal(error) => error.into(),
            error @ (RotateEncryptionError::NotSetUp | RotateEncryptionError::OtherKey { .. }) => {
                Self::NotUsable(error.to_string())
            }
        }
    }
}

impl From<Internal> for Refusal {
    fn from(error: Internal) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<CreateUserError> for Refusal {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::NameTaken(name) => Self::NameTaken(name.to_string()),
            CreateUserError::WeakPassword(weak) => Self::NotUsable(weak.to_string()),
            error @ CreateUserError::NameReserved(_) => Self::NotUsable(error.to_string()),
            CreateUserError::Internal(error) => error.into(),
            error @ (CreateUserError::NotAllowed(_) | CreateUserError::NotWithThis(_)) => {
                Self::Failed(error.to_string())
            }
        }
    }
}

impl From<OperatorUserError> for Refusal {
    fn from(error: OperatorUserError) -> Self {
        match error {
            OperatorUserError::NotFound(name) => Self::NoSuchUser(name),
            OperatorUserError::WeakPassword(weak) => Self::NotUsable(weak.to_string()),
            OperatorUserError::Internal(error) => error.into(),
        }
    }
}

impl From<FindUserError> for Refusal {
    fn from(error: FindUserError) -> Self {
        match error {
            FindUserError::NotFound(which) => Self::NoSuchUser(which.to_string()),
            FindUserError::Internal(error) => error.into(),
            error @ FindUserError::NotAllowed(_) => Self::Failed(error.to_string()),
        }
    }
}

impl From<DeactivateUserError> for Refusal {
    fn from(error: DeactivateUserError) -> Self {
        match error {
            DeactivateUserError::Find(error) => error.into(),
            DeactivateUserError::LastAdministrator => Self::LastAdministrator,
            error @ (DeactivateUserError::Oneself | DeactivateUserError::NotWithThis(_)) => {
                Self::Failed(error.to_string())
            }
        }
    }
}

impl From<ChangeUserError> for Refusal {
    fn from(error: ChangeUserError) -> Self {
        match error {
            ChangeUserError::Find(error) => error.into(),
            ChangeUserError::LastAdministrator => Self::LastAdministrator,
            ChangeUserError::NeverActivated => Self::NoPassword,
            ChangeUserError::NameTaken(name) => Self::NameTaken(name.to_string()),
            error @ ChangeUserError::NameReserved(_) => Self::NotUsable(error.to_string()),
            error @ (ChangeUserError::Password(_)
            | ChangeUserError::NotWithThis(_)
            | ChangeUserError::NotAllowed(_)
            | ChangeUserError::OthersPassword
            | ChangeUserError::OthersEmail
            | ChangeUserError::OwnAdminFlag
            | ChangeUserError::OwnActiveFlag
            | ChangeUserError::EmailMissing) => Self::Failed(error.to_string()),
        }
    }
}
