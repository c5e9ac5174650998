//! What the tests of the schema share.

use sea_orm_migration::MigratorTrait as _;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use zenml_auth_migrations::Migrator;

/// The names of all migrations.
pub(crate) fn all() -> Vec<String> {
    Migrator::migrations()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect()
}

pub(crate) async fn execute(db: &DatabaseConnection, sql: &str) {
    if let Err(error) = db.execute_unprepared(sql).await {
        panic!("{error}: {sql}");
    }
}

pub(crate) async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await;
    let rows = rows.unwrap_or_else(|error| panic!("{error}: {sql}"));
    rows.iter().map(|row| row.try_get("", "it").unwrap()).collect()
}

/// Everything that the schema consists of, one line each, other than what keeps the migrations.
pub(crate) async fn schema(db: &DatabaseConnection) -> Vec<String> {
    let queries = match db.get_database_backend() {
        DbBackend::Postgres => [
            "SELECT concat_ws(' ', table_name, column_name, data_type, character_maximum_length, is_nullable, \
             collation_name) AS it FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name <> 'migrations' ORDER BY 1",
            "SELECT indexdef AS it FROM pg_indexes \
             WHERE schemaname = current_schema() AND tablename <> 'migrations' ORDER BY 1",
            "SELECT conname || ' ' || pg_get_constraintdef(oid) AS it FROM pg_constraint \
             WHERE connamespace = current_schema()::regnamespace AND conrelid <> 'migrations'::regclass ORDER BY 1",
        ],
        DbBackend::Sqlite => [
            "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') AS it FROM sqlite_schema \
             WHERE tbl_name <> 'migrations' ORDER BY 1",
            "SELECT '' AS it WHERE FALSE",
            "SELECT '' AS it WHERE FALSE",
        ],
        _ => [
            "SELECT CONCAT_WS(' ', table_name, column_name, column_type, is_nullable, collation_name) AS it \
             FROM information_schema.columns \
             WHERE table_schema = DATABASE() AND table_name <> 'migrations' ORDER BY 1",
            "SELECT CONCAT_WS(' ', table_name, index_name, seq_in_index, column_name, non_unique) AS it \
             FROM information_schema.statistics \
             WHERE table_schema = DATABASE() AND table_name <> 'migrations' ORDER BY 1",
            "SELECT CONCAT_WS(' ', constraint_name, table_name, referenced_table_name, delete_rule) AS it \
             FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE() ORDER BY 1",
        ],
    };
    let mut lines = Vec::new();
    for query in queries {
        lines.extend(texts(db, query).await);
    }
    lines
}
