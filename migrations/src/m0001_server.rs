//! What a server owns itself: its identity, its guards and its signing keys.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::sea_query::{ColumnDef, OnConflict, Query};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, drop_tables, optional};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0001_server"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        // There is one row, as its key is always 1.
        let server = dialect
            .table("server")
            .col(ColumnDef::new("singleton").integer().not_null().primary_key())
            .col(dialect.id("id"))
            .col(dialect.hash("secret"))
            .col(dialect.id("project_id"))
            .col(dialect.id("stack_id"))
            .col(dialect.id("orchestrator_id"))
            .col(dialect.id("artifact_store_id"))
            .col(dialect.time("created"))
            .take();
        manager.create_table(server).await?;

        let guards = dialect
            .table("guards")
            .col(dialect.name("name").primary_key())
            .col(dialect.number("version"))
            .take();
        manager.create_table(guards).await?;
        for name in ["administrators", "signing_keys"] {
            let guard = Query::insert()
                .into_table("guards")
                .columns(["name", "version"])
                .values_panic([name.into(), 1_i64.into()])
                .on_conflict(OnConflict::column("name").do_nothing_on(["name"]).to_owned())
                .take();
            manager.execute(guard).await?;
        }

        // A handful of rows at any time, so there is nothing to index.
        let signing_keys = dialect
            .table("signing_keys")
            .col(dialect.primary_id())
            .col(dialect.hash("seed"))
            .col(dialect.time("created"))
            .col(optional(dialect.time("retired_until")))
            .col(dialect.number("version"))
            .take();
        manager.create_table(signing_keys).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["signing_keys", "guards", "server"]).await
    }
}
