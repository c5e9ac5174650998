//! Accounts of workloads and their keys.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, belongs_to, create_indexes, drop_tables, index, optional, unique};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0004_service_accounts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        let accounts = dialect
            .table("service_accounts")
            .col(dialect.primary_id())
            .col(dialect.name("name"))
            .col(dialect.text("full_name"))
            .col(dialect.text("description"))
            .col(optional(dialect.text("avatar_url")))
            .col(dialect.flag("active"))
            .col(dialect.time("created"))
            .col(dialect.time("updated"))
            .col(dialect.number("version"))
            .take();
        manager.create_table(accounts).await?;
        let indexes = [
            unique("service_accounts_name", "service_accounts", &["name"]),
            index("service_accounts_created", "service_accounts", &["created", "id"]),
            index(
                "service_accounts_active",
                "service_accounts",
                &["active", "created", "id"],
            ),
        ];
        create_indexes(manager, "service_accounts", indexes).await?;

        let keys = dialect
            .table("api_keys")
            .col(dialect.primary_id())
            .col(dialect.id("service_account_id"))
            .col(dialect.name("name"))
            .col(dialect.text("description"))
            .col(dialect.flag("active"))
            .col(dialect.number("generation"))
            .col(dialect.hash("hash"))
            .col(optional(dialect.number("retained_generation")))
            .col(optional(dialect.hash("retained_hash")))
            .col(optional(dialect.time("retained_until")))
            .col(dialect.number("retain_period_minutes"))
            .col(optional(dialect.time("expires")))
            .col(optional(dialect.time("last_login")))
            .col(optional(dialect.time("last_rotated")))
            .col(dialect.time("created"))
            .col(dialect.time("updated"))
            .col(dialect.number("version"))
            .foreign_key(&mut belongs_to(
                "api_keys",
                "service_account_id",
                "service_accounts",
            ))
            .take();
        manager.create_table(keys).await?;
        let indexes = [
            unique("api_keys_name", "api_keys", &["service_account_id", "name"]),
            index(
                "api_keys_created",
                "api_keys",
                &["service_account_id", "created", "id"],
            ),
            index(
                "api_keys_active",
                "api_keys",
                &["service_account_id", "active", "created", "id"],
            ),
        ];
        create_indexes(manager, "api_keys", indexes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["api_keys", "service_accounts"]).await
    }
}
