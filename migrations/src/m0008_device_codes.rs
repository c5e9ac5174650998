//! Device codes name their request, so nothing is looked up by the hash of a code any more.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::sea_query::Index;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{create_indexes, unique};

pub(crate) struct Migration;

const TABLE: &str = "device_grants";
const INDEX: &str = "device_grants_device_code";

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0008_device_codes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Where a schema change can't be taken back as a whole (MySQL), it may be gone already.
        if manager.has_index(TABLE, INDEX).await? {
            manager
                .drop_index(Index::drop().name(INDEX).table(TABLE).to_owned())
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create_indexes(manager, TABLE, [unique(INDEX, TABLE, &["device_code"])]).await
    }
}
