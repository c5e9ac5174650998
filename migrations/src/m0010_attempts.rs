//! Failed attempts at passwords, counted for all replicas, and the networks from which accounts sign in.

use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, create_indexes, drop_tables, index};

pub(crate) struct Migration;

const FAILURES: &str = "sign_in_failures";
const NETWORKS: &str = "familiar_networks";

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0010_attempts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        // Nothing refers to users: what is counted under a name that nobody has must look the same.
        let failures = dialect
            .table(FAILURES)
            .col(dialect.hash("id").primary_key())
            .col(dialect.number("failures"))
            .col(dialect.time("last"))
            .take();
        manager.create_table(failures).await?;
        let networks = dialect
            .table(NETWORKS)
            .col(dialect.hash("id").primary_key())
            .col(dialect.hash("account"))
            .col(dialect.time("seen"))
            .take();
        manager.create_table(networks).await?;
        create_indexes(
            manager,
            FAILURES,
            [index("sign_in_failures_last", FAILURES, &["last"])],
        )
        .await?;
        let indexes = [
            index("familiar_networks_account", NETWORKS, &["account", "seen"]),
            index("familiar_networks_seen", NETWORKS, &["seen"]),
        ];
        create_indexes(manager, NETWORKS, indexes).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_tables(manager, &[NETWORKS, FAILURES]).await
    }
}
