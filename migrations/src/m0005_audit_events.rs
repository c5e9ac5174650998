//! The audit trail. It outlives whom and what it tells of, so it names them without referring to their rows.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, create_indexes, drop_tables, index, optional};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0005_audit_events"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        let events = dialect
            .table("audit_events")
            .col(dialect.primary_id())
            .col(dialect.time("created"))
            .col(dialect.name("actor_kind"))
            .col(optional(dialect.id("actor_id")))
            .col(optional(dialect.name("actor_name")))
            .col(optional(dialect.name("credential_kind")))
            .col(optional(dialect.id("credential_id")))
            .col(dialect.name("action"))
            .col(dialect.name("target_kind"))
            .col(dialect.id("target_id"))
            .col(optional(dialect.text("target_name")))
            .col(optional(dialect.text("address")))
            .col(optional(dialect.text("request_id")))
            .col(optional(dialect.text("user_agent")))
            .col(optional(dialect.text("details")))
            .take();
        manager.create_table(events).await?;
        let indexes = [
            index("audit_events_created", "audit_events", &["created", "id"]),
            index(
                "audit_events_actor",
                "audit_events",
                &["actor_id", "created", "id"],
            ),
            index(
                "audit_events_target",
                "audit_events",
                &["target_id", "created", "id"],
            ),
        ];
        create_indexes(manager, "audit_events", indexes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["audit_events"]).await
    }
}
