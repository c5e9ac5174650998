//! The row that says which programs can work with the schema.

use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::sea_query::{Query, Value};
use sea_orm_migration::{IntoSchemaManagerConnection, SchemaManager};

/// The table that holds it.
pub(crate) const TABLE: &str = "schema_compatibility";

/// Asks for the oldest schema whose programs work with the database, as SQL for all databases. There is one row at most; a
/// database of a release that did not have the table yet can't answer.
pub const OLDEST_SCHEMA: &str = "SELECT oldest FROM schema_compatibility";

/// The number of the latest change in a database, and that of the oldest schema whose programs work with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compatibility {
    pub(crate) newest: i64,
    pub(crate) oldest: i64,
}

pub(crate) async fn read<'c, C>(db: &'c C) -> Result<Option<Compatibility>, DbErr>
where
    C: ConnectionTrait,
    &'c C: IntoSchemaManagerConnection<'c>,
{
    if !SchemaManager::new(db).has_table(TABLE).await? {
        return Ok(None);
    }
    let query = Query::select().columns(["newest", "oldest"]).from(TABLE).take();
    let row = db.query_one(&query).await?;
    row.map(|row| {
        Ok(Compatibility {
            newest: row.try_get("", "newest")?,
            oldest: row.try_get("", "oldest")?,
        })
    })
    .transpose()
}

/// Writes the row, if there is the table and it says something else.
pub(crate) async fn write<'c, C>(db: &'c C, compatibility: Compatibility) -> Result<(), DbErr>
where
    C: ConnectionTrait,
    &'c C: IntoSchemaManagerConnection<'c>,
{
    if !SchemaManager::new(db).has_table(TABLE).await? || read(db).await? == Some(compatibility) {
        return Ok(());
    }
    db.execute(&Query::delete().from_table(TABLE).take()).await?;
    let Compatibility { newest, oldest } = compatibility;
    let values: [Value; 3] = [1_i32.into(), newest.into(), oldest.into()];
    let insert = Query::insert()
        .into_table(TABLE)
        .columns(["singleton", "newest", "oldest"])
        .values_panic(values.map(Into::into))
        .take();
    db.execute(&insert).await?;
    Ok(())
}
