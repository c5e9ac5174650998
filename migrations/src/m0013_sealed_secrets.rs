//! The server's secret and its signing keys are sealed: room for that, and the id of the key that opens them.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::sea_query::{ColumnDef, Expr, ExprTrait, Query, Table};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::dialect::{Dialect, optional};

pub(crate) struct Migration;

pub(crate) const NAME: &str = "m0013_sealed_secrets";

/// The tables with something sealed, and its column.
const SEALED: [(&str, &str); 2] = [("server", "secret"), ("signing_keys", "seed")];
/// The key that it is sealed under; nothing while it is in plain.
const SEALED_BY: &str = "sealed_by";
/// What is sealed has 73 bytes.
const ROOM: u32 = 255;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        NAME
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        for (table, column) in SEALED {
            // Elsewhere a column of bytes takes any number of them.
            if manager.get_database_backend() == DbBackend::MySql {
                let wide = ColumnDef::new(column).var_binary(ROOM).not_null().take();
                manager
                    .alter_table(Table::alter().table(table).modify_column(wide).take())
                    .await?;
            }
            if !manager.has_column(table, SEALED_BY).await? {
                let sealed_by = optional(dialect.name(SEALED_BY));
                manager
                    .alter_table(Table::alter().table(table).add_column(sealed_by).take())
                    .await?;
            }
        }
        Ok(())
    }

    /// Refused while anything is sealed: without the id of the key it could not be opened any more.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let dialect = Dialect::of(manager).await?;
        refuse_sealed(manager).await?;
        for (table, column) in SEALED {
            if manager.has_column(table, SEALED_BY).await? {
                manager
                    .alter_table(Table::alter().table(table).drop_column(SEALED_BY).take())
                    .await?;
            }
            if manager.get_database_backend() == DbBackend::MySql {
                let narrow = dialect.hash(column);
                manager
                    .alter_table(Table::alter().table(table).modify_column(narrow).take())
                    .await?;
            }
        }
        Ok(())
    }
}

/// Fails while anything is sealed.
pub(crate) async fn refuse_sealed(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, _) in SEALED {
        if !manager.has_column(table, SEALED_BY).await? {
            continue;
        }
        let sealed = Query::select()
            .column(SEALED_BY)
            .from(table)
            .and_where(Expr::col(SEALED_BY).is_not_null())
            .limit(1)
            .take();
        if manager.get_connection().query_one(&sealed).await?.is_some() {
            return Err(DbErr::Custom(
                "the signing keys and the server secret are sealed, which older programs can't read; put them back in \
                 plain with `zenml-auth-server encryption unseal` first"
                    .to_owned(),
            ));
        }
    }
    Ok(())
}
