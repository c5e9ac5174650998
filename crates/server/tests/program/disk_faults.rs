//! The real program on a disk that fails, at every moment of a change, and on files that are removed or replaced: what it
//! acknowledges is so, also after a crash, and `/ready` tells when nothing can be written.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Ledger, Server, Way, program};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// A change makes fewer writes and syncs than this.
const MOMENTS: i32 = 24;

/// A disk that fails on request.
struct Disk {
    folder: tempfile::TempDir,
    library: PathBuf,
    plan: fs::File,
}

impl Disk {
    fn new() -> Self {
        // In memory where there is such a place, as thousands of syncs take long on a real disk.
        let folder = tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap());
        let library = folder.path().join("disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/disk.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl")
            .output()
            .unwrap();
        assert!(built.status.success(), "{built:?}");
        let plan = folder.path().join("plan");
        fs::write(&plan, [0; 20]).unwrap();
        let plan = fs::File::options().read(true).write(true).open(plan).unwrap();
        Self {
            folder,
            library,
            plan,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn start(&self) -> Server {
        self.start_watching("zenml-auth.db")
    }

    /// The same with faults in those files only that have this in their path.
    fn start_watching(&self, files: &str) -> Server {
        // It is about the disk itself.
        let flags = ["--rate-limit", "off", "--disk-reserve", "0"];
        let mut command = program(&self.data(), &flags);
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAULT_FILES", files)
            .env("FAULT_PLAN", self.folder.path().join("plan"));
        Server::start_as(command, &self.folder.path().join("log"))
    }

    /// Lets the n-th write or sync fail from now on, and, if the fault stays, all after it.
    fn fail(&self, nth: i32, error: i32, stays: bool) {
        self.plan(nth, error, stays, false);
    }

    /// Lets all reads fail from the n-th on.
    fn fail_to_read(&self, nth: i32, error: i32) {
        self.plan(nth, error, true, true);
    }

    fn plan(&self, nth: i32, error: i32, stays: bool, reads: bool) {
        let plan = [
            (4, error),
            (8, i32::from(stays)),
            (12, 0),
            (16, i32::from(reads)),
            (0, nth),
        ];
        for (at, value) in plan {
            self.plan.write_all_at(&value.to_ne_bytes(), at).unwrap();
        }
    }

    fn work_again(&self) {
        self.plan.write_all_at(&[0; 4], 0).unwrap();
    }

    /// How many operations have failed.
    fn failed(&self) -> i32 {
        let mut failed = [0; 4];
        self.plan.read_exact_at(&mut failed, 12).unwrap();
        i32::from_ne_bytes(failed)
    }
}

/// With a failure at each of the operations that a change consists of.
fn at_every_moment(error: i32, stays: bool) {
    let disk = Disk::new();
    let mut server = disk.start();
    let mut admin = server.admin();
    let mut ledger = Ledger::of(Way::ALL);
    for moment in 1..=MOMENTS {
        // Room for those that fail and for one that has to succeed.
        ledger.fill(&admin, 6);
        disk.fail(moment, error, stays);
        for _ in 0..5 {
            ledger.take_away(&admin);
            if disk.failed() > 0 {
                break;
            }
        }
        assert!(disk.failed() > 0, "operation {moment} was never made");
        if stays {
            assert_eq!(server.ready(), 503, "the disk fails at operation {moment}");
            assert!(!ledger.add(&admin), "acknowledged by a disk that fails");
            ledger.check(&admin, "while the disk fails");
        }
        disk.work_again();
        server.wait_until_ready_is(200);
        assert!(ledger.take_away(&admin), "{:?}", ledger.refused);
        ledger.check(&admin, "when the disk works again");
        if moment % 8 == 0 {
            server.kill();
            server = disk.start();
            admin = admin.at(&server);
            ledger.check(&admin, "after a crash");
        }
    }
    assert!(!ledger.refused.is_empty(), "no failure was noticed");
}

#[test]
fn errors_that_stay() {
    at_every_moment(EIO, true);
}

#[test]
fn errors_that_pass() {
    at_every_moment(EIO, false);
}

#[test]
fn a_full_disk() {
    at_every_moment(ENOSPC, true);
}

#[test]
fn a_disk_that_is_full_for_a_moment() {
    at_every_moment(ENOSPC, false);
}

/// Every 4,096 pages in the log, its index grows.
#[test]
fn a_disk_that_is_full_when_the_index_grows() {
    let disk = Disk::new();
    let server = disk.start_watching("zenml-auth.db-shm");
    let admin = server.admin();
    let mut ledger = Ledger::of(Way::OF_KEYS);
    ledger.fill(&admin, 5);
    disk.fail(1, ENOSPC, true);
    let refused = (0..2_000).any(|_| !ledger.add(&admin));
    assert!(refused && disk.failed() > 0, "{}", disk.failed());
    ledger.check(&admin, "while the index can't grow");
    assert_eq!(server.ready(), 503);
    disk.work_again();
    server.wait_until_ready_is(200);
    assert!(ledger.take_away(&admin), "{:?}", ledger.refused);
    ledger.check(&admin, "when it can");
    server.kill();
    let server = disk.start();
    ledger.check(&admin.at(&server), "after a crash");
}

/// A row that fails to be read is not reported as missing, and `/ready` is 503.
#[test]
fn a_disk_that_can_not_be_read() {
    let disk = Disk::new();
    let mut server = disk.start();
    let mut admin = server.admin();
    let mut ledger = Ledger::of(Way::OF_KEYS);
    for moment in 1..=8 {
        ledger.fill(&admin, 6);
        disk.fail_to_read(moment, EIO);
        // What changes has to be read again.
        ledger.may_be_unreadable = true;
        for _ in 0..5 {
            ledger.take_away(&admin);
        }
        ledger.may_be_unreadable = false;
        assert!(disk.failed() > 0, "read {moment} was never made");
        assert_eq!(server.ready(), 503, "the disk fails at read {moment}");
        disk.work_again();
        server.wait_until_ready_is(200);
        ledger.check(&admin, "when the disk works again");
        server.kill();
        server = disk.start();
        admin = admin.at(&server);
        ledger.check(&admin, "after a crash");
    }
}

#[test]
fn nothing_is_acknowledged_that_went_to_a_file_without_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let log = folder.path().join("log");
    let server = Server::start_as(program(&data, &["--rate-limit", "off"]), &log);
    let admin = server.admin();
    let mut ledger = Ledger::of(Way::OF_KEYS);
    ledger.fill(&admin, 20);
    for name in ["zenml-auth.db", "zenml-auth.db-wal", "zenml-auth.db-shm"] {
        let (file, aside) = (data.join(name), folder.path().join("aside"));
        fs::rename(&file, &aside).unwrap();
        assert!(!ledger.add(&admin), "{name} is gone");
        assert_eq!(server.ready(), 503, "{name} is gone");
        fs::copy(&aside, &file).unwrap();
        assert!(!ledger.take_away(&admin), "{name} was replaced");
        assert_eq!(server.ready(), 503, "{name} was replaced");
        ledger.check(&admin, "while a file is not there");
        fs::rename(&aside, &file).unwrap();
        server.wait_until_ready_is(200);
        assert!(ledger.take_away(&admin), "{name} is back");
    }
    ledger.check(&admin, "with all files in their places");
    server.kill();
    let server = Server::start_as(program(&data, &["--rate-limit", "off"]), &log);
    ledger.check(&admin.at(&server), "after a crash");
    assert!(
        fs::read_to_string(&log)
            .unwrap()
            .contains("was removed while the server has it open")
    );
}
