//! Running the migrations.

use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::sea_query::Query;
use sea_orm_migration::{IntoSchemaManagerConnection, MigratorTraitSelf as _, SchemaManager};

use crate::lock::Lock;
use crate::schema::Schema;
use crate::{MIGRATIONS_TABLE, compatibility, m0013_sealed_secrets, serving};

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
    /// Servers run on the database, which need the changes that were to be taken back. Nothing was done to it.
    #[error("{servers} zenml-auth {} on the database; stop {} first", if *.servers == 1 { "server runs" } else { "servers run" }, if *.servers == 1 { "it" } else { "them" })]
    InUse {
        /// How many.
        servers: u32,
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
    /// Whether the database says that this program works with it although it has changes that the program does not know.
    pub works: bool,
}

/// Why a program can't work with a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// It lacks these changes, the oldest first.
    Behind(Vec<String>),
    /// It has these changes, which the program does not know and can't work with.
    Newer(Vec<String>),
}

impl Status {
    /// Compares the changes that a program knows with those that a database has.
    ///
    /// `oldest` is what the database answers to [`compatibility::OLDEST_SCHEMA`].
    #[must_use]
    pub fn new(schema: &Schema, recorded: &[String], oldest: Option<i64>) -> Self {
        let known = schema.names();
        let mut unknown: Vec<String> = recorded
            .iter()
            .filter(|name| !known.contains(name))
            .cloned()
            .collect();
        unknown.sort_unstable();
        let steps: Vec<Step> = known
            .into_iter()
            .map(|name| Step {
                applied: recorded.contains(&name),
                name,
            })
            .collect();
        let is_whole = steps.iter().all(|step| step.applied);
        let works = is_whole && oldest.is_some_and(|oldest| oldest <= schema.newest());
        Self {
            works: unknown.is_empty() || works,
            steps,
            unknown,
        }
    }

    /// Why the program can't work with the database; `None` when it can.
    #[must_use]
    pub fn misfit(self) -> Option<Misfit> {
        if !self.works {
            return Some(Misfit::Newer(self.unknown));
        }
        let pending = self.pending();
        (!pending.is_empty()).then_some(Misfit::Behind(pending))
    }

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

/// Makes all pending changes of this program and returns their names.
///
/// Where the database can take back schema changes (SQLite, PostgreSQL), either all of them are made or none.
/// Calls at the same time wait for each other, and those that come late find nothing left to do. A database that has more
/// changes, with which the program works all the same, is left as it is.
///
/// # Errors
/// [`MigrationError::Newer`] when a newer program has changed the database in a way that this one can't work with;
/// [`MigrationError::Database`] when the database reports an error.
pub async fn up(db: &DatabaseConnection) -> Result<Vec<String>, MigrationError> {
    up_to(&Schema::current(), db).await
}

/// The same with the changes of another program.
///
/// # Errors
/// As [`up`].
pub async fn up_to(schema: &Schema, db: &DatabaseConnection) -> Result<Vec<String>, MigrationError> {
    let transaction = begin(db).await?;
    let lock = Lock::take(&transaction).await?;
    let done = up_under_lock(schema, &transaction).await;
    let given_back = lock.give_back(&transaction).await;
    let pending = done?;
    given_back?;
    transaction.commit().await?;
    Ok(pending)
}

async fn up_under_lock(
    schema: &Schema,
    transaction: &DatabaseTransaction,
) -> Result<Vec<String>, MigrationError> {
    let status = status_of(schema, transaction).await?;
    if !status.works {
        return Err(MigrationError::Newer {
            unknown: status.unknown,
        });
    }
    if status.is_newer() {
        return Ok(Vec::new());
    }
    let pending = status.pending();
    let after = schema.compatibility(&schema.names());
    if !pending.is_empty() {
        // Where changes can't be taken back as a whole, whom they keep out must not come in between.
        compatibility::write(transaction, after).await?;
        schema.up(transaction, None).await?;
    }
    compatibility::write(transaction, after).await?;
    Ok(pending)
}

/// Takes back the latest changes, at most `steps` of them, and returns their names, the latest first. **What was
/// stored in the tables of these changes is gone.**
///
/// # Errors
/// [`MigrationError::InUse`] while servers run on the database; [`MigrationError::Newer`] when it has changes that this
/// program does not know and so can't take back; [`MigrationError::Database`] when the database reports an error.
pub async fn down(db: &DatabaseConnection, steps: u32) -> Result<Vec<String>, MigrationError> {
    down_from(&Schema::current(), db, steps).await
}

/// The same with the changes of another program.
///
/// # Errors
/// As [`down`].
pub async fn down_from(
    schema: &Schema,
    db: &DatabaseConnection,
    steps: u32,
) -> Result<Vec<String>, MigrationError> {
    let transaction = begin(db).await?;
    let lock = Lock::take(&transaction).await?;
    let done = down_under_lock(schema, &transaction, steps).await;
    let given_back = lock.give_back(&transaction).await;
    let undone = done?;
    given_back?;
    transaction.commit().await?;
    Ok(undone)
}

async fn down_under_lock(
    schema: &Schema,
    transaction: &DatabaseTransaction,
    steps: u32,
) -> Result<Vec<String>, MigrationError> {
    let applied = status_of(schema, transaction).await?.refuse_newer()?.applied();
    let undone: Vec<String> = applied
        .iter()
        .rev()
        .take(usize::try_from(steps).unwrap_or(usize::MAX))
        .cloned()
        .collect();
    if undone.is_empty() {
        return Ok(undone);
    }
    // Before anything is taken back: MySQL can't undo the steps before the one that refuses.
    if undone.iter().any(|name| name == m0013_sealed_secrets::NAME) {
        m0013_sealed_secrets::refuse_sealed(&SchemaManager::new(transaction)).await?;
    }
    if let Err(servers) = serving::take_alone(transaction).await? {
        return Err(MigrationError::InUse { servers });
    }
    let done = schema.down(transaction, Some(steps)).await;
    let given_back = serving::give_back(transaction).await;
    done?;
    given_back?;
    let left: Vec<String> = applied
        .into_iter()
        .filter(|name| !undone.contains(name))
        .collect();
    compatibility::write(transaction, schema.compatibility(&left)).await?;
    Ok(undone)
}

/// Tells how far a database has come, without changing it.
///
/// # Errors
/// [`MigrationError::Database`] when the database reports an error.
pub async fn status(db: &DatabaseConnection) -> Result<Status, MigrationError> {
    status_for(&Schema::current(), db).await
}

/// The same for another program.
///
/// # Errors
/// As [`status`].
pub async fn status_for(schema: &Schema, db: &DatabaseConnection) -> Result<Status, MigrationError> {
    Ok(status_of(schema, db).await?)
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

async fn status_of<'c, C>(schema: &Schema, db: &'c C) -> Result<Status, DbErr>
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
    let oldest = compatibility::read(db).await?.map(|row| row.oldest);
    Ok(Status::new(schema, &recorded, oldest))
}
