//! Device authorization requests, and devices.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, belongs_to, create_indexes, drop_tables, index, optional, unique};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0003_devices"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        let grants = dialect
            .table("device_grants")
            .col(dialect.primary_id())
            .col(dialect.id("client_id"))
            .col(dialect.hash("device_code"))
            .col(dialect.hash("user_code"))
            .col(optional(dialect.text("hostname")))
            .col(optional(dialect.text("os")))
            .col(optional(dialect.text("ip_address")))
            .col(optional(dialect.text("python_version")))
            .col(optional(dialect.text("zenml_version")))
            .col(dialect.number("poll_interval"))
            .col(optional(dialect.time("last_polled")))
            .col(dialect.number("failed_attempts"))
            .col(dialect.name("state"))
            .col(optional(dialect.time("decided")))
            .col(optional(dialect.id("approved_by")))
            .col(optional(dialect.number("credentials_gen")))
            .col(optional(dialect.flag("trusted")))
            .col(optional(dialect.name("denial_reason")))
            .col(optional(dialect.id("device_id")))
            .col(dialect.time("created"))
            .col(dialect.time("updated"))
            .col(dialect.time("expires"))
            .col(dialect.number("version"))
            .foreign_key(&mut belongs_to("device_grants", "approved_by", "users"))
            .take();
        manager.create_table(grants).await?;
        let indexes = [
            unique("device_grants_device_code", "device_grants", &["device_code"]),
            unique("device_grants_user_code", "device_grants", &["user_code"]),
            index("device_grants_client", "device_grants", &["client_id"]),
            index("device_grants_approved_by", "device_grants", &["approved_by"]),
            index("device_grants_expires", "device_grants", &["expires"]),
        ];
        create_indexes(manager, "device_grants", indexes).await?;

        let devices = dialect
            .table("devices")
            .col(dialect.primary_id())
            .col(dialect.id("user_id"))
            .col(dialect.id("client_id"))
            .col(dialect.name("state"))
            .col(dialect.flag("trusted"))
            .col(dialect.time("expires"))
            .col(optional(dialect.text("hostname")))
            .col(optional(dialect.text("os")))
            .col(optional(dialect.text("ip_address")))
            .col(optional(dialect.text("python_version")))
            .col(optional(dialect.text("zenml_version")))
            .col(dialect.number("token_gen"))
            .col(optional(dialect.time("last_login")))
            .col(dialect.time("created"))
            .col(dialect.time("updated"))
            .col(dialect.number("version"))
            .foreign_key(&mut belongs_to("devices", "user_id", "users"))
            .take();
        manager.create_table(devices).await?;
        let indexes = [
            unique("devices_client", "devices", &["client_id", "user_id"]),
            index("devices_created", "devices", &["user_id", "created", "id"]),
            index("devices_state", "devices", &["user_id", "state", "created", "id"]),
        ];
        create_indexes(manager, "devices", indexes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["devices", "device_grants"]).await
    }
}
