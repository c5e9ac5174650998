//! SQLite has one owner.
//!
//! What was revoked is a number in the server's memory (see the revocation epoch in `zenml-auth-core`), so no other program
//! may commit to the database meanwhile. A program that writes to it holds a lock on a file beside it: the server for as
//! long as it runs, a command for as long as it takes. Reading needs no lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zenml_auth_storage::ConnectOptions;

use crate::compose::{ComposeError, IfMissing, folder_of, make_folder, refuse_missing};

/// How often to look whether a lock has become free, and how many times: a command holds it for a second or so.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);
const LOOKS: u32 = 30;

/// What the lock file is called: as the database, with this.
pub(crate) const LOCK: &str = ".lock";

/// The file of a SQLite database, and what goes with it.
#[derive(Debug, Clone)]
pub struct DatabaseFile(PathBuf);

/// Keeps others from writing to a database for as long as it lives.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held, not read")] File);

impl DatabaseFile {
    /// The file that the settings point at; none when the database is not in a file, and so knows by itself what was
    /// revoked.
    ///
    /// # Errors
    /// [`ComposeError`] when there is none and has to be one, or its folder can't be made.
    pub fn locate(options: &ConnectOptions, if_missing: IfMissing) -> Result<Option<Self>, ComposeError> {
        let Some(path) = options.file()? else {
            return Ok(None);
        };
        match if_missing {
            IfMissing::Create => make_folder(&folder_of(&path))?,
            IfMissing::Refuse => refuse_missing(&path)?,
        }
        Ok(Some(Self::at(path)))
    }

    /// The file of this path, whether or not it is there.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(resolve(path))
    }

    /// Its path, whichever way it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of something that is kept beside it: its own with something added.
    #[must_use]
    pub fn beside(&self, addition: &str) -> PathBuf {
        let mut path = self.0.clone().into_os_string();
        path.push(addition);
        path.into()
    }

    /// Takes the lock, if it is free.
    ///
    /// # Errors
    /// [`ComposeError`] when the lock can't be used.
    pub fn try_lock(&self) -> Result<Option<Lock>, ComposeError> {
        let path = self.beside(LOCK);
        let broken = |source| ComposeError::Lock {
            path: path.clone(),
            source,
        };
        let file = open_lock(&path).map_err(broken)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(broken(source)),
        }
    }

    /// Takes the lock. A command that has it is waited for, and a server is not.
    ///
    /// # Errors
    /// [`ComposeError`] when somebody else keeps it, or it can't be used.
    pub async fn lock(&self) -> Result<Lock, ComposeError> {
        for _ in 0..LOOKS {
            if let Some(lock) = self.try_lock()? {
                return Ok(lock);
            }
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
        }
        Err(ComposeError::InUse(self.0.clone()))
    }
}

/// Takes the database for a program that is going to write to it. One that is not in a file needs no owner.
///
/// # Errors
/// [`ComposeError`] when somebody else has it, or it can't be used.
pub async fn take(options: &ConnectOptions, if_missing: IfMissing) -> Result<Option<Lock>, ComposeError> {
    match DatabaseFile::locate(options, if_missing)? {
        Some(file) => file.lock().await.map(Some),
        None => Ok(None),
    }
}

/// The one path of a file that may be reached by several, as its lock has to be the same for all of them.
fn resolve(path: PathBuf) -> PathBuf {
    if let Ok(resolved) = path.canonicalize() {
        return resolved;
    }
    match (folder_of(&path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// Opens the lock file; makes it if need be, for the owner of the folder.
fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    options.create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    give_to_owner_of_folder(path, &file)?;
    Ok(file)
}

/// What root makes on somebody's behalf must not keep them out later.
#[cfg(unix)]
pub(crate) fn give_to_owner_of_folder(path: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};

    let made = file.metadata()?;
    if let Some(folder) = path.parent().filter(|_| made.uid() == 0) {
        let owner = folder.metadata()?;
        fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(folder: &Path) -> ConnectOptions {
        ConnectOptions::sqlite_file(folder.join("zenml-auth.db"))
    }

    fn locate(options: &ConnectOptions) -> DatabaseFile {
        DatabaseFile::locate(options, IfMissing::Create).unwrap().unwrap()
    }

    #[test]
    fn one_has_it_at_a_time_whatever_they_call_it() {
        let folder = tempfile::tempdir().unwrap();
        let own = locate(&in_folder(folder.path()));
        let lock = own.try_lock().unwrap().unwrap();
        std::fs::write(own.path(), "").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(own.path(), folder.path().join("link.db")).unwrap();
        let names = [
            "zenml-auth.db",
            "./zenml-auth.db?mode=rw",
            #[cfg(unix)]
            "link.db",
        ];
        let others = names.map(|name| {
            locate(&ConnectOptions::url(format!(
                "sqlite://{}/{name}",
                folder.path().display()
            )))
        });
        for other in &others {
            assert!(other.try_lock().unwrap().is_none(), "{other:?}");
        }
        drop(lock);
        for other in &others {
            assert!(other.try_lock().unwrap().is_some(), "{other:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_waits_three_seconds_for_a_command() {
        let folder = tempfile::tempdir().unwrap();
        let own = locate(&in_folder(folder.path()));
        let lock = own.try_lock().unwrap().unwrap();
        let began = tokio::time::Instant::now();
        assert!(matches!(own.lock().await, Err(ComposeError::InUse(_))));
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        let command = async {
            tokio::time::sleep(Duration::from_millis(2_850)).await;
            drop(lock);
        };
        let (locked, ()) = tokio::join!(own.lock(), command);
        assert!(locked.is_ok());
    }

    #[test]
    fn other_databases_have_no_owner() {
        for url in ["sqlite::memory:", "postgres://somewhere/else"] {
            let located = DatabaseFile::locate(&ConnectOptions::url(url.to_owned()), IfMissing::Refuse);
            assert!(located.unwrap().is_none(), "{url}");
        }
    }

    #[test]
    fn looking_makes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let located = DatabaseFile::locate(&in_folder(&missing), IfMissing::Refuse);
        assert!(matches!(located, Err(ComposeError::NoDatabase(_))));
        assert!(!missing.exists());
    }
}
