//! The table `familiar_networks`: from where accounts sign in.

use sea_orm::entity::prelude::*;
use zenml_auth_core::ports::FamiliarNetwork;

use super::SecretBytes;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "familiar_networks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SecretBytes,
    pub account: SecretBytes,
    pub seen: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::with_id!();

impl From<&FamiliarNetwork> for Model {
    fn from(network: &FamiliarNetwork) -> Self {
        Self {
            id: SecretBytes::from(network.id.as_bytes()),
            account: SecretBytes::from(network.account.as_bytes()),
            seen: network.seen.as_micros(),
        }
    }
}
