//! Where the keys come from that the server's secrets are sealed under.
//!
//! They are given as a file or in a variable. Where none is given, an embedded database has a key of its own in a file
//! beside it: that protects copies and backups of the database, and nobody who can read the folder. On a database server
//! a key has to be given, as all servers need the same one.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zenml_auth_core::ports::{Entropy, Store as _, StoreError, SystemEntropy};
use zenml_auth_core::sealing::{EncryptionKey, EncryptionKeys, EncryptionKeysError, SealingError};
use zenml_auth_model::{EncryptionKeyId, EncryptionKeyIdError};
use zenml_auth_storage::{Database, SqlStore};
use zeroize::Zeroizing;

#[cfg(unix)]
use crate::compose::folder_of;
use crate::config::Config;
use crate::ownership::DatabaseFile;
#[cfg(unix)]
use crate::ownership::give_to_owner_of_folder;
use crate::permissions::{Access, PermissionsError, check_file};

/// What the file with the embedded database's own key is called: as the database, with this.
pub(crate) const KEY: &str = ".key";

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The variable.
    Variable,
    /// A file that was given.
    File(PathBuf),
    /// The file beside the embedded database.
    Beside(PathBuf),
    /// They were made for a database in memory, and end with it.
    Memory,
    /// Nowhere.
    Nowhere,
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable => f.write_str("ZENML_AUTH_ENCRYPTION_KEY"),
            Self::File(path) | Self::Beside(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str("memory"),
            Self::Nowhere => f.write_str("nothing, as no key was given"),
        }
    }
}

/// Keys, and where they come from.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The keys.
    pub keys: Arc<EncryptionKeys>,
    /// Where they come from; where they would be, if there are none.
    pub source: KeySource,
}

/// Why there are no keys to go on with. It never shows a key.
#[derive(Debug, thiserror::Error)]
pub enum EncryptionError {
    /// What was given holds no keys.
    #[error("the encryption keys in {source_of_keys} can't be used: {reason}")]
    Unusable {
        /// Where they come from.
        source_of_keys: KeySource,
        /// What is wrong.
        reason: EncryptionKeysError,
    },
    /// The file can't be read or made.
    #[error("can't {action} the file with the encryption key, {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read the file.
    #[error("the file with the encryption key is not safe: {0}")]
    Permissions(#[from] PermissionsError),
    /// None was given, and one has to be.
    #[error(
        "on a database server, the signing keys have to be sealed under an encryption key that is kept outside of the \
         database. Make one with `zenml-auth-server encryption generate > FILE`, keep a copy of it apart from the \
         database's backups, and give it to every server with --encryption-key-file FILE or ZENML_AUTH_ENCRYPTION_KEY"
    )]
    NotGiven,
    /// What is in the database can't be opened.
    #[error(
        "{problem} (looked in {looked_in}). If the right key can't be found any more, `zenml-auth-server encryption reset` \
         makes new secrets, which ends all tokens"
    )]
    CannotOpen {
        /// Which secret, and why it does not open.
        problem: SealingError,
        /// Where the keys come from.
        looked_in: KeySource,
    },
    /// The id of a new key can't be one.
    #[error(transparent)]
    Id(#[from] EncryptionKeyIdError),
}

/// What to do about a database that holds something sealed, when there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfSealed {
    /// Refuse: a new key would open nothing.
    Refuse,
    /// Make a key all the same, as what is sealed is given up.
    MakeKey,
}

/// Reads keys that were given in the variable.
///
/// # Errors
/// [`EncryptionError`]
pub fn from_variable(text: &str) -> Result<Keys, EncryptionError> {
    read(text, KeySource::Variable)
}

/// Reads keys from a file that was given.
///
/// # Errors
/// [`EncryptionError`]
pub fn from_file(path: &Path, access: Access) -> Result<Keys, EncryptionError> {
    read_file(path, access, KeySource::File(path.to_owned()))
}

/// The keys that there are; none when there are none.
///
/// # Errors
/// [`EncryptionError`] when there are some which can't be used.
pub fn known(config: &Config, database: Option<&DatabaseFile>) -> Result<Keys, EncryptionError> {
    if let Some(given) = &config.encryption {
        return Ok(given.clone());
    }
    let none = |source| Keys {
        keys: Arc::new(EncryptionKeys::none()),
        source,
    };
    let Some(path) = database.map(|database| database.beside(KEY)) else {
        return Ok(none(KeySource::Nowhere));
    };
    let source = KeySource::Beside(path.clone());
    match path.try_exists() {
        Ok(true) => read_file(&path, config.access, source),
        Ok(false) => Ok(none(source)),
        Err(source) => Err(EncryptionError::Io {
            action: "look for",
            path,
            source,
        }),
    }
}

/// Refuses to go on where a key has to be given and none is, before anything is changed.
///
/// # Errors
/// [`EncryptionError::NotGiven`]
pub fn require_given(config: &Config) -> Result<(), EncryptionError> {
    let is_embedded = config
        .database
        .database()
        .is_ok_and(|kind| kind == Database::Sqlite);
    if config.encryption.is_none() && !is_embedded {
        return Err(EncryptionError::NotGiven);
    }
    Ok(())
}

