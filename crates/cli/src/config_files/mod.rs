//! What is kept on disk: which server this machine is connected to, and with what.
//!
//! The files are the Python client's own, `config.yaml` and `credentials.yaml`, so that connecting with one connects the other. Whatever else
//! they hold is kept. They are changed under a lock and replaced as a whole, readable by their owner only. A file that can't be read is
//! named in an error and never written over.

mod config;
mod credentials;
mod document;
mod paths;

use std::path::{Path, PathBuf};

use zenml_auth_client::ServerAddress;
use zenml_auth_model::{ClientId, Timestamp};

pub(crate) use config::{StoredServer, VerifySsl};
pub(crate) use credentials::{ServerDetails, StoredCredentials, StoredToken};
use document::Document;
pub(crate) use paths::config_dir;

/// Why the files can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigFilesError {
    /// Nobody knows where they would be.
    #[error("there is no home folder to keep the connection in")]
    NoHome,
    /// Reading, writing or locking failed.
    #[error("{path} can't be {action}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// It is no YAML, or not of the shape it should have. Says where, but not what is there, which may be a secret.
    #[error("{path} is broken: {reason}")]
    Broken {
        /// Which.
        path: PathBuf,
        /// Where and how.
        reason: String,
    },
    /// The system gives no random numbers.
    #[error("no random number can be had: {0}")]
    NoRandomness(String),
    /// Credentials must not be kept on disk.
    #[error("the connection can't be kept, as DISABLE_CREDENTIALS_DISK_CACHING is set")]
    DiskForbidden,
}

impl ConfigFilesError {
    /// What to do about it.
    pub(crate) fn next(&self) -> String {
        match self {
            Self::NoHome => "Set ZENML_CONFIG_PATH to a folder.".to_owned(),
            Self::Io { .. } => {
                "Check the folder's permissions, or set ZENML_CONFIG_PATH to another one.".to_owned()
            }
            Self::Broken { path, .. } => {
                format!("Repair {0}, or move it away; it was not changed.", path.display())
            }
            Self::NoRandomness(_) => "Check the system; /dev/urandom has to be readable.".to_owned(),
            Self::DiskForbidden => {
                "Set ZENML_STORE_URL and ZENML_STORE_API_KEY instead, or unset it.".to_owned()
            }
        }
    }
}

/// The files in one folder.
#[derive(Debug, Clone)]
pub(crate) struct ConfigFiles {
    dir: PathBuf,
    credentials_on_disk: bool,
}

