//! The table `api_keys`. The columns about the retained value have all a value or none.

use sea_orm::entity::prelude::*;
use zenml_auth_core::ports::StoreError;
use zenml_auth_model::query::ApiKeyField;
use zenml_auth_model::{
    ApiKey, ApiKeyId, KeyGeneration, Name, RetainedKey, SecretHash, ServiceAccountId, Text, Timestamp,
};

use super::SecretBytes;
use super::value::{bytes32, corrupt, counter, optional_time, stored, time, used_from, version};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub service_account_id: Uuid,
    pub name: String,
    pub description: String,
    pub active: bool,
    pub generation: i64,
    pub hash: SecretBytes,
    pub retained_generation: Option<i64>,
    pub retained_hash: Option<SecretBytes>,
    pub retained_until: Option<i64>,
    pub retain_period_minutes: i64,
    pub expires: Option<i64>,
    pub last_login: Option<i64>,
    pub last_address: Option<String>,
    pub last_agent: Option<String>,
    pub last_rotated: Option<i64>,
    pub created: i64,
    pub updated: i64,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::with_id!();
super::versioned!(LastLogin, LastAddress, LastAgent);

impl super::Listed for Entity {
    type Field = ApiKeyField;

    fn column(field: ApiKeyField) -> Column {
        match field {
            ApiKeyField::Id => Column::Id,
            ApiKeyField::Created => Column::Created,
            ApiKeyField::Updated => Column::Updated,
            ApiKeyField::Name => Column::Name,
            ApiKeyField::Description => Column::Description,
            ApiKeyField::Active => Column::Active,
            ApiKeyField::LastLogin => Column::LastLogin,
            ApiKeyField::LastRotated => Column::LastRotated,
            ApiKeyField::Expires => Column::Expires,
        }
    }
}

impl From<&ApiKey> for Model {
    fn from(key: &ApiKey) -> Self {
        let retained = key.retained.as_ref();
        Self {
            id: key.id.as_uuid(),
            service_account_id: key.service_account_id.as_uuid(),
            name: key.name.as_str().to_owned(),
            description: key.description.as_str().to_owned(),
            active: key.active,
            generation: key.current.number.into(),
            hash: SecretBytes::from(key.current.hash.as_bytes()),
            retained_generation: retained.map(|retained| retained.generation.number.into()),
            retained_hash: retained.map(|retained| SecretBytes::from(retained.generation.hash.as_bytes())),
            retained_until: retained.map(|retained| retained.until.as_micros()),
            retain_period_minutes: key.retain_period_minutes.into(),
            expires: key.expires.map(Timestamp::as_micros),
            last_login: key.last_login.map(Timestamp::as_micros),
            last_address: key.last_used_from.address.map(|address| address.to_string()),
            last_agent: stored(key.last_used_from.agent.as_ref()),
            last_rotated: key.last_rotated.map(Timestamp::as_micros),
            created: key.created.as_micros(),
            updated: key.updated.as_micros(),
            version: key.version.get().into(),
        }
    }
}

impl Model {
    fn retained(&self) -> Result<Option<RetainedKey>, StoreError> {
        match (self.retained_generation, &self.retained_hash, self.retained_until) {
            (None, None, None) => Ok(None),
            (Some(number), Some(hash), Some(until)) => Ok(Some(RetainedKey {
                generation: KeyGeneration {
                    number: counter("api_keys.retained_generation", number)?,
                    hash: SecretHash::from_bytes(bytes32("api_keys.retained_hash", hash)?),
                },
                until: time("api_keys.retained_until", until)?,
            })),
            _ => Err(corrupt("api_keys.retained_*", "is half there")),
        }
    }
}

impl TryFrom<Model> for ApiKey {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            retained: row.retained()?,
            id: ApiKeyId::from_uuid(row.id),
            service_account_id: ServiceAccountId::from_uuid(row.service_account_id),
            name: Name::from_stored(row.name),
            description: Text::from_stored(row.description),
            active: row.active,
            current: KeyGeneration {
                number: counter("api_keys.generation", row.generation)?,
                hash: SecretHash::from_bytes(bytes32("api_keys.hash", &row.hash)?),
            },
            retain_period_minutes: counter("api_keys.retain_period_minutes", row.retain_period_minutes)?,
            expires: optional_time("api_keys.expires", row.expires)?,
            last_login: optional_time("api_keys.last_login", row.last_login)?,
            last_used_from: used_from(
                "api_keys.last_address",
                row.last_address.as_deref(),
                row.last_agent,
            )?,
            last_rotated: optional_time("api_keys.last_rotated", row.last_rotated)?,
            created: time("api_keys.created", row.created)?,
            updated: time("api_keys.updated", row.updated)?,
            version: version("api_keys.version", row.version)?,
        })
    }
}
