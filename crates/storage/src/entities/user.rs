//! The table `users`.

use std::time::Duration;

use sea_orm::entity::prelude::*;
use zenml_auth_core::ports::StoreError;
use zenml_auth_model::query::UserField;
use zenml_auth_model::{Invitation, Name, PasswordHash, SecretHash, Text, Timestamp, User, UserId};

use super::value::{bytes32, counter, optional_time, stored, time, version};
use super::{SecretBytes, SecretText};

/// How long an invitation of a build that set no end is good, from when the row was last changed.
const UNLIMITED_INVITATION: Duration = Duration::from_secs(72 * 60 * 60);

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub full_name: String,
    pub email: Option<String>,
    pub email_opted_in: Option<bool>,
    pub active: bool,
    pub is_admin: bool,
    pub password: Option<SecretText>,
    pub password_changed: Option<i64>,
    pub activation: Option<SecretBytes>,
    pub activation_expires: Option<i64>,
    pub credentials_gen: i64,
    pub metadata: Option<String>,
    pub default_project_id: Option<Uuid>,
    pub avatar_url: Option<String>,
    pub created: i64,
    pub updated: i64,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::with_id!();
super::versioned!();

impl super::Listed for Entity {
    type Field = UserField;

    fn column(field: UserField) -> Column {
        match field {
            UserField::Id => Column::Id,
            UserField::Created => Column::Created,
            UserField::Updated => Column::Updated,
            UserField::Name => Column::Name,
            UserField::FullName => Column::FullName,
            UserField::Email => Column::Email,
            UserField::Active => Column::Active,
            UserField::IsAdmin => Column::IsAdmin,
            UserField::EmailOptedIn => Column::EmailOptedIn,
        }
    }
}

impl From<&User> for Model {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.as_uuid(),
            name: user.name.as_str().to_owned(),
            full_name: user.full_name.as_str().to_owned(),
            email: stored(user.email.as_ref()),
            email_opted_in: user.email_opted_in,
            active: user.active,
            is_admin: user.is_admin,
            password: user
                .password
                .as_ref()
                .map(|hash| SecretText(hash.as_phc().to_owned())),
            password_changed: user.password_changed.map(Timestamp::as_micros),
            activation: user
                .invitation
                .as_ref()
                .map(|invitation| SecretBytes::from(invitation.token.as_bytes())),
            activation_expires: user.invitation.map(|invitation| invitation.expires.as_micros()),
            credentials_gen: user.credentials_gen.into(),
            metadata: user.metadata.clone(),
            default_project_id: user.default_project_id,
            avatar_url: stored(user.avatar_url.as_ref()),
            created: user.created.as_micros(),
            updated: user.updated.as_micros(),
            version: user.version.get().into(),
        }
    }
}

impl TryFrom<Model> for User {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let updated = time("users.updated", row.updated)?;
        let invitation = match row.activation {
            None => None,
            Some(hash) => Some(Invitation {
                token: SecretHash::from_bytes(bytes32("users.activation", &hash)?),
                expires: optional_time("users.activation_expires", row.activation_expires)?
                    .unwrap_or(updated + UNLIMITED_INVITATION),
            }),
        };
        Ok(Self {
            id: UserId::from_uuid(row.id),
            name: Name::from_stored(row.name),
            full_name: Text::from_stored(row.full_name),
            email: row.email.map(Text::from_stored),
            email_opted_in: row.email_opted_in,
            active: row.active,
            is_admin: row.is_admin,
            password: row.password.map(|SecretText(hash)| PasswordHash::from_phc(hash)),
            password_changed: optional_time("users.password_changed", row.password_changed)?,
            invitation,
            credentials_gen: counter("users.credentials_gen", row.credentials_gen)?,
            metadata: row.metadata,
            default_project_id: row.default_project_id,
            avatar_url: row.avatar_url.map(Text::from_stored),
            created: time("users.created", row.created)?,
            updated,
            version: version("users.version", row.version)?,
        })
    }
}
