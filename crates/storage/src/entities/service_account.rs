//! The table `service_accounts`.

use sea_orm::entity::prelude::*;
use zenml_auth_core::ports::StoreError;
use zenml_auth_model::query::ServiceAccountField;
use zenml_auth_model::{Name, ServiceAccount, ServiceAccountId, Text};

use super::value::{stored, time, version};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "service_accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub full_name: String,
    pub description: String,
    pub avatar_url: Option<String>,
    pub active: bool,
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
    type Field = ServiceAccountField;

    fn column(field: ServiceAccountField) -> Column {
        match field {
            ServiceAccountField::Id => Column::Id,
            ServiceAccountField::Created => Column::Created,
            ServiceAccountField::Updated => Column::Updated,
            ServiceAccountField::Name => Column::Name,
            ServiceAccountField::Description => Column::Description,
            ServiceAccountField::Active => Column::Active,
        }
    }
}

impl From<&ServiceAccount> for Model {
    fn from(account: &ServiceAccount) -> Self {
        Self {
            id: account.id.as_uuid(),
            name: account.name.as_str().to_owned(),
            full_name: account.full_name.as_str().to_owned(),
            description: account.description.as_str().to_owned(),
            avatar_url: stored(account.avatar_url.as_ref()),
            active: account.active,
            created: account.created.as_micros(),
            updated: account.updated.as_micros(),
            version: account.version.get().into(),
        }
    }
}

impl TryFrom<Model> for ServiceAccount {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: ServiceAccountId::from_uuid(row.id),
            name: Name::from_stored(row.name),
            full_name: Text::from_stored(row.full_name),
            description: Text::from_stored(row.description),
            avatar_url: row.avatar_url.map(Text::from_stored),
            active: row.active,
            created: time("service_accounts.created", row.created)?,
            updated: time("service_accounts.updated", row.updated)?,
            version: version("service_accounts.version", row.version)?,
        })
    }
}
