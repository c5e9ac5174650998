//! The real program on a file system that fills up, at many moments: what it acknowledges is so, and it says when it
//! can't write.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "all of this is test code"
)]

mod program;

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use program::{Ledger, Server, program};
use zenml_auth_testkit::report;

/// A small file system in memory.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// Needs the right to mount. Without it, says so; where all tests have to run, that is a failure.
    fn mount(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(folder.path())
            .output()
            .unwrap();
        if mounted.status.success() {
            return Some(Self { folder });
        }
        eprintln!("can't mount a file system: {mounted:?}");
        report::missing("the right to mount a file system");
        None
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn filler(&self) -> PathBuf {
        self.folder.path().join("filler")
    }

    /// Fills it, up to so many bytes.
    fn fill(&self, free: u64) {
        let mut filler = File::create(self.filler()).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
        let length = filler.metadata().unwrap().len();
        filler.set_len(length.saturating_sub(free)).unwrap();
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.folder.path())
            .status();
    }
}

fn start(data: &Path, log: &Path) -> Server {
    Server::start_as(program(data, &["--rate-limit", "off"]), log)
}

#[test]
fn what_is_acknowledged_holds_after_the_disk_was_full() {
    let Some(disk) = Disk::mount(64) else { return };
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let mut server = start(&disk.data(), &log);
    let mut admin = server.admin();
    let mut ledger = Ledger::default();
    let mut said_full = 0;
    // With room for one page more each time, so that it runs out at another moment: in the log or its index, in the
    // middle of a change or when it is committed.
    for round in 0..24 {
        ledger.fill(&admin, 4);
        disk.fill(round * 4096);
        let mut refused = 0;
        for _ in 0..100 {
            refused += usize::from(!ledger.add(&admin));
            if refused == 3 {
                break;
            }
        }
        assert_eq!(refused, 3, "the disk was never full");
        said_full += ledger.refused.iter().filter(|status| **status == 507).count();
        ledger.refused.clear();
        assert_eq!(server.ready(), 503, "nothing can be written");
        ledger.check(&admin, "while the disk is full");
        disk.free();
        // By itself, without anybody writing.
        server.wait_until_ready_is(200);
        for _ in 0..4 {
            assert!(ledger.take_away(&admin), "{:?}", ledger.refused);
        }
        ledger.check(&admin, "when the disk has room again");
        if round % 4 == 3 {
            server.kill();
            server = start(&disk.data(), &log);
            admin = admin.at(&server);
            ledger.check(&admin, "after a crash");
        }
    }
    assert!(said_full > 0, "nobody was told that the disk is full");
}
