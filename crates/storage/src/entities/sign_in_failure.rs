//! The table `sign_in_failures`: how often attempts at a password failed.

use sea_orm::entity::prelude::*;
use zenml_auth_core::ports::StoreError;
use zenml_auth_core::rules::slow_down::Failures;

use super::SecretBytes;
use super::value::{counter, time};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_failures")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SecretBytes,
    pub failures: i64,
    pub last: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

super::with_id!();

impl TryFrom<Model> for Failures {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            count: counter("sign_in_failures.failures", row.failures)?,
            last: time("sign_in_failures.last", row.last)?,
        })
    }
}
