//! Where the owner's socket is, and whose.
//!
//! It is in a folder of its own beside the database, `zenml-auth.db.admin`, which only its owner may enter, whatever may
//! be done in the folder above. Besides, both sides look who the other one is.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};

use crate::ownership::DatabaseFile;

const SOCKET: &str = "socket";
/// The longest path that all systems take for a socket: 104 bytes with the zero at its end on some, 108 on others.
const LONGEST_PATH: usize = 103;
/// The user who may do everything anyhow.
const ROOT: u32 = 0;

/// The folder that the socket of a database is in.
#[must_use]
pub fn folder(database: &DatabaseFile) -> PathBuf {
    database.beside(".admin")
}

/// Begins to listen. The caller has the lock on the database. A socket that was left behind by a server that was killed
/// is replaced.
///
/// # Errors
/// When the folder can't be kept to ourselves, or there can't be sockets in it.
pub fn listen(database: &DatabaseFile) -> io::Result<UnixListener> {
    let folder = folder(database);
    make_private(&folder)?;
    remove(database)?;
    let listener = UnixListener::bind(ShortPath::of(&folder)?.path())?;
    fs::set_permissions(folder.join(SOCKET), Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Removes the socket.
///
/// # Errors
/// When it is there and can't be removed.
pub fn remove(database: &DatabaseFile) -> io::Result<()> {
    match fs::remove_file(folder(database).join(SOCKET)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Connects to the server that listens.
///
/// # Errors
/// `NotFound` or `ConnectionRefused` when nobody does, and `PermissionDenied` when one may not, or when it is none of the
/// owner of the database, this process's own user and root who listens.
pub async fn connect(database: &DatabaseFile) -> io::Result<UnixStream> {
    let path = ShortPath::of(&folder(database))?;
    let stream = UnixStream::connect(path.path()).await?;
    let owner = fs::metadata(database.path())?.uid();
    if is_trusted(&stream)? || stream.peer_cred()?.uid() == owner {
        Ok(stream)
    } else {
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "somebody listens there who does not own the database",
        ))
    }
}

/// Whether the other side is this process's own user, or root.
///
/// # Errors
/// When the system does not say.
pub fn is_trusted(stream: &UnixStream) -> io::Result<bool> {
    let peer = stream.peer_cred()?.uid();
    Ok(peer == ROOT || peer == rustix::process::geteuid().as_raw())
}

/// Makes a folder that only its owner may enter, or makes one that is there such a folder.
fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made,
    }
    let refused = |why: &str| {
        io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("{}: {why}", folder.display()),
        )
    };
    // Not through a link: that could be somebody else's.
    let found = fs::symlink_metadata(folder)?;
    let us = rustix::process::geteuid().as_raw();
    if !found.is_dir() {
        return Err(refused("it is not a folder"));
    }
    if found.uid() != us && us != ROOT {
        return Err(refused("it belongs to another user"));
    }
    if found.mode() & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    if fs::symlink_metadata(folder)?.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(refused("it can't be kept to its owner"))
    }
}

/// A path to the socket that is short enough, by a link in a folder for the moment if need be. It is only needed until
/// the socket is bound or connected.
struct ShortPath {
    path: PathBuf,
    _folder: Option<TempDir>,
}

impl ShortPath {
    fn of(folder: &Path) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        if is_short(&path) {
            return Ok(Self { path, _folder: None });
        }
        let temporary = tempfile::Builder::new()
            .prefix("zenml-auth-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        let link = temporary.path().join("a");
        symlink(std::path::absolute(folder)?, &link)?;
        let path = link.join(SOCKET);
        if !is_short(&path) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidFilename,
                "the path of the database is too long for a socket, and so is that of the folder for temporary files",
            ));
        }
        Ok(Self {
            path,
            _folder: Some(temporary),
        })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

fn is_short(path: &Path) -> bool {
    path.as_os_str().as_bytes().len() <= LONGEST_PATH
}
