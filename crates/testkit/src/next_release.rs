//! The schema of a release that is not there yet.

#![allow(
    elided_lifetimes_in_paths,
    reason = "the methods of `MigrationTrait` can only be implemented as they are declared, which is without it"
)]

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::sea_query::{ColumnDef, Table};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};
use zenml_auth_storage::{Effect, Schema};

/// That of the next release, which adds a table that nobody else needs to know of.
#[must_use]
pub fn expanded() -> Schema {
    Schema::current().and(|| Box::new(Change("m9998_expansion")), Effect::Expands)
}

/// That of the release after it, which makes a change that older programs can't work with.
#[must_use]
pub fn contracted() -> Schema {
    expanded().and(|| Box::new(Change("m9999_contraction")), Effect::Contracts)
}

/// Adds a table of its own name.
struct Change(&'static str);

impl MigrationName for Change {
    fn name(&self) -> &str {
        self.0
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Change {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut id = ColumnDef::new("id");
        id.integer().not_null().primary_key();
        manager
            .create_table(Table::create().table(self.0).col(id).take())
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(self.0).take()).await
    }
}
