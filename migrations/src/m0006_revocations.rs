//! The revocation epoch, and what was revoked at which.
//!
//! On SQLite both are kept in memory by the only process that commits, and nothing is written here.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::sea_query::{ColumnDef, Expr, ExprTrait, Index, OnConflict, Query};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, drop_tables};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0006_revocations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        // There is one row, as its key is always 1.
        let epoch = dialect
            .table("revocation_epoch")
            .col(ColumnDef::new("singleton").integer().not_null().primary_key())
            .col(dialect.number("epoch"))
            .take();
        manager.create_table(epoch).await?;
        // Each commit that revokes has at least one entry. Those of one epoch are told apart by their position.
        let log = dialect
            .table("revocations")
            .col(dialect.number("epoch"))
            .col(dialect.number("position"))
            .col(dialect.name("kind"))
            .col(dialect.id("identity"))
            .primary_key(
                Index::create()
                    .name("revocations_pkey")
                    .col("epoch")
                    .col("position"),
            )
            .take();
        manager.create_table(log).await?;

        // A random one: a program that knows an epoch of the tables that were here before must not take it for this.
        let first = Query::insert()
            .into_table("revocation_epoch")
            .columns(["singleton", "epoch"])
            .values_panic([1_i32.into(), dialect.random_below((1 << 24) - 1).add(1)])
            .on_conflict(
                OnConflict::column("singleton")
                    .do_nothing_on(["singleton"])
                    .to_owned(),
            )
            .take();
        manager.execute(first).await?;
        // Its entry, so that it can be told what was revoked since.
        let entry = Query::select()
            .column("epoch")
            .expr(Expr::val(0_i64))
            .expr(Expr::val("start"))
            .expr(dialect.nil_id())
            .from("revocation_epoch")
            .and_where(Expr::cust("NOT EXISTS (SELECT 1 FROM revocations)"))
            .take();
        let start = Query::insert()
            .into_table("revocations")
            .columns(["epoch", "position", "kind", "identity"])
            .select_from(entry)
            .map_err(|error| DbErr::Custom(error.to_string()))?
            .take();
        manager.execute(start).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["revocations", "revocation_epoch"]).await
    }
}
