//! When the person of a session proved who they are, and when the session was last used. Rows of the release before have
//! neither, and neither do those that it adds while it still runs beside this one: then it is when the session began.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::sea_query::Table;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, optional};

pub(crate) struct Migration;

const TABLE: &str = "sessions";
const COLUMNS: [&str; 2] = ["authenticated", "last_active"];

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0012_sessions"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        for column in COLUMNS {
            if !manager.has_column(TABLE, column).await? {
                let column = optional(dialect.time(column));
                let change = Table::alter().table(TABLE).add_column(column).take();
                manager.alter_table(change).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in COLUMNS {
            if manager.has_column(TABLE, column).await? {
                let change = Table::alter().table(TABLE).drop_column(column).take();
                manager.alter_table(change).await?;
            }
        }
        Ok(())
    }
}
