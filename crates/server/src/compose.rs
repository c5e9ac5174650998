//! The one place where storage is plugged into core.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zenml_auth_core::ports::{Store as _, SystemClock, SystemEntropy};
use zenml_auth_core::sealing::EncryptionKeys;
use zenml_auth_core::services::{
    Encryption, Engine, FirstAdministrator, OpenError, Ports, SetUp, SetUpError, set_up,
};
use zenml_auth_core::strength::{self, Whose};
use zenml_auth_model::Secret;
use zenml_auth_storage::{ConnectOptions, OptionsError, SchemaError, SqlStore};

use crate::config::Config;
use crate::encryption::{EncryptionError, Keys, KeysError};

/// Why the server's parts can't be put together.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The data folder can't be used.
    #[error("can't use the data folder {folder}: {source}")]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lock beside the database can't be used.
    #[error("can't lock the database with {path}: {source}")]
    Lock {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another server runs on the database.
    #[error(
        "another zenml-auth server runs on the database {0}; stop it first, or use another --data-dir or --database-url"
    )]
    InUse(PathBuf),
    /// Whether there is a database can't be told.
    #[error("can't look for the database at {path}: {source}")]
    Unreadable {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no database where there should be one.
    #[error("there is no database at {0}; start the server first, or check --data-dir and --database-url")]
    NoDatabase(PathBuf),
    /// The database can't be opened.
    #[error("can't open the database: {0}")]
    Store(#[from] zenml_auth_core::ports::StoreError),
    /// What is set for the database can't be used.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The first administrator's password is not where it should be.
    #[error(
        "there is no file {0} with the first administrator's password, which the first start needs; make it, or leave the setting out"
    )]
    NoPassword(PathBuf),
    /// The schema is not the program's.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// There is no encryption key to go on with.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    /// The store can't be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store can't be set up.
    #[error("can't set the database up: {0}")]
    SetUp(#[from] SetUpError),
}

impl From<KeysError> for ComposeError {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Encryption(error) => error.into(),
            KeysError::Store(error) => error.into(),
        }
    }
}

/// Makes the data folder, for its owner only, if it is not there.
pub(crate) fn make_folder(folder: &Path) -> Result<(), ComposeError> {
    let broken = |source| ComposeError::Folder {
        folder: folder.to_owned(),
        source,
    };
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(broken)
}

/// What to do when there is no embedded database yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// Make one.
    Create,
    /// Refuse: a folder that was mistyped must not become a new database.
    Refuse,
}

/// Connects to the database. The schema is not looked at yet.
///
/// # Errors
/// [`ComposeError`] when it can't be reached.
pub async fn connect(options: &ConnectOptions, if_missing: IfMissing) -> Result<SqlStore, ComposeError> {
    let mut options = options.clone();
    if let Some(file) = options.file()? {
        match if_missing {
            IfMissing::Create => make_folder(&folder_of(&file))?,
            IfMissing::Refuse => refuse_missing(&file)?,
        }
    }
    options.create_if_missing = if_missing == IfMissing::Create;
    Ok(SqlStore::connect(&options).await?)
}

/// Refuses to go on without a database.
///
/// # Errors
/// [`ComposeError`] when there is none, or when that can't be told.
pub(crate) fn refuse_missing(file: &Path) -> Result<(), ComposeError> {
    match file.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(ComposeError::NoDatabase(file.to_owned())),
        Err(source) => Err(ComposeError::Unreadable {
            path: file.to_owned(),
            source,
        }),
    }
}

/// The folder that a file is in.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// The store as core's ports.
#[must_use]
pub fn ports(store: Arc<SqlStore>, encryption: Arc<EncryptionKeys>) -> Ports {
    Ports {
        store,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        encryption,
    }
}

/// Sets the database up if it is new, seals what an earlier release has left in plain, and opens it.
///
/// # Errors
/// [`ComposeError`]
pub async fn open(
    store: &Arc<SqlStore>,
    keys: &Keys,
    config: &Config,
) -> Result<(Engine, SetUp), ComposeError> {
    if let Some(path) = &config.admin.missing_file
        && store.server().await?.is_none()
    {
        return Err(ComposeError::NoPassword(path.clone()));
    }
    let ports = ports(store.clone(), keys.keys.clone());
    let administrator = FirstAdministrator {
        name: config.admin.username.clone(),
        password: config.admin.password.clone(),
    };
    let set_up = set_up(&ports, administrator, config.hashing).await?;
    if let (SetUp::Now { .. }, Some(given)) = (&set_up, &config.admin.password) {
        warn_if_weak(given, config);
    }
    seal(store, &ports, config).await?;
    let engine = Engine::open(ports, config.settings, config.hashing).await;
    let engine = engine.map_err(|error| match error {
        OpenError::Sealing(problem) => EncryptionError::CannotOpen {
            problem,
            looked_in: keys.source.clone(),
        }
        .into(),
        error => ComposeError::Open(error),
    })?;
    Ok((engine, set_up))
}

/// The operator may choose whatever they like for the first administrator, and is told when it is a bad choice.
fn warn_if_weak(password: &Secret, config: &Config) {
    let whose = Whose {
        name: config.admin.username.to_string(),
        known: Vec::new(),
    };
    if let Err(weak) = strength::check(password, config.settings.limits.password_min_length, &whose) {
        tracing::warn!(
            "the administrator's password is weak: {weak}; change it with `zenml user change-password`"
        );
    }
}

/// Seals what is in plain, and wipes what is left of it.
///
/// # Errors
/// [`ComposeError`]
pub async fn seal(store: &SqlStore, ports: &Ports, config: &Config) -> Result<usize, ComposeError> {
    let sealed = Encryption::of(ports, &config.settings.lifetimes).seal_plain();
    let sealed = sealed.await.map_err(OpenError::from)?;
    if sealed > 0 {
        tracing::info!(
            secrets = sealed,
            "sealed the signing keys and the server secret; a new signing key takes over"
        );
        // The new key is the answer to copies of the old ones, wherever they are.
        if let Err(error) = store.scrub().await {
            tracing::warn!(%error, "traces of the former signing keys may be left in the file of the database");
        }
    }
    Ok(sealed)
}
