//! Carries an operation out here, or has the server do it that owns the database.

use std::path::PathBuf;
use std::sync::Arc;
#[cfg(unix)]
use std::time::Duration;

use zenml_auth_core::ports::StoreError;
use zenml_auth_core::services::{Engine, OpenError};
use zenml_auth_storage::SqlStore;

use super::operation::{Done, Operation, Refusal, perform};
#[cfg(unix)]
use super::socket_client::{SocketClient, SocketClientError};
use crate::compose::{ComposeError, IfMissing, connect, ports};
use crate::config::Config;
use crate::encryption::known;
use crate::ownership::{DatabaseFile, Lock};

/// How often to try to lock the database or to reach its owner, and how many times: a server that starts or stops does not
/// answer, and another command does not either.
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
    Socket(#[from] SocketClientError),
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
pub enum Executor {
    /// This program, with the lock if the database has one.
    Local(Box<LocalExecutor>),
    /// The server that runs on the database.
    #[cfg(unix)]
    Server(SocketClient),
}

impl Executor {
    /// Finds out which one, and gets ready.
    ///
    /// # Errors
    /// [`AdminError`]
    pub async fn open(config: &Config) -> Result<Self, AdminError> {
        let Some(database) = DatabaseFile::locate(&config.database, IfMissing::Refuse)? else {
            return LocalExecutor::open(config, None, None).await;
        };
        Self::open_file(config, &database).await
    }

    #[cfg(unix)]
    async fn open_file(config: &Config, database: &DatabaseFile) -> Result<Self, AdminError> {
        for _ in 0..LOOKS {
            if let Some(lock) = database.try_lock()? {
                return LocalExecutor::open(config, Some(database), Some(lock)).await;
            }
            match SocketClient::connect(database).await {
                Ok(client) => return Ok(Self::Server(client)),
                Err(SocketClientError::NobodyThere) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
        }
        Err(AdminError::Silent(database.path().to_owned()))
    }

    #[cfg(not(unix))]
    async fn open_file(config: &Config, database: &DatabaseFile) -> Result<Self, AdminError> {
        match database.lock().await {
            Ok(lock) => LocalExecutor::open(config, Some(database), Some(lock)).await,
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
            Self::Local(local) => Ok(perform(&local.engine, operation).await?),
            #[cfg(unix)]
            Self::Server(client) => Ok(client.ask(operation).await?),
        }
    }

    /// Leaves the database as it should be left.
    ///
    /// # Errors
    /// [`AdminError`]
    pub async fn close(self) -> Result<(), AdminError> {
        match self {
            Self::Local(local) => local.close().await,
            #[cfg(unix)]
            Self::Server(_) => Ok(()),
        }
    }
}

/// The database, opened by this program.
pub struct LocalExecutor {
    store: Arc<SqlStore>,
    engine: Engine,
    lock: Option<Lock>,
}

impl LocalExecutor {
    async fn open(
        config: &Config,
        database: Option<&DatabaseFile>,
        lock: Option<Lock>,
    ) -> Result<Executor, AdminError> {
        let store = Arc::new(connect(&config.database, IfMissing::Refuse).await?);
        store.check_schema().await.map_err(ComposeError::from)?;
        // Nothing is authenticated here, so the signing keys stay sealed. `encryption status` alone uses the keys.
        let keys = known(config, database).map_err(ComposeError::from)?.keys;
        let ports = ports(store.clone(), keys);
        let engine = Engine::open_without_signing_keys(ports, config.settings, config.hashing).await?;
        Ok(Executor::Local(Box::new(Self { store, engine, lock })))
    }

    async fn close(self) -> Result<(), AdminError> {
        drop(self.engine);
        self.store.close().await?;
        drop(self.lock);
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::config::{self, Options};

    #[tokio::test(start_paused = true)]
    async fn after_fifteen_seconds_a_command_gives_up_on_a_server_that_does_not_answer() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::default();
        options.storage.data_dir = Some(folder.path().to_owned());
        let config = config::load(options).unwrap();
        let path = folder.path().join("zenml-auth.db");
        std::fs::write(&path, "").unwrap();
        let lock = DatabaseFile::at(path.clone()).try_lock().unwrap().unwrap();
        let began = Instant::now();
        let refused = Executor::open(&config).await.err().unwrap();
        assert!(matches!(refused, AdminError::Silent(_)), "{refused}");
        assert_eq!(began.elapsed(), Duration::from_secs(15));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "", "nothing was changed");
        drop(lock);
    }
}
