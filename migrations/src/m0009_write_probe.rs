//! A number to change when there is nothing else to change, so that it is known whether changes are taken.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::sea_query::{ColumnDef, OnConflict, Query};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, drop_tables};

pub(crate) struct Migration;

const TABLE: &str = "write_probe";

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0009_write_probe"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        // There is one row, as its key is always 1.
        let probe = dialect
            .table(TABLE)
            .col(ColumnDef::new("singleton").integer().not_null().primary_key())
            .col(dialect.number("written"))
            // Something large, to find out whether there is room for more than a number.
            .col(ColumnDef::new("ballast").blob())
            .take();
        manager.create_table(probe).await?;
        let first = Query::insert()
            .into_table(TABLE)
            .columns(["singleton", "written"])
            .values_panic([1_i32.into(), 0_i64.into()])
            .on_conflict(
                OnConflict::column("singleton")
                    .do_nothing_on(["singleton"])
                    .to_owned(),
            )
            .take();
        manager.execute(first).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &[TABLE]).await
    }
}
