//! Running the migrations.

use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::sea_query::Query;
use sea_orm_migration::{IntoSchemaManagerConnection, MigratorTrait, SchemaManager};

use crate::lock::Lock;
use crate::{MIGRATIONS_TABLE, Migrator};

/// Why the schema could not be changed, or not be told.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A newer program has changed this database. Nothing was done to it.
    #[error(
        "the database was made by a newer version of this program (it holds {}); install that version",
        .unknown.join(", ")
    )]
    Newer {
        /// The changes in the database that this program does not know.
        unknown: Vec<String>,
    },
    /// The database reported an error.
    #[error(transparent)]
    Database(#[from] DbErr),
}

/// One change of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// How far a database has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The changes that this program knows, the oldest first.
    pub steps: Vec<Step>,
    /// The changes in the database that this program does not know.
    pub unknown: Vec<String>,
}

impl Status {
    /// The changes that are still to be made, the oldest first.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        self.names(false)
    }

    /// The changes that were made, the oldest first.
    #[must_use]
    pub fn applied(&self) -> Vec<String> {
        self.names(true)
    }

    /// Whether a newer program has changed the database.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        !self.unknown.is_empty()
    }

    fn names(&self, applied: bool) -> Vec<String> {
        self.steps
            .iter()
            .filter(|step| step.applied == applied)
            .map(|step| step.name.clone())
            .collect()
    }

    fn refuse_newer(self) -> Result<Self, MigrationError> {
        if self.is_newer() {
            Err(MigrationError::Newer {
                unknown: self.unknown,
            })
        } else {
            Ok(self)
        }
    }
}

/// Makes all pending changes and returns their names.
///
/// Where the database can take back schema changes (SQLite, PostgreSQL), either all of them are made or none.
/// Calls at the same time wait for each other, and those that come late find nothing left to do.
///
/// # Errors
/// [`MigrationError::Newer`] when a newer program has changed the database; [`MigrationError::Database`] when the
/// database reports an error.
pub async fn up(db: &DatabaseConnection) -> Result<Vec<String>, MigrationError> {
    let transaction = begin(db).await?;
    let lock = Lock::take(&transaction).await?;
    let done = up_under_lock(&transaction).await;
    let given_back = lock.give_back(&transaction).await;
    let pending = done?;
    given_back?;
    transaction.commit().await?;
    Ok(pending)
}

async fn up_under_lock(transaction: &DatabaseTransaction) -> Result<Vec<String>, MigrationError> {
    let pending = status_of(transaction).await?.refuse_newer()?.pending();
    if !pending.is_empty() {
        Migrator::up(transaction, None).await?;
    }
    Ok(pending)
}

/// Takes back the latest changes, at most `steps` of them, and returns their names, the latest first. **What was
/// stored in the tables of these changes is gone.**
///
/// # Errors
/// As [`up`].
pub async fn down(db: &DatabaseConnection, steps: u32) -> Result<Vec<String>, MigrationError> {
    let transaction = begin(db).await?;
    let lock = Lock::take(&transaction).await?;
    let done = down_under_lock(&transaction, steps).await;
    let given_back = lock.give_back(&transaction).await;
    let undone = done?;
    given_back?;
    transaction.commit().await?;
    Ok(undone)
}

async fn down_under_lock(
    transaction: &DatabaseTransaction,
    steps: u32,
) -> Result<Vec<String>, MigrationError> {
    let applied = status_of(transaction).await?.refuse_newer()?.applied();
    let undone: Vec<String> = applied
        .into_iter()
        .rev()
        .take(usize::try_from(steps).unwrap_or(usize::MAX))
        .collect();
    if !undone.is_empty() {
        Migrator::down(transaction, Some(steps)).await?;
    }
    Ok(undone)
}

/// Tells how far a database has come, without changing it.
///
/// # Errors
/// [`MigrationError::Database`] when the database reports an error.
pub async fn status(db: &DatabaseConnection) -> Result<Status, MigrationError> {
    Ok(status_of(db).await?)
}

/// On SQLite this takes the write lock at once, so that two programs can't both find the same changes pending.
async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    db.begin_with_options(TransactionOptions {
        sqlite_transaction_mode,
        ..TransactionOptions::default()
    })
    .await
}

async fn status_of<'c, C>(db: &'c C) -> Result<Status, DbErr>
where
    C: ConnectionTrait,
    &'c C: IntoSchemaManagerConnection<'c>,
{
    let mut recorded = Vec::new();
    if SchemaManager::new(db).has_table(MIGRATIONS_TABLE).await? {
        let query = Query::select().column("version").from(MIGRATIONS_TABLE).take();
        for row in db.query_all(&query).await? {
            recorded.push(row.try_get::<String>("", "version")?);
        }
    }
    let known: Vec<String> = Migrator::migrations()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect();
    let mut unknown: Vec<String> = recorded
        .iter()
        .filter(|name| !known.contains(name))
        .cloned()
        .collect();
    unknown.sort_unstable();
    let steps = known
        .into_iter()
        .map(|name| Step {
            applied: recorded.contains(&name),
            name,
        })
        .collect();
    Ok(Status { steps, unknown })
}
