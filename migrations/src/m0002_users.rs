//! People and their sign-ins.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, belongs_to, create_indexes, drop_tables, index, optional, unique};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0002_users"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        let users = dialect
            .table("users")
            .col(dialect.primary_id())
            .col(dialect.name("name"))
            .col(dialect.text("full_name"))
            .col(optional(dialect.text("email")))
            .col(optional(dialect.flag("email_opted_in")))
            .col(dialect.flag("active"))
            .col(dialect.flag("is_admin"))
            .col(optional(dialect.text("password")))
            .col(optional(dialect.time("password_changed")))
            .col(optional(dialect.hash("activation")))
            .col(dialect.number("credentials_gen"))
            .col(optional(dialect.long_text("metadata")))
            .col(optional(dialect.id("default_project_id")))
            .col(optional(dialect.text("avatar_url")))
            .col(dialect.time("created"))
            .col(dialect.time("updated"))
            .col(dialect.number("version"))
            .take();
        manager.create_table(users).await?;
        let indexes = [
            unique("users_name", "users", &["name"]),
            index("users_created", "users", &["created", "id"]),
            index("users_administrators", "users", &["is_admin", "active"]),
        ];
        create_indexes(manager, "users", indexes).await?;

        let sessions = dialect
            .table("sessions")
            .col(dialect.primary_id())
            .col(dialect.id("user_id"))
            .col(optional(dialect.hash("cookie")))
            .col(dialect.number("credentials_gen"))
            .col(dialect.time("created"))
            .col(dialect.time("expires"))
            .col(dialect.number("version"))
            .foreign_key(&mut belongs_to("sessions", "user_id", "users"))
            .take();
        manager.create_table(sessions).await?;
        let indexes = [
            unique("sessions_cookie", "sessions", &["cookie"]),
            index("sessions_user", "sessions", &["user_id"]),
            index("sessions_expires", "sessions", &["expires"]),
        ];
        create_indexes(manager, "sessions", indexes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &["sessions", "users"]).await
    }
}
