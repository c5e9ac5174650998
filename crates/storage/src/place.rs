//! Where the files of an embedded database are, and whether they still are.
//!
//! When an open file is removed or replaced, a program that has it open goes on writing to a file without a name, and all
//! of that is lost when the program ends. So the device and inode of each opened file are compared with those of the file
//! that has its name now.
//!
//! The files are looked at, never opened: when a program closes a file, it gives up all locks that it has on it, those of
//! SQLite included.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "sqlite")]
use sea_orm::sqlx::{Connection as _, SqliteConnection};
#[cfg(feature = "sqlite")]
use tokio::sync::Mutex;

/// The files that were opened. Clones share it.
#[derive(Clone)]
pub(crate) struct Place {
    files: Arc<[(PathBuf, Identity)]>,
    /// Keeps the files open, and so the names of those that SQLite makes and removes.
    #[cfg(feature = "sqlite")]
    open: Arc<Mutex<Option<SqliteConnection>>>,
}

/// What tells two files of one name apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            Ok(Self {
                device: metadata.dev(),
                inode: metadata.ino(),
            })
        }
        // Elsewhere, a file that is open can't be removed or replaced.
        #[cfg(not(unix))]
        {
            let _ = metadata;
            Ok(Self { device: 0, inode: 0 })
        }
    }
}

impl Place {
    /// The database of this name, which is open, with the log and the index of it that are there.
    #[cfg(feature = "sqlite")]
    pub(crate) fn of(database: &Path, open: SqliteConnection) -> io::Result<Self> {
        Ok(Self {
            files: files_of(database)?,
            open: Arc::new(Mutex::new(Some(open))),
        })
    }

    /// Lets go of the files, before the last one who has them open does.
    pub(crate) async fn close(&self) {
        #[cfg(feature = "sqlite")]
        if let Some(open) = self.open.lock().await.take() {
            // It has done nothing that could be lost.
            let _ = open.close().await;
        }
    }

    /// Tells which file is not the one that was opened, if there is one.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let files = Arc::clone(&self.files);
        // On a disk that hangs this does not come back.
        let checked = tokio::task::spawn_blocking(move || check(&files)).await;
        checked.unwrap_or_else(|_| Err("the server is stopping".to_owned()))
    }
}

fn files_of(database: &Path) -> io::Result<Arc<[(PathBuf, Identity)]>> {
    let mut files = vec![(database.to_owned(), Identity::of(database)?)];
    // Where the name is a link, SQLite names the others after the file that it leads to.
    let opened = database.canonicalize()?;
    for suffix in ["-wal", "-shm"] {
        let mut name = opened.clone().into_os_string();
        name.push(suffix);
        let path = PathBuf::from(name);
        match Identity::of(&path) {
            Ok(identity) => files.push((path, identity)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(files.into())
}

fn check(files: &[(PathBuf, Identity)]) -> Result<(), String> {
    for (path, opened) in files {
        let shown = path.display();
        match Identity::of(path) {
            Ok(now) if now == *opened => {}
            Ok(_) => {
                return Err(format!(
                    "{shown} was replaced while the server has it open, so nothing is written any more; put the file back \
                     that was there, or restart the server"
                ));
            }
            Err(error) => {
                return Err(format!(
                    "{shown} was removed while the server has it open ({error}), so nothing is written any more; put the \
                     very file back, or restart the server"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_known_by_more_than_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("some.db");
        let log = folder.path().join("some.db-wal");
        fs::write(&database, "1").unwrap();
        fs::write(&log, "2").unwrap();
        let files = files_of(&database).unwrap();
        check(&files).unwrap();
        for file in [&database, &log] {
            let aside = folder.path().join("aside");
            fs::rename(file, &aside).unwrap();
            assert!(check(&files).unwrap_err().contains("removed"));
            fs::write(file, "another").unwrap();
            assert!(check(&files).unwrap_err().contains("replaced"));
            fs::rename(&aside, file).unwrap();
            check(&files).unwrap();
        }
        // Written to, it is the same.
        fs::write(&database, "changed").unwrap();
        check(&files).unwrap();
    }
}
