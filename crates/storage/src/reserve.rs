//! Room on the disk that is kept for taking rights away.
//!
//! On a full disk nobody can be added, but a stolen key still has to be switched off. So a file beside the database holds
//! some room. When a change that takes rights away finds the disk full, the file is made shorter by a step, and the change
//! is made in the room that became free. A step at a time, because other programs fill the same disk. From then on nothing
//! else is written until there is room for the whole reserve again.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use zenml_auth_core::ports::Need;

/// What is given up at once, in bytes. Most changes fit; for a larger one it takes more of them.
const STEP: u64 = 64 * 1024;
/// What has to be free beyond the reserve before it is filled, in bytes.
const MARGIN: u64 = 1024 * 1024;
/// How often to try for a reserve that the disk had no room for at the start.
const RETRY: Duration = Duration::from_secs(60);
const MIB: u64 = 1024 * 1024;

/// The reserve of one database. Clones share it.
#[derive(Clone)]
pub(crate) struct Reserve(Arc<Inner>);

struct Inner {
    path: PathBuf,
    size: u64,
    /// Whether anything may be written.
    is_whole: AtomicBool,
    state: Mutex<State>,
}

/// What became of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was not looked at yet.
    Unknown,
    /// It has its full length.
    Whole,
    /// The disk had no room for it, at this time. There is no file.
    Missing(Instant),
    /// The file is shorter: a part was given up, perhaps before the program started.
    InUse,
}

impl Reserve {
    /// So many bytes beside this database. The file is made with the first change.
    pub(crate) fn new(database: &Path, size: u64) -> Self {
        let mut name = database.to_owned().into_os_string();
        name.push("-reserve");
        Self(Arc::new(Inner {
            path: name.into(),
            size,
            is_whole: AtomicBool::new(false),
            state: Mutex::new(State::Unknown),
        }))
    }

    /// Fails while the reserve is in use, so that nothing else is written. Fills it as soon as there is room.
    pub(crate) async fn keep_whole(&self) -> io::Result<()> {
        if self.0.is_whole.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.on_disk(Inner::keep_whole).await?
    }

    /// Gives up the next part of it; `false` when nothing is left for those with this need. Half of it is for taking rights
    /// away alone.
    pub(crate) async fn give_up(&self, need: Need) -> bool {
        let work = match need {
            Need::Ordinary => return false,
            Need::MayTakeAway => |inner: &Inner| inner.give_up(inner.size / 2),
            Need::TakesAway => |inner: &Inner| inner.give_up(0),
        };
        match self.on_disk(work).await {
            Ok(Ok(is_shorter)) => is_shorter,
            Ok(Err(error)) | Err(error) => {
                tracing::error!(path = %self.0.path.display(), %error, "the reserve for a full disk can't be given up");
                false
            }
        }
    }

    async fn on_disk<T: Send + 'static>(&self, work: fn(&Inner) -> T) -> io::Result<T> {
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .map_err(|_| io::Error::other("the server is stopping"))
    }
}

impl Inner {
    fn keep_whole(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let path = self.path.display();
        let mib = self.size.div_ceil(MIB);
        match *state {
            State::Whole => return Ok(()),
            State::Missing(tried) if tried.elapsed() < RETRY => return Ok(()),
            State::Unknown | State::Missing(_) | State::InUse => {}
        }
        let before = self.length()?;
        let Err(error) = self.fill(before) else {
            if before.is_some_and(|before| before < self.size) {
                tracing::info!(%path, "the reserve for a full disk is whole again");
            }
            *state = State::Whole;
            self.is_whole.store(true, Ordering::SeqCst);
            return Ok(());
        };
        if before.is_some() {
            *state = State::InUse;
            return Err(io::Error::new(
                error.kind(),
                format!(
                    "{error}; until there is room for the reserve of {mib} MiB again, rights are only taken away"
                ),
            ));
        }
        if *state == State::Unknown {
            tracing::warn!(
                %path, %error,
                "no room is kept for taking rights away when the disk is full: make room for {mib} MiB"
            );
        }
        *state = State::Missing(Instant::now());
        Ok(())
    }

