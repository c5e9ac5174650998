//! The real program on a file system that fills up, at many moments: what it acknowledges is so, and it says when it
//! can't write.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use zenml_auth_testkit::report;

use crate::support::{Client, Ledger, PASSWORD, Server, Way, program, run, run_with, said};

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
        let mut filler = File::options();
        let mut filler = filler.append(true).create(true).open(self.filler()).unwrap();
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

fn start(data: &Path, log: &Path, reserve: &str) -> Server {
    let flags = ["--rate-limit", "off", "--disk-reserve", reserve];
    Server::start_as(program(data, &flags), log)
}

#[test]
fn what_is_acknowledged_holds_after_the_disk_was_full() {
    let Some(disk) = Disk::mount(64) else { return };
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let mut server = start(&disk.data(), &log, "0");
    let mut admin = server.admin();
    let mut ledger = Ledger::of(Way::ALL);
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
            server = start(&disk.data(), &log, "0");
            admin = admin.at(&server);
            ledger.check(&admin, "after a crash");
        }
    }
    assert!(said_full > 0, "nobody was told that the disk is full");
}

#[test]
fn on_a_full_disk_rights_are_still_taken_away() {
    let Some(disk) = Disk::mount(64) else { return };
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let reserve = disk.data().join("zenml-auth.db-reserve");
    let length = || std::fs::metadata(&reserve).unwrap().len();
    let mut server = start(&disk.data(), &log, "4MiB");
    let mut admin = server.admin();
    let mut ledger = Ledger::of(Way::ALL);
    for round in 0..3 {
        ledger.fill(&admin, 30);
        let (reset, deactivated) = (
            user(&server, &admin, round, "reset"),
            user(&server, &admin, round, "gone"),
        );
        assert_eq!(length(), 4 << 20, "it is whole");
        disk.fill(round * 4096);
        while ledger.add(&admin) {}
        // Other programs take what becomes free at once.
        for number in 0..20 {
            let way = ledger.next_way();
            assert!(
                ledger.take_away(&admin),
                "{number}: {way:?}: {:?}",
                ledger.refused
            );
            disk.fill(0);
        }
        // As operators do it.
        let reset_password = ["admin", "reset-password", &reset.name, "--password-stdin"];
        run_with(&disk.data(), &reset_password, "correct horse battery");
        disk.fill(0);
        said(&run(
            &disk.data(),
            &["admin", "deactivate-user", &deactivated.name],
        ));
        assert!(length() < 4 << 20, "it was in use");
        let ended = |admin: &Client, when: &str| {
            for user in [&reset, &deactivated] {
                assert_eq!(admin.with(&user.token).status(), 401, "{} {when}", user.name);
            }
        };
        ledger.check(&admin, "while the disk is full");
        ended(&admin, "while the disk is full");
        server.kill();
        server = start(&disk.data(), &log, "4MiB");
        admin = admin.at(&server);
        ledger.check(&admin, "after a crash");
        ended(&admin, "after a crash");
        assert!(server.sign_in_as(&reset.name, "correct horse battery").is_some());
        // Those who have no other credential sign in.
        assert!(server.sign_in(PASSWORD).is_some());
        // There is some room then, and it is not for others.
        assert!(!ledger.add(&admin), "added on a full disk");
        assert_eq!(server.ready(), 503);
        // Room for the reserve alone is not enough.
        disk.fill((4 << 20) - length() + (512 << 10));
        assert!(!ledger.add(&admin), "added without room to spare");
        assert_eq!(server.ready(), 503);
        disk.free();
        server.wait_until_ready_is(200);
        assert_eq!(length(), 4 << 20, "it is whole again");
        ledger.check(&admin, "when the disk has room again");
        ended(&admin, "when the disk has room again");
    }
    // Neither those who sign in nor those who change themselves can use it up.
    disk.fill(0);
    while server.sign_in(PASSWORD).is_some() {
        disk.fill(0);
    }
    let (status, _) = admin
        .exchange("PUT", "/api/v1/current-user", r#"{"full_name": "again"}"#)
        .unwrap();
    assert_eq!(status, 507);
    assert!(length() >= 2 << 20, "{}", length());
    // All that is left is for taking away without giving anything else for it.
    for _ in Way::ALL {
        let way = ledger.next_way();
        disk.fill(0);
        let taken = ledger.take_away(&admin);
        assert_eq!(taken, !way.gives_another(), "{way:?}: {:?}", ledger.refused);
    }
    ledger.check(&admin, "in the second half of the reserve");
    crate::support::wait_for_line(&log, "rights are taken away in the room that was kept for it");
    crate::support::wait_for_line(&log, "the reserve for a full disk is whole again");
}

#[test]
fn a_disk_without_room_for_the_reserve_is_warned_about() {
    let Some(disk) = Disk::mount(64) else { return };
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let server = start(&disk.data(), &log, "64MiB");
    let admin = server.admin();
    assert_eq!(server.ready(), 200);
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("make room for 64 MiB"), "{text}");
    // All goes on as without one.
    let mut ledger = Ledger::of(Way::OF_KEYS);
    ledger.fill(&admin, 2);
    assert!(ledger.take_away(&admin), "{:?}", ledger.refused);
    ledger.check(&admin, "without a reserve");
}

/// A user who has signed in.
struct User {
    name: String,
    token: String,
}

fn user(server: &Server, admin: &Client, round: u64, what: &str) -> User {
    let name = format!("{what}-{round}");
    let user = json!({"name": name, "is_admin": false, "active": true, "password": PASSWORD});
    admin.ok("POST", "/api/v1/users", &user.to_string());
    let token = server.sign_in_as(&name, PASSWORD).unwrap();
    assert_eq!(admin.with(&token).status(), 200);
    User { name, token }
}
