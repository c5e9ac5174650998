//! The table `sessions`. A session with a cookie is a browser's, one without is the API's.

use sea_orm::entity::prelude::*;
use zenml_auth_core::ports::StoreError;
use zenml_auth_model::{SecretHash, Session, SessionId, SessionPurpose, UserId};

use super::SecretBytes;
use super::value::{bytes32, counter, time, version};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub cookie: Option<SecretBytes>,
    pub credentials_gen: i64,
    pub created: i64,
    pub authenticated: Option<i64>,
    pub last_active: Option<i64>,
    pub expires: i64,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::with_id!();
super::versioned!();

impl From<&Session> for Model {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.as_uuid(),
            user_id: session.user_id.as_uuid(),
            cookie: match &session.purpose {
                SessionPurpose::Browser { cookie } => Some(SecretBytes::from(cookie.as_bytes())),
                SessionPurpose::Api => None,
            },
            credentials_gen: session.credentials_gen.into(),
            created: session.created.as_micros(),
            authenticated: Some(session.authenticated.as_micros()),
            last_active: Some(session.last_active.as_micros()),
            expires: session.expires.as_micros(),
            version: session.version.get().into(),
        }
    }
}

impl TryFrom<Model> for Session {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let purpose = match row.cookie {
            Some(cookie) => SessionPurpose::Browser {
                cookie: SecretHash::from_bytes(bytes32("sessions.cookie", &cookie)?),
            },
            None => SessionPurpose::Api,
        };
        Ok(Self {
            id: SessionId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            purpose,
            credentials_gen: counter("sessions.credentials_gen", row.credentials_gen)?,
            created: time("sessions.created", row.created)?,
            // The release before wrote neither, and asked for the password at the beginning.
            authenticated: time("sessions.authenticated", row.authenticated.unwrap_or(row.created))?,
            last_active: time("sessions.last_active", row.last_active.unwrap_or(row.created))?,
            expires: time("sessions.expires", row.expires)?,
            version: version("sessions.version", row.version)?,
        })
    }
}