impl ConfigFiles {
    /// The files in this folder; neither has to exist. `credentials_on_disk` is whether credentials may be kept there.
    pub(crate) const fn new(dir: PathBuf, credentials_on_disk: bool) -> Self {
        Self {
            dir,
            credentials_on_disk,
        }
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn config_path(&self) -> PathBuf {
        self.dir.join("config.yaml")
    }

    fn credentials_path(&self) -> PathBuf {
        self.dir.join("credentials.yaml")
    }

    fn read_config(&self) -> Result<Document, ConfigFilesError> {
        Document::read(&self.config_path())
    }

    fn read_credentials(&self) -> Result<Document, ConfigFilesError> {
        if self.credentials_on_disk {
            Document::read(&self.credentials_path())
        } else {
            Ok(Document::empty(&self.credentials_path()))
        }
    }

    /// The server this machine is connected to, if any.
    pub(crate) fn server(&self) -> Result<Option<StoredServer>, ConfigFilesError> {
        config::server(&self.read_config()?)
    }

    /// What is kept for a server, if anything.
    pub(crate) fn credentials(
        &self,
        server: &ServerAddress,
    ) -> Result<Option<StoredCredentials>, ConfigFilesError> {
        let config = self.read_config()?;
        credentials::find(&self.read_credentials()?, server, config::url_as_written(&config))
    }

    /// The id of the server that answered at this address when it was connected to, if that is kept.
    pub(crate) fn known_server_id(&self, server: &ServerAddress) -> Result<Option<String>, ConfigFilesError> {
        let config = self.read_config()?;
        let kept = self.read_credentials()?;
        Ok(credentials::server_id(
            &kept,
            server,
            config::url_as_written(&config),
        ))
    }

    /// The client id of this installation, made and kept when there is none.
    pub(crate) fn client_id(&self) -> Result<ClientId, ConfigFilesError> {
        if let Some(id) = config::client_id(&self.read_config()?)? {
            return Ok(id);
        }
        self.locked(|| {
            let mut config = self.read_config()?;
            // Another process may have made one in the meantime.
            if let Some(id) = config::client_id(&config)? {
                return Ok(id);
            }
            let id = config::new_client_id()?;
            config::set_client_id(&mut config, id);
            config.write()?;
            Ok(id)
        })
    }

    /// Makes sure that a connection could be kept, before somebody goes to the trouble of making one.
    pub(crate) fn check_writable(&self) -> Result<(), ConfigFilesError> {
        if !self.credentials_on_disk {
            return Err(ConfigFilesError::DiskForbidden);
        }
        // Files are replaced by new ones, so that it is the folder that counts.
        self.locked(|| {
            tempfile::tempfile_in(&self.dir)
                .map(drop)
                .map_err(|source| ConfigFilesError::Io {
                    path: self.dir.clone(),
                    action: "written to",
                    source,
                })
        })
    }

    /// Keeps a connection: from now on this machine is connected to this server, with this.
    pub(crate) fn save_connection(
        &self,
        server: &StoredServer,
        credentials: &StoredCredentials,
        details: &ServerDetails,
    ) -> Result<(), ConfigFilesError> {
        if !self.credentials_on_disk {
            return Err(ConfigFilesError::DiskForbidden);
        }
        self.locked(|| {
            let mut config = self.read_config()?;
            let mut kept = self.read_credentials()?;
            if config::client_id(&config)?.is_none() {
                config::set_client_id(&mut config, config::new_client_id()?);
            }
            let written = config::url_as_written(&config);
            credentials::set(&mut kept, &server.address, written, credentials, details)?;
            config::set_server(&mut config, server)?;
            // The credentials first: a connection without them would be worse than the other way round.
            kept.write()?;
            config.write()
        })
    }

    /// Keeps a new API key, and the token that was made from it, for a server.
    pub(crate) fn save_credentials(
        &self,
        server: &ServerAddress,
        credentials: &StoredCredentials,
    ) -> Result<(), ConfigFilesError> {
        if !self.credentials_on_disk {
            return Err(ConfigFilesError::DiskForbidden);
        }
        self.locked(|| {
            let config = self.read_config()?;
            let mut kept = self.read_credentials()?;
            credentials::set_credentials(&mut kept, server, config::url_as_written(&config), credentials)?;
            kept.write()
        })
    }

    /// Keeps a token that was issued for credentials that are already kept; leaves the files alone when they no longer are.
    pub(crate) fn save_token(
        &self,
        server: &ServerAddress,
        token: &StoredToken,
    ) -> Result<(), ConfigFilesError> {
        if !self.credentials_on_disk {
            return Ok(());
        }
        self.locked(|| {
            let config = self.read_config()?;
            let mut kept = self.read_credentials()?;
            if credentials::set_token(&mut kept, server, config::url_as_written(&config), token)? {
                kept.write()
            } else {
                Ok(())
            }
        })
    }

    /// Forgets a server: its credentials, and the connection if it is this server's.
    pub(crate) fn forget_server(&self, server: &ServerAddress) -> Result<(), ConfigFilesError> {
        self.locked(|| {
            let mut config = self.read_config()?;
            let mut kept = self.read_credentials()?;
            if config::server(&config)?.is_some_and(|stored| stored.address == *server) {
                config::clear_server(&mut config);
                config.write()?;
            }
            if credentials::remove(&mut kept, server) {
                kept.write()
            } else {
                Ok(())
            }
        })
    }

    /// Does something while no other process of ours changes the files.
    fn locked<T>(&self, change: impl FnOnce() -> Result<T, ConfigFilesError>) -> Result<T, ConfigFilesError> {
        document::make_folder(&self.dir)?;
        let _lock = document::lock(&self.dir.join(".zenml-auth.lock"))?;
        change()
    }
}

/// When a token that was issued now ends; `None` when it never does by itself.
pub(crate) fn end_of(expires_in: Option<u64>, now: Timestamp) -> Option<Timestamp> {
    expires_in.map(|seconds| now + std::time::Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
