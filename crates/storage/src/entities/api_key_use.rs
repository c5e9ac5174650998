//! The table `api_key_uses`: the latest users of each value of a key, named by all that tells them apart. Of what is not
//! known, the text is empty.

use sea_orm::entity::prelude::*;
use zenml_auth_core::ports::{ApiKeyUse, StoreError};
use zenml_auth_model::{KeyUse, Text, UsedFrom};

use super::value::{address, counter, time};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key_uses")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub api_key_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub generation: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub address: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub agent: String,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&ApiKeyUse> for Model {
    fn from(key_use: &ApiKeyUse) -> Self {
        let KeyUse { generation, at, from } = &key_use.latest;
        Self {
            api_key_id: key_use.id.as_uuid(),
            generation: (*generation).into(),
            address: from
                .address
                .map(|address| address.to_string())
                .unwrap_or_default(),
            agent: from
                .agent
                .as_ref()
                .map(|agent| agent.as_str().to_owned())
                .unwrap_or_default(),
            at: at.as_micros(),
        }
    }
}

impl TryFrom<Model> for KeyUse {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let known = |text: String| Some(text).filter(|text| !text.is_empty());
        Ok(Self {
            generation: counter("api_key_uses.generation", row.generation)?,
            at: time("api_key_uses.at", row.at)?,
            from: UsedFrom {
                address: address("api_key_uses.address", known(row.address).as_deref())?,
                agent: known(row.agent).map(Text::from_stored),
            },
        })
    }
}
