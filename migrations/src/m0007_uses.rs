//! From where keys and devices were last used, and who uses which value of a key.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::sea_query::{Index, Table};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, belongs_to, drop_tables, optional};

pub(crate) struct Migration;

/// The tables that tell from where their rows were last used, and the columns that do.
const USED: [&str; 2] = ["devices", "api_keys"];
const COLUMNS: [&str; 2] = ["last_address", "last_agent"];

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0007_uses"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        for table in USED {
            for column in COLUMNS {
                if !manager.has_column(table, column).await? {
                    let column = optional(dialect.name(column));
                    let change = Table::alter().table(table).add_column(column).take();
                    manager.alter_table(change).await?;
                }
            }
        }
        // What is not known is the empty text, as all of it names the row.
        let uses = dialect
            .table("api_key_uses")
            .col(dialect.id("api_key_id"))
            .col(dialect.number("generation"))
            .col(dialect.name("address"))
            .col(dialect.name("agent"))
            .col(dialect.time("at"))
            .primary_key(
                Index::create()
                    .col("api_key_id")
                    .col("generation")
                    .col("address")
                    .col("agent"),
            )
            .foreign_key(&mut belongs_to("api_key_uses", "api_key_id", "api_keys"))
            .take();
        manager.create_table(uses).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["api_key_uses"]).await?;
        for table in USED {
            for column in COLUMNS {
                if manager.has_column(table, column).await? {
                    let change = Table::alter().table(table).drop_column(column).take();
                    manager.alter_table(change).await?;
                }
            }
        }
        Ok(())
    }
}
