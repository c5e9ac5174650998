//! Invitations end.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::sea_query::Table;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, optional};

pub(crate) struct Migration;

const TABLE: &str = "users";
const COLUMN: &str = "activation_expires";

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0011_invitations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Where a schema change can't be taken back as a whole (MySQL), it may be there already.
        if manager.has_column(TABLE, COLUMN).await? {
            return Ok(());
        }
        let dialect = Dialect::of(manager).await?;
        // Invitations from before have no value in it; the store reads them with a default.
        let column = optional(dialect.time(COLUMN));
        manager
            .alter_table(Table::alter().table(TABLE).add_column(column).take())
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.has_column(TABLE, COLUMN).await? {
            manager
                .alter_table(Table::alter().table(TABLE).drop_column(COLUMN).take())
                .await?;
        }
        Ok(())
    }
}
