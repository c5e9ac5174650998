//! Bringing the schema up to date, and refusing one that does not fit.

use zenml_auth_core::ports::StoreError;
use zenml_auth_migrations::{MigrationError, Misfit, Status};

use crate::epoch::Epochs;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::epoch::take_alone;
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
    /// Servers run on it, which would break or not notice.
    #[error(
        "{} still {} on the database; stop {} first, and try again",
        if *.servers == 1 { "a zenml-auth server".to_owned() } else { format!("{} zenml-auth servers", .servers) },
        if *.servers == 1 { "runs" } else { "run" },
        if *.servers == 1 { "it" } else { "them" },
    )]
    InUse {
        /// How many.
        servers: u32,
    },
    /// The database could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Misfit> for SchemaError {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Behind(pending) => Self::Behind { pending },
            Misfit::Newer(unknown) => Self::Newer { unknown },
        }
    }
}

/// Keeps servers from a database for as long as it lives.
#[derive(Default)]
#[must_use = "servers may start again once it is dropped"]
pub struct Alone {
    /// Holds the lock on a database server.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    _session: Option<crate::dialect::EpochConnection>,
}

impl std::fmt::Debug for Alone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alone").finish_non_exhaustive()
    }
}

impl SqlStore {
    /// How far the database has come. Changes nothing.
    ///
    /// # Errors
    /// [`SchemaError::Store`] when the database can't tell.
    pub async fn schema_status(&self) -> Result<Status, SchemaError> {
        zenml_auth_migrations::status_for(self.schema(), self.reader())
            .await
            .map_err(|error| self.schema_error(error))
    }

    /// Makes sure that the database has a schema that this program works with: its own, or a newer one that only added to it.
    ///
    /// # Errors
    /// [`SchemaError::Behind`] or [`SchemaError::Newer`] when it has another one.
    pub async fn check_schema(&self) -> Result<(), SchemaError> {
        match self.schema_status().await?.misfit() {
            None => Ok(()),
            Some(misfit) => Err(misfit.into()),
        }
    }

    /// Has the database know that a server works with it from now on, until this store is closed or the process ends: nobody
    /// can take changes of its schema back meanwhile. A session of the database holds a lock for it. When the session breaks,
    /// a new one takes the lock again and looks whether the schema is still one that this program works with; while it is
    /// not, the store is unavailable.
    ///
    /// SQLite has one owner, whose lock on the file does the same.
    ///
    /// # Errors
    /// As [`SqlStore::check_schema`]; [`SchemaError::Store`] while changes are being taken back.
    pub async fn begin_serving(&self) -> Result<(), SchemaError> {
        #[cfg(any(feature = "postgres", feature = "mysql"))]
        if let Some(reader) = self.epoch_reader() {
            // Said in its own words first: what the session finds out later counts as the database being unavailable.
            self.check_schema().await?;
            reader.serve().await?;
            self.watch_schema();
            return Ok(());
        }
        self.check_schema().await
    }

    /// Keeps servers from the database for as long as the answer lives: none runs, and none can start. For changes that a
    /// running server would not notice at once, such as other signing keys.
    ///
    /// SQLite has one owner, whose lock on the file does the same.
    ///
    /// # Errors
    /// [`SchemaError::InUse`] while servers run on it; [`SchemaError::Store`] when the database fails.
    pub async fn alone(&self) -> Result<Alone, SchemaError> {
        match self.epochs() {
            Epochs::Own { .. } => Ok(Alone::default()),
            #[cfg(any(feature = "postgres", feature = "mysql"))]
            Epochs::Shared { endpoint, .. } => {
                let session = take_alone(self.dialect(), &endpoint.options()).await?;
                Ok(Alone {
                    _session: Some(session),
                })
            }
        }
    }

    /// Brings the database to the schema of this program and returns the names of the changes made.
    ///
    /// # Errors
    /// [`SchemaError::Newer`] when a newer program has changed it, [`SchemaError::Store`] when the database fails.
    pub async fn migrate_up(&self) -> Result<Vec<String>, SchemaError> {
        self.writer()
            .around(zenml_auth_migrations::up_to(self.schema(), self.connection()))
            .await
            .map_err(|error| self.schema_error(error))
    }

    /// Takes back the latest changes, at most `steps`, with all that is stored in their tables, and returns their names.
    ///
    /// # Errors
    /// [`SchemaError::InUse`] while servers run on it; else as [`SqlStore::migrate_up`].
    pub async fn migrate_down(&self, steps: u32) -> Result<Vec<String>, SchemaError> {
        self.writer()
            .around(zenml_auth_migrations::down_from(
                self.schema(),
                self.connection(),
                steps,
            ))
            .await
            .map_err(|error| self.schema_error(error))
    }

    fn schema_error(&self, error: MigrationError) -> SchemaError {
        match error {
            MigrationError::Newer { unknown } => SchemaError::Newer { unknown },
            MigrationError::InUse { servers } => SchemaError::InUse { servers },
            MigrationError::Database(error) => SchemaError::Store(error::of_read(self.dialect(), &error)),
        }
    }
}