    /// How long the file is, if there is one.
    fn length(&self) -> io::Result<Option<u64>> {
        match std::fs::metadata(&self.path) {
            Ok(file) => Ok(Some(file.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the file as long as it has to be, or leaves it as it was.
    fn fill(&self, before: Option<u64>) -> io::Result<()> {
        let length = before.unwrap_or(0);
        let missing = self.size.saturating_sub(length);
        if missing > 0 && free_beside(&self.path)?.is_some_and(|free| free < missing.saturating_add(MARGIN)) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is full"));
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path)?;
        if missing == 0 {
            return file.set_len(self.size);
        }
        file.seek(SeekFrom::Start(length))?;
        write_noise(&mut file, missing).inspect_err(|_| {
            // The error that counts is the first.
            let _ = match before {
                Some(before) => file.set_len(before),
                None => std::fs::remove_file(&self.path),
            };
        })
    }

    /// Makes the file shorter, unless it has only so much left.
    fn give_up(&self, keep: u64) -> io::Result<bool> {
        let mut state = self.state.lock();
        let Some(length) = self.length()?.filter(|length| *length > keep) else {
            return Ok(false);
        };
        let file = OpenOptions::new().write(true).open(&self.path)?;
        // Before there is room that somebody else could write to.
        self.is_whole.store(false, Ordering::SeqCst);
        if *state != State::InUse {
            tracing::warn!(
                path = %self.path.display(),
                "the disk is full: rights are taken away in the room that was kept for it, and nothing else is changed until it fits again"
            );
        }
        *state = State::InUse;
        file.set_len(length.saturating_sub(STEP).max(keep))?;
        Ok(true)
    }
}

/// How much room there is for this program in the folder of this file, in bytes, where the system tells.
#[cfg(unix)]
fn free_beside(path: &Path) -> io::Result<Option<u64>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let disk = rustix::fs::statvfs(folder.unwrap_or(Path::new(".")))?;
    Ok(Some(disk.f_bavail.saturating_mul(disk.f_frsize)))
}

#[cfg(not(unix))]
fn free_beside(_path: &Path) -> io::Result<Option<u64>> {
    Ok(None)
}

/// Writes what no file system makes smaller than it is.
fn write_noise(file: &mut File, length: u64) -> io::Result<()> {
    const BLOCK: usize = 64 * 1024;
    let mut block = Vec::with_capacity(BLOCK);
    let mut left = length;
    let mut number = length;
    while left > 0 {
        block.clear();
        while block.len() < BLOCK {
            // Xorshift: it has to look random to a compressor and to nobody else.
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            block.extend_from_slice(&number.to_le_bytes());
        }
        block.truncate(usize::try_from(left).unwrap_or(BLOCK));
        file.write_all(&block)?;
        left = left.saturating_sub(block.len() as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(folder: &tempfile::TempDir) -> u64 {
        let file = folder.path().join("some.db-reserve");
        std::fs::metadata(file).map_or(0, |file| file.len())
    }

    fn reserve(folder: &tempfile::TempDir, size: u64) -> Reserve {
        Reserve::new(&folder.path().join("some.db"), size)
    }

    #[tokio::test]
    async fn it_is_given_up_in_steps_and_filled_again() {
        let folder = tempfile::tempdir().unwrap();
        let size = 3 * STEP + 1;
        let reserve = reserve(&folder, size);
        assert_eq!(length(&folder), 0, "it is not made before something is written");
        reserve.keep_whole().await.unwrap();
        assert_eq!(length(&folder), size);
        for left in [2 * STEP + 1, STEP + 1, 1, 0] {
            assert!(reserve.give_up(Need::TakesAway).await);
            assert_eq!(length(&folder), left);
        }
        assert!(!reserve.give_up(Need::TakesAway).await, "nothing is left");
        reserve.keep_whole().await.unwrap();
        assert_eq!(length(&folder), size, "there is room again");
    }

    #[tokio::test]
    async fn what_only_may_take_rights_away_gets_half_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = reserve(&folder, 4 * STEP);
        reserve.keep_whole().await.unwrap();
        assert!(!reserve.give_up(Need::Ordinary).await);
        while reserve.give_up(Need::MayTakeAway).await {}
        assert_eq!(length(&folder), 2 * STEP);
        assert!(reserve.give_up(Need::TakesAway).await);
    }

    #[tokio::test]
    async fn it_takes_up_room_even_when_it_is_compressed() {
        let folder = tempfile::tempdir().unwrap();
        reserve(&folder, 1000).keep_whole().await.unwrap();
        let bytes = std::fs::read(folder.path().join("some.db-reserve")).unwrap();
        let (first, second) = bytes.split_at(500);
        assert_ne!(first, second);
        let zeros = bytes.iter().filter(|byte| **byte == 0).count();
        assert!(zeros < 50, "{zeros}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_room_for_it_things_go_on_as_without_one() {
        let folder = tempfile::tempdir().unwrap();
        // No disk has so much.
        let reserve = reserve(&folder, u64::MAX / 4);
        reserve.keep_whole().await.unwrap();
        assert!(matches!(*reserve.0.state.lock(), State::Missing(_)));
        assert!(!reserve.give_up(Need::TakesAway).await);
        reserve.keep_whole().await.unwrap();
        assert!(!folder.path().join("some.db-reserve").exists());
    }

    #[tokio::test(start_paused = true)]
    async fn a_disk_without_room_for_it_is_tried_again_every_minute() {
        let parent = tempfile::tempdir().unwrap();
        // Where there is no folder there is no room; with the folder, there is.
        let folder = parent.path().join("folder");
        let file = folder.join("some.db-reserve");
        let reserve = Reserve::new(&folder.join("some.db"), 1000);
        let after = async |seconds| {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            reserve.keep_whole().await.unwrap();
            std::fs::metadata(&file).map_or(0, |file| file.len())
        };
        assert_eq!(after(0).await, 0);
        assert_eq!(after(60).await, 0, "tried in vain");
        std::fs::create_dir(&folder).unwrap();
        assert_eq!(after(59).await, 0, "too early");
        assert_eq!(after(1).await, 1000);
    }

    #[tokio::test]
    async fn while_a_part_is_given_up_nothing_else_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db-reserve");
        std::fs::write(&path, [1; 1000]).unwrap();
        let reserve = reserve(&folder, u64::MAX / 4);
        let refused = reserve.keep_whole().await.unwrap_err();
        assert_eq!(
            refused.kind(),
            io::ErrorKind::StorageFull,
            "by a program before this one"
        );
        assert!(reserve.give_up(Need::TakesAway).await);
        assert_eq!(length(&folder), 0);
        let refused = reserve.keep_whole().await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
    }
}