/// The keys that there are; for an embedded database without any, one is made. The caller has the lock on it, so that one
/// process makes one key, and the key is on disk before anything is sealed under it.
///
/// # Errors
/// [`EncryptionError`], or [`StoreError`] when the database does not answer.
pub async fn known_or_made(
    config: &Config,
    database: Option<&DatabaseFile>,
    store: &SqlStore,
    if_sealed: IfSealed,
) -> Result<Keys, KeysError> {
    require_given(config)?;
    let found = known(config, database)?;
    if !found.keys.is_empty() {
        return Ok(found);
    }
    let KeySource::Beside(path) = found.source else {
        let key = EncryptionKey::generate(random_id(&SystemEntropy)?, &SystemEntropy);
        return Ok(Keys {
            keys: Arc::new(EncryptionKeys::one(key)),
            source: KeySource::Memory,
        });
    };
    if if_sealed == IfSealed::Refuse
        && let Some(server) = store.server().await?
        && server.secret.sealed_by().is_some()
    {
        let place = zenml_auth_core::sealing::Place::ServerSecret(server.id);
        let problem = EncryptionKeys::none().open(place, &server.secret).err();
        return Err(EncryptionError::CannotOpen {
            problem: problem.unwrap_or(SealingError::NoKey(place)),
            looked_in: KeySource::Beside(path),
        }
        .into());
    }
    let key = EncryptionKey::generate(random_id(&SystemEntropy)?, &SystemEntropy);
    write_new(&path, key.to_text().expose()).map_err(|source| EncryptionError::Io {
        action: "make",
        path: path.clone(),
        source,
    })?;
    tracing::info!(
        path = %path.display(),
        "made an encryption key for the database; keep a copy of it apart from the backups"
    );
    // As the next start will find it.
    Ok(read_file(&path, config.access, KeySource::Beside(path.clone()))?)
}

/// Why there are no keys, or the database did not say whether there have to be.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// There are no keys to go on with.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a key for `encryption generate`.
///
/// # Errors
/// [`EncryptionError::Id`] when the id can't be one.
pub fn generate(id: Option<String>) -> Result<EncryptionKey, EncryptionError> {
    let id = match id {
        Some(text) => EncryptionKeyId::new(text)?,
        None => random_id(&SystemEntropy)?,
    };
    Ok(EncryptionKey::generate(id, &SystemEntropy))
}

/// Ids only have to be told apart.
fn random_id(entropy: &dyn Entropy) -> Result<EncryptionKeyId, EncryptionError> {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    Ok(EncryptionKeyId::new(format!(
        "k-{:08x}",
        u32::from_be_bytes(bytes)
    ))?)
}

fn read_file(path: &Path, access: Access, source: KeySource) -> Result<Keys, EncryptionError> {
    check_file(path, access)?;
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|source| EncryptionError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    read(&text, source)
}

fn read(text: &str, source: KeySource) -> Result<Keys, EncryptionError> {
    match EncryptionKeys::parse(text) {
        Ok(keys) => Ok(Keys {
            keys: Arc::new(keys),
            source,
        }),
        Err(reason) => Err(EncryptionError::Unusable {
            source_of_keys: source,
            reason,
        }),
    }
}

/// Makes a file for the owner of the folder only. After a crash it is all there, or not at all.
fn write_new(path: &Path, line: &str) -> io::Result<()> {
    let mut unfinished = path.to_owned().into_os_string();
    unfinished.push(".new");
    let unfinished = PathBuf::from(unfinished);
    // One that was left behind by a crash was never used.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    #[cfg(unix)]
    give_to_owner_of_folder(&unfinished, &file)?;
    writeln!(
        file,
        "# The signing keys in the database are sealed under this key. Keep a copy of it, and not beside the database's \
         backups:\n# without it they can't be opened, and with it everybody can.\n{line}"
    )?;
    file.sync_all()?;
    drop(file);
    fs::rename(&unfinished, path)?;
    #[cfg(unix)]
    File::open(folder_of(path))?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_private_and_can_be_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db.key");
        fs::write(folder.path().join("db.key.new"), "half of a ke").unwrap();
        let key = generate(None).unwrap();
        write_new(&path, key.to_text().expose()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let read = from_file(&path, Access::Owner).unwrap();
        assert_eq!(read.keys.current(), Some(key.id()));
        assert!(!folder.path().join("db.key.new").exists());
    }

    #[test]
    fn an_error_shows_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = generate(Some("k1".to_owned())).unwrap().to_text();
        let broken = format!("{}AAAA", key.expose());
        write_new(&path, &broken).unwrap();
        for error in [
            from_file(&path, Access::Owner).unwrap_err(),
            from_variable(&broken).unwrap_err(),
        ] {
            let said = format!("{error} {error:?}");
            let secret = key.expose().strip_prefix("k1:").unwrap();
            assert!(
                said.contains("number 1") && !said.contains(&secret[..20]),
                "{said}"
            );
        }
    }
}
