//! Bringing the schema up to date, and refusing one that does not fit.

use zenml_auth_core::ports::StoreError;
use zenml_auth_migrations::{MigrationError, Status};

use crate::error;
use crate::store::SqlStore;

/// Why a database can't be used, or not be migrated.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It lacks changes that this program needs.
    #[error("the database has to be migrated first (it lacks {})", .pending.join(", "))]
    Behind {
        /// The changes that it lacks, the oldest first.
        pending: Vec<String>,
    },
    /// A newer program has changed it.
    #[error(
        "the database was made by a newer version of this program (it holds {}); install that version",
        .unknown.join(", ")
    )]
    Newer {
        /// The changes that this program does not know.
        unknown: Vec<String>,
    },
    /// The database could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SqlStore {
    /// How far the database has come. Changes nothing.
    ///
    /// # Errors
    /// [`SchemaError::Store`] when the database can't tell.
    pub async fn schema_status(&self) -> Result<Status, SchemaError> {
        zenml_auth_migrations::status(self.reader())
            .await
            .map_err(|error| self.schema_error(error))
    }

    /// Makes sure that the database has exactly the schema of this program.
    ///
    /// # Errors
    /// [`SchemaError::Behind`] or [`SchemaError::Newer`] when it has another one.
    pub async fn check_schema(&self) -> Result<(), SchemaError> {
        let status = self.schema_status().await?;
        if status.is_newer() {
            return Err(SchemaError::Newer {
                unknown: status.unknown,
            });
        }
        let pending = status.pending();
        if pending.is_empty() {
            Ok(())
        } else {
            Err(SchemaError::Behind { pending })
        }
    }

    /// Brings the database to the schema of this program and returns the names of the changes made.
    ///
    /// # Errors
    /// [`SchemaError::Newer`] when a newer program has changed it, [`SchemaError::Store`] when the database fails.
    pub async fn migrate_up(&self) -> Result<Vec<String>, SchemaError> {
        self.writer()
            .around(zenml_auth_migrations::up(self.connection()))
            .await
            .map_err(|error| self.schema_error(error))
    }

    /// Takes back the latest changes, at most `steps`, with all that is stored in their tables, and returns their names.
    ///
    /// # Errors
    /// As [`SqlStore::migrate_up`].
    pub async fn migrate_down(&self, steps: u32) -> Result<Vec<String>, SchemaError> {
        self.writer()
            .around(zenml_auth_migrations::down(self.connection(), steps))
            .await
            .map_err(|error| self.schema_error(error))
    }

    fn schema_error(&self, error: MigrationError) -> SchemaError {
        match error {
            MigrationError::Newer { unknown } => SchemaError::Newer { unknown },
            MigrationError::Database(error) => SchemaError::Store(error::of_read(self.dialect(), &error)),
        }
    }
}
