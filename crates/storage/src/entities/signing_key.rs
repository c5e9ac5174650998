//! The table `signing_keys`.

use sea_orm::entity::prelude::*;
use zenml_auth_core::ports::StoreError;
use zenml_auth_model::{SigningKey, SigningKeyId, Timestamp};

use super::SecretBytes;
use super::value::{kept_secret, optional_time, stored_secret, time, version};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub seed: SecretBytes,
    pub sealed_by: Option<String>,
    pub created: i64,
    pub retired_until: Option<i64>,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::with_id!();
super::versioned!();

impl From<&SigningKey> for Model {
    fn from(key: &SigningKey) -> Self {
        let (seed, sealed_by) = stored_secret(&key.seed);
        Self {
            id: key.id.as_uuid(),
            seed,
            sealed_by,
            created: key.created.as_micros(),
            retired_until: key.retired_until.map(Timestamp::as_micros),
            version: key.version.get().into(),
        }
    }
}

impl TryFrom<Model> for SigningKey {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: SigningKeyId::from_uuid(row.id),
            seed: kept_secret("signing_keys.seed", row.seed, row.sealed_by)?,
            created: time("signing_keys.created", row.created)?,
            retired_until: optional_time("signing_keys.retired_until", row.retired_until)?,
            version: version("signing_keys.version", row.version)?,
        })
    }
}
