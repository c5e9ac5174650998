//! Which programs can work with the schema: older ones can, as long as changes only added to it.
//!
//! The row is written by [`up`](crate::up) and [`down`](crate::down), as it is about all changes and not about this one.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::sea_query::ColumnDef;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, drop_tables};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0014_compatibility"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        // There is one row, as its key is always 1.
        let table = dialect
            .table(crate::compatibility::TABLE)
            .col(ColumnDef::new("singleton").integer().not_null().primary_key())
            // The number of the latest change.
            .col(dialect.number("newest"))
            // A program works with the schema if the latest change that it knows has at least this number.
            .col(dialect.number("oldest"))
            .take();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &[crate::compatibility::TABLE]).await
    }
}
