//! How the databases spell what the schema means. The migrations themselves are the same for all of them.

use sea_orm_migration::SchemaManager;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use sea_orm_migration::sea_query::{
    ColumnDef, Expr, ForeignKey, ForeignKeyAction, ForeignKeyCreateStatement, Index, IndexCreateStatement,
    SimpleExpr, Table, TableCreateStatement,
};

/// Writes tables and columns for one database.
///
/// | column | SQLite | PostgreSQL | MySQL, MariaDB |
/// |---|---|---|---|
/// | id | `blob` | `uuid` | `binary(16)` |
/// | hash | `blob` | `bytea` | `binary(32)` |
/// | name | `varchar(255)` | `varchar(255) COLLATE "C"` | `varchar(255)` |
/// | text | `text` | `text COLLATE "C"` | `text`, or `mediumtext` when it may be long |
/// | time, number | `bigint` | `bigint` | `bigint` |
///
/// Texts are compared letter by letter everywhere. SQLite does so by itself. On MySQL the table's collation sees to
/// it, and it must be one that does not ignore blanks at the end.
pub(crate) struct Dialect {
    backend: DbBackend,
    mysql_collation: &'static str,
}

/// Moments are microseconds since 1970 and counters are unsigned 32-bit numbers: both fit a `bigint` everywhere.
impl Dialect {
    pub(crate) async fn of(manager: &SchemaManager<'_>) -> Result<Self, DbErr> {
        let backend = manager.get_database_backend();
        let mut mysql_collation = "utf8mb4_0900_bin";
        if backend == DbBackend::MySql {
            let version = Statement::from_string(backend, "SELECT VERSION() AS version");
            let row = manager.get_connection().query_one_raw(version).await?;
            let version = row
                .map(|row| row.try_get::<String>("", "version"))
                .transpose()?
                .unwrap_or_default();
            if version.contains("MariaDB") {
                mysql_collation = "utf8mb4_nopad_bin";
            }
        }
        Ok(Self {
            backend,
            mysql_collation,
        })
    }

    /// A table that is not there yet. Where a schema change can't be taken back as a whole (MySQL), a migration that
    /// was interrupted finds some of its tables already made.
    pub(crate) fn table(&self, name: &'static str) -> TableCreateStatement {
        let mut table = Table::create().table(name).if_not_exists().take();
        if self.backend == DbBackend::MySql {
            table
                .engine("InnoDB")
                .character_set("utf8mb4")
                .collate(self.mysql_collation);
        }
        table
    }

    pub(crate) fn id(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        // The type that sea-query would take on SQLite has an affinity for text, while ids are kept as 16 bytes.
        if self.backend == DbBackend::Sqlite {
            column.blob()
        } else {
            column.uuid()
        };
        column.not_null().take()
    }

    pub(crate) fn primary_id(&self) -> ColumnDef {
        self.id("id").primary_key().take()
    }

    pub(crate) fn hash(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.backend == DbBackend::MySql {
            column.binary_len(32)
        } else {
            column.blob()
        };
        column.not_null().take()
    }

    /// A name, or a text of a fixed set, which can be indexed everywhere.
    pub(crate) fn name(&self, name: &'static str) -> ColumnDef {
        self.collated(ColumnDef::new(name).string_len(255).not_null())
    }

    /// A text of up to 16 KiB.
    pub(crate) fn text(&self, name: &'static str) -> ColumnDef {
        self.collated(ColumnDef::new(name).text().not_null())
    }

    /// A text without a limit of its own.
    pub(crate) fn long_text(&self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        if self.backend == DbBackend::MySql {
            column.custom("mediumtext")
        } else {
            column.text()
        };
        self.collated(column.not_null())
    }

    pub(crate) fn time(&self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).big_integer().not_null().take()
    }

    pub(crate) fn number(&self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).big_integer().not_null().take()
    }

    pub(crate) fn flag(&self, name: &'static str) -> ColumnDef {
        ColumnDef::new(name).boolean().not_null().take()
    }

    /// A random number from 0 up to, but not including, the given one.
    pub(crate) fn random_below(&self, limit: u32) -> SimpleExpr {
        Expr::cust(match self.backend {
            DbBackend::Postgres => format!("floor(random() * {limit})::bigint"),
            DbBackend::MySql => format!("FLOOR(RAND() * {limit})"),
            _ => format!("abs(random() % {limit})"),
        })
    }

    /// The id that is nobody's.
    pub(crate) fn nil_id(&self) -> SimpleExpr {
        Expr::cust(match self.backend {
            DbBackend::Postgres => "'00000000-0000-0000-0000-000000000000'::uuid",
            _ => "x'00000000000000000000000000000000'",
        })
    }

    fn collated(&self, column: &mut ColumnDef) -> ColumnDef {
        if self.backend == DbBackend::Postgres {
            column.extra("COLLATE \"C\"");
        }
        column.take()
    }
}

/// The same column, which may have no value.
pub(crate) fn optional(mut column: ColumnDef) -> ColumnDef {
    column.null().take()
}

/// Rows of `table` go when the row of `parent` that they name goes.
pub(crate) fn belongs_to(
    table: &'static str,
    column: &'static str,
    parent: &'static str,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_{column}_fk"))
        .from(table, column)
        .to(parent, "id")
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}

/// An index that keeps look-ups and listings quick.
pub(crate) fn index(
    name: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create().name(name).table(table).take();
    for column in columns {
        index.col(*column);
    }
    index
}

/// An index that lets each combination in once. Storage tells by its name what was taken.
pub(crate) fn unique(
    name: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
) -> IndexCreateStatement {
    index(name, table, columns).unique().take()
}

/// Makes the indexes that are not there yet.
pub(crate) async fn create_indexes(
    manager: &SchemaManager<'_>,
    table: &'static str,
    indexes: impl IntoIterator<Item = IndexCreateStatement> + Send,
) -> Result<(), DbErr> {
    let indexes: Vec<_> = indexes.into_iter().collect();
    for statement in indexes {
        let name = statement
            .get_index_spec()
            .get_name()
            .unwrap_or_default()
            .to_owned();
        if !manager.has_index(table, &name).await? {
            manager.create_index(statement).await?;
        }
    }
    Ok(())
}

/// Drops tables, the last made first.
pub(crate) async fn drop_tables(manager: &SchemaManager<'_>, tables: &[&'static str]) -> Result<(), DbErr> {
    for table in tables {
        manager
            .drop_table(Table::drop().table(*table).if_exists().take())
            .await?;
    }
    Ok(())
}
