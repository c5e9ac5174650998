//! Nobody else on the machine may reach the database and its keys.
//!
//! What the server makes is for its owner only. What it finds is looked at before it is used, and refused the way ssh
//! refuses a private key that others can read, with the command that mends it.

use std::path::{Path, PathBuf};

use crate::compose::folder_of;
use crate::config::Config;
use crate::encryption;
use crate::ownership::{self, DatabaseFile};

/// What is kept beside a database file and says as much as it does.
const BESIDE: [&str; 4] = ["-wal", "-shm", ownership::LOCK, encryption::KEY];

/// Why a file or folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum PermissionsError {
    /// Others have access to a file.
    #[error(
        "{} can be read or written by other users of this machine (mode {mode:04o}), and holds secrets; run: {}{}",
        .path.display(), .mend, .hint
    )]
    File {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// The command that mends it.
        mend: String,
        /// What else can be done.
        hint: &'static str,
    },
    /// Others may change what is in a folder.
    #[error(
        "the folder {} can be written by other users of this machine (mode {mode:04o}), who could replace the database; \
         run: {}{}",
        .path.display(), .mend, .hint
    )]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// The command that mends it.
        mend: String,
        /// What else can be done.
        hint: &'static str,
    },
    /// It belongs to somebody else.
    #[error("{} belongs to another user of this machine; make it this program's own, with chown", .0.display())]
    Owner(PathBuf),
    /// It can't be looked at.
    #[error("can't look at {}: {source}", .path.display())]
    Unreadable {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Whose access is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// That of the owner.
    #[default]
    Owner,
    /// Also that of the group: volumes of Kubernetes with an `fsGroup` come like that.
    Group,
}

/// Looks at the embedded database, if there is one: its folder, its file, and what is beside it.
///
/// # Errors
/// [`PermissionsError`] names the first that others can reach.
pub fn check_database(config: &Config) -> Result<(), PermissionsError> {
    let Ok(Some(file)) = config.database.file() else {
        return Ok(());
    };
    // Through links: what counts is where the files really are.
    let file = DatabaseFile::at(file);
    let folder = folder_of(file.path());
    if !folder.is_dir() {
        return Ok(());
    }
    check_folder(&folder, config.access)?;
    check_file(file.path(), config.access)?;
    for addition in BESIDE {
        check_file(&file.beside(addition), config.access)?;
    }
    Ok(())
}

/// Looks at a file with secrets in it. One that is not there does no harm.
///
/// # Errors
/// [`PermissionsError`] when others can reach it.
#[cfg(unix)]
pub fn check_file(path: &Path, access: Access) -> Result<(), PermissionsError> {
    let Some(found) = look(path)? else {
        return Ok(());
    };
    let refused = match access {
        Access::Owner => 0o077,
        Access::Group => 0o007,
    };
    if found.mode & refused == 0 {
        return Ok(());
    }
    Err(PermissionsError::File {
        path: path.to_owned(),
        mode: found.mode,
        mend: mend(access, "rwx", path),
        hint: hint(access, found.mode & 0o007),
    })
}

/// Looks at the folder of the database: others may read it, but not change what is in it. Where only owners can remove
/// and rename what is theirs (the sticky bit), others can't replace the files, which are looked at themselves.
#[cfg(unix)]
fn check_folder(path: &Path, access: Access) -> Result<(), PermissionsError> {
    let Some(found) = look(path)? else {
        return Ok(());
    };
    let refused = match access {
        Access::Owner => 0o022,
        Access::Group => 0o002,
    };
    if found.mode & refused == 0 || found.mode & 0o1000 != 0 {
        return Ok(());
    }
    Err(PermissionsError::Folder {
        path: path.to_owned(),
        mode: found.mode,
        mend: mend(access, "w", path),
        hint: hint(access, found.mode & 0o002),
    })
}

#[cfg(unix)]
struct Found {
    mode: u32,
}

/// The permissions of a file that is there. It has to belong to us or to root; root itself takes what it gets.
#[cfg(unix)]
fn look(path: &Path) -> Result<Option<Found>, PermissionsError> {
    use std::os::unix::fs::MetadataExt as _;

    const ROOT: u32 = 0;
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let path = path.to_owned();
            return Err(PermissionsError::Unreadable { path, source });
        }
    };
    let us = rustix::process::geteuid().as_raw();
    if us != ROOT && found.uid() != us && found.uid() != ROOT {
        return Err(PermissionsError::Owner(path.to_owned()));
    }
    Ok(Some(Found {
        mode: found.mode() & 0o7777,
    }))
}

#[cfg(unix)]
fn mend(access: Access, what: &str, path: &Path) -> String {
    let whose = match access {
        Access::Owner => "go",
        Access::Group => "o",
    };
    let path = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    let path = if path.bytes().all(is_plain) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    };
    format!("chmod {whose}-{what} {path}")
}

/// Where it is the group alone that has access, that may be as it should be.
#[cfg(unix)]
const fn hint(access: Access, others: u32) -> &'static str {
    match (access, others) {
        (Access::Owner, 0) => ", or set --allow-group-access on if everybody in its group is to have access",
        _ => "",
    }
}

/// There is nothing to look at on this system.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn check_file(_path: &Path, _access: Access) -> Result<(), PermissionsError> {
    Ok(())
}

#[cfg(not(unix))]
fn check_folder(_path: &Path, _access: Access) -> Result<(), PermissionsError> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn with_mode(path: &Path, mode: u32) -> &Path {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn files_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it's.key");
        assert!(
            check_file(&path, Access::Owner).is_ok(),
            "what is not there does no harm"
        );
        fs::write(&path, "").unwrap();
        for mode in [0o600, 0o400, 0o700] {
            assert!(
                check_file(with_mode(&path, mode), Access::Owner).is_ok(),
                "{mode:o}"
            );
        }
        for mode in [0o640, 0o604, 0o660, 0o644, 0o602, 0o610] {
            let error = check_file(with_mode(&path, mode), Access::Owner)
                .unwrap_err()
                .to_string();
            assert!(error.contains(&format!("mode {mode:04o}")), "{error}");
            assert!(
                error.contains(r"chmod go-rwx '/") && error.contains(r"it'\''s.key'"),
                "{error}"
            );
        }
        for mode in [0o640, 0o660, 0o440] {
            assert!(
                check_file(with_mode(&path, mode), Access::Group).is_ok(),
                "{mode:o}"
            );
        }
        for mode in [0o644, 0o662, 0o604] {
            let error = check_file(with_mode(&path, mode), Access::Group)
                .unwrap_err()
                .to_string();
            assert!(error.contains("chmod o-rwx"), "{error}");
        }
    }

    #[test]
    fn folders_are_read_by_others_and_not_written() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o700, 0o755, 0o750, 0o1777] {
            assert!(
                check_folder(with_mode(folder.path(), mode), Access::Owner).is_ok(),
                "{mode:o}"
            );
        }
        for mode in [0o777, 0o770, 0o775, 0o702] {
            let error = check_folder(with_mode(folder.path(), mode), Access::Owner).unwrap_err();
            assert!(error.to_string().contains("chmod go-w /"), "{error}");
        }
        assert!(check_folder(with_mode(folder.path(), 0o2770), Access::Group).is_ok());
        assert!(check_folder(with_mode(folder.path(), 0o777), Access::Group).is_err());
    }
}
