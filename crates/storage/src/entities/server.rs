//! The table `server`, which has one row once the server was set up.

use sea_orm::entity::prelude::*;
use zenml_auth_core::ports::StoreError;
use zenml_auth_model::{ServerId, ServerIdentity};

use super::SecretBytes;
use super::value::{kept_secret, stored_secret, time};

/// The key of the one row.
pub(crate) const SINGLETON: i32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "server")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub singleton: i32,
    pub id: Uuid,
    pub secret: SecretBytes,
    pub sealed_by: Option<String>,
    pub project_id: Uuid,
    pub stack_id: Uuid,
    pub orchestrator_id: Uuid,
    pub artifact_store_id: Uuid,
    pub created: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<&ServerIdentity> for Model {
    fn from(server: &ServerIdentity) -> Self {
        let (secret, sealed_by) = stored_secret(&server.secret);
        Self {
            singleton: SINGLETON,
            id: server.id.as_uuid(),
            secret,
            sealed_by,
            project_id: server.project_id,
            stack_id: server.stack_id,
            orchestrator_id: server.orchestrator_id,
            artifact_store_id: server.artifact_store_id,
            created: server.created.as_micros(),
        }
    }
}

impl TryFrom<Model> for ServerIdentity {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self {
            id: ServerId::from_uuid(row.id),
            secret: kept_secret("server.secret", row.secret, row.sealed_by)?,
            project_id: row.project_id,
            stack_id: row.stack_id,
            orchestrator_id: row.orchestrator_id,
            artifact_store_id: row.artifact_store_id,
            created: time("server.created", row.created)?,
        })
    }
}
