//! Doing it here, or having the owner of the database do it.

use std::path::PathBuf;
use std::sync::Arc;
#[cfg(unix)]
use std::time::Duration;

use zenml_auth_core::ports::StoreError;
use zenml_auth_core::services::{Engine, OpenError};
use zenml_auth_storage::SqlStore;

#[cfg(unix)]
use super::errand::{Errand, ErrandError};
use super::operation::{Done, Operation, Refusal, perform};
use crate::compose::{ComposeError, IfMissing, connect, ports};
use crate::config::Config;
use crate::encryption::known;
use crate::ownership::{DatabaseFile, Lock};

/// How often to look whether the database has become free or its owner answers, and how many times: a server that starts
/// or stops, and a command, do not answer.
#[cfg(unix)]
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);
#[cfg(unix)]
const LOOKS: u32 = 150;

/// Why an operator's command came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The database can't be had.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// Somebody has it and does not answer.
    #[cfg(unix)]
    #[error(
        "a server runs on the database {0}, or is starting or stopping, and does not answer at its socket; \
         see its log, and try again, or stop it first"
    )]
    Silent(PathBuf),
    /// Somebody has it and can't be asked.
    #[cfg(not(unix))]
    #[error(
        "a server runs on the database {0}, and can't be asked while it runs on this system; stop it first"
    )]
    NoSocket(PathBuf),
    /// The owner could not be asked.
    #[cfg(unix)]
    #[error(transparent)]
    Errand(#[from] ErrandError),
    /// It was not done.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        Self::Compose(error.into())
    }
}

impl From<OpenError> for AdminError {
    fn from(error: OpenError) -> Self {
        Self::Compose(error.into())
    }
}

/// What carries operations out.
pub enum Access {
    /// We do, with the lock if the database has one.
    Here(Box<Here>),
    /// The server that runs on the database.
    #[cfg(unix)]
    Owner(Errand),
}

impl Access {
    /// Finds out who does, and gets ready.
    ///
    /// # Errors
    /// [`AdminError`]
    pub async fn open(config: &Config) -> Result<Self, AdminError> {
        let Some(database) = DatabaseFile::locate(&config.database, IfMissing::Refuse)? else {
            return Here::open(config, None, None).await;
        };
        Self::open_file(config, &database).await
    }

    #[cfg(unix)]
    async fn open_file(config: &Config, database: &DatabaseFile) -> Result<Self, AdminError> {
        for _ in 0..LOOKS {
            if let Some(lock) = database.try_lock()? {
                return Here::open(config, Some(database), Some(lock)).await;
            }
            match Errand::begin(database).await {
                Ok(errand) => return Ok(Self::Owner(errand)),
                Err(ErrandError::NobodyThere) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
        }
        Err(AdminError::Silent(database.path().to_owned()))
    }

    #[cfg(not(unix))]
    async fn open_file(config: &Config, database: &DatabaseFile) -> Result<Self, AdminError> {
        match database.lock().await {
            Ok(lock) => Here::open(config, Some(database), Some(lock)).await,
            Err(ComposeError::InUse(path)) => Err(AdminError::NoSocket(path)),
            Err(error) => Err(error.into()),
        }
    }

    /// Has an operation carried out.
    ///
    /// # Errors
    /// [`AdminError`]
    pub async fn perform(&mut self, operation: Operation) -> Result<Done, AdminError> {
        match self {
            Self::Here(here) => Ok(perform(&here.engine, operation).await?),
            #[cfg(unix)]
            Self::Owner(errand) => Ok(errand.ask(operation).await?),
        }
    }

    /// Leaves the database as it should be left.
    ///
    /// # Errors
    /// [`AdminError`]
    pub async fn close(self) -> Result<(), AdminError> {
        match self {
            Self::Here(here) => here.close().await,
            #[cfg(unix)]
            Self::Owner(_) => Ok(()),
        }
    }
}

/// The database, in our hands.
pub struct Here {
    store: Arc<SqlStore>,
    engine: Engine,
    lock: Option<Lock>,
}

impl Here {
    async fn open(
        config: &Config,
        database: Option<&DatabaseFile>,
        lock: Option<Lock>,
    ) -> Result<Access, AdminError> {
        let store = Arc::new(connect(&config.database, IfMissing::Refuse).await?);
        store.check_schema().await.map_err(ComposeError::from)?;
        // Nothing is authenticated here, so the signing keys stay sealed. `encryption status` alone uses the keys.
        let keys = known(config, database).map_err(ComposeError::from)?.keys;
        let ports = ports(store.clone(), keys);
        let engine = Engine::open_to_look(ports, config.settings, config.hashing).await?;
        Ok(Access::Here(Box::new(Self { store, engine, lock })))
    }

    async fn close(self) -> Result<(), AdminError> {
        drop(self.engine);
        self.store.close().await?;
        drop(self.lock);
        Ok(())
    }
}
