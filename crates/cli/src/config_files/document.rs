//! One YAML file: read whole, changed in memory, replaced whole.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::ConfigFilesError;
use crate::yaml::{self, Mapping};

/// A YAML file that holds a mapping.
#[derive(Debug)]
pub(crate) struct Document {
    path: PathBuf,
    /// What is in it.
    pub(crate) root: Mapping,
}

impl Document {
    /// A file that does not exist yet.
    pub(crate) fn empty(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            root: Mapping::new(),
        }
    }

    /// Reads a file; one that does not exist, or holds nothing, is empty.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigFilesError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => zeroize::Zeroizing::new(text),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::empty(path)),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(ConfigFilesError::Broken {
                    path: path.to_owned(),
                    reason: "it is not text".to_owned(),
                });
            }
            Err(source) => {
                return Err(ConfigFilesError::Io {
                    path: path.to_owned(),
                    action: "read",
                    source,
                });
            }
        };
        let broken = |reason: String| ConfigFilesError::Broken {
            path: path.to_owned(),
            reason,
        };
        let root = match yaml::read(&text).map_err(|error| broken(error.to_string()))? {
            None => Mapping::new(),
            Some(node) if node.is_null() => Mapping::new(),
            Some(node) => node
                .into_mapping()
                .ok_or_else(|| broken("it holds no settings".to_owned()))?,
        };
        Ok(Self {
            path: path.to_owned(),
            root,
        })
    }

    /// An error about something in the file.
    pub(crate) fn broken(&self, reason: impl Into<String>) -> ConfigFilesError {
        ConfigFilesError::Broken {
            path: self.path.clone(),
            reason: reason.into(),
        }
    }

    /// Replaces the file, in one step: a reader sees all of it as it was, or all of it as it is now.
    pub(crate) fn write(&self) -> Result<(), ConfigFilesError> {
        let failed = |source| ConfigFilesError::Io {
            path: self.path.clone(),
            action: "written",
            source,
        };
        let text = zeroize::Zeroizing::new(yaml::write(&self.root));
        // A link is followed, so that what it points to is replaced, and not the link.
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let dir = target.parent().unwrap_or_else(|| Path::new("."));
        // Created for its owner only, which renaming keeps.
        let mut file = tempfile::Builder::new()
            .prefix(".zenml-auth-")
            .tempfile_in(dir)
            .map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&target).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// Makes a folder for its owner only, if there is none.
pub(crate) fn make_folder(dir: &Path) -> Result<(), ConfigFilesError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| ConfigFilesError::Io {
        path: dir.to_owned(),
        action: "made",
        source,
    })
}

/// Waits for a lock, and holds it until it is dropped.
pub(crate) fn lock(path: &Path) -> Result<File, ConfigFilesError> {
    let failed = |source| ConfigFilesError::Io {
        path: path.to_owned(),
        action: "locked",
        source,
    };
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}
