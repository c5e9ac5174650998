//! `cargo xtask ci`: everything that has to pass before a change lands.
//!
//! Fast checks come first, so that a slip is told early; each step says how long it took.

#![allow(
    clippy::disallowed_methods,
    reason = "how long a step took is shown to people, and decides nothing"
)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::run::{cargo, exists, output, succeed};
use crate::test::Databases;
use crate::{TaskError, attacks, conformance, demo, deploy, generate, layers, promises, releases, test};

struct Step {
    name: &'static str,
    run: fn() -> Result<(), TaskError>,
}

const DATABASES: &str = "databases";
const TESTS: &str = "tests";
const MYSQL: &str = "tests on MySQL";

const STEPS: &[Step] = &[
    Step {
        name: "formatting",
        run: || succeed(cargo().args(["fmt", "--all", "--check"])),
    },
    Step {
        name: "layers",
        run: layers::run,
    },
    Step {
        name: "promises",
        run: promises::run,
    },
    Step {
        name: DATABASES,
        run: install_databases,
    },
    Step {
        name: "files for hosting",
        run: deploy::run,
    },
    Step {
        name: TESTS,
        run: || test::run(&[], Databases::All),
    },
    Step {
        name: MYSQL,
        run: || releases::run(&["mysql-9".to_owned()]),
    },
    Step {
        name: "attacks on the release",
        run: || attacks::run(60),
    },
    Step {
        name: "clippy",
        run: clippy,
    },
    Step {
        name: "docs",
        run: docs,
    },
    Step {
        name: "licences, bans and sources",
        run: deny,
    },
    Step {
        name: "generated files",
        run: || generate::run(true),
    },
    Step {
        name: "demo",
        run: demo::run,
    },
    Step {
        name: "conformance",
        run: || conformance::run(&[], &[]),
    },
];

pub(crate) fn run(skip_tests: bool) -> Result<(), TaskError> {
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for step in STEPS
        .iter()
        .filter(|step| !(skip_tests && [DATABASES, TESTS, MYSQL].contains(&step.name)))
    {
        println!("\n== {} ==", step.name);
        let begun = Instant::now();
        let done = (step.run)();
        times.push((step.name, begun.elapsed()));
        if let Err(error) = done {
            summary(&times);
            return Err(format!("{}: {error}", step.name).into());
        }
    }
    summary(&times);
    println!("Everything passed.");
    Ok(())
}

fn summary(times: &[(&str, Duration)]) {
    println!();
    for (name, time) in times {
        println!("{:>6} s  {name}", time.as_secs());
    }
}

/// Debian's packages of the programs that tests and checks need.
pub(crate) const PACKAGES: &[&str] = &[
    "postgresql",
    "mariadb-server",
    "pgbouncer",
    "caddy",
    "nginx-light",
    "systemd",
    // For clients at other addresses.
    "iproute2",
    // For backups of a database in use.
    "sqlite3",
];

/// Installs the missing database servers, the poolers and proxies that stand before servers, and systemd's programs, what adds
/// addresses to this machine, and SQLite's program, where there is `apt-get` and the right to use it. The tests fail if one is still missing.
pub(crate) fn install_databases() -> Result<(), TaskError> {
    let found = |program: &str| {
        ["/usr/sbin", "/usr/local/sbin"]
            .iter()
            .any(|folder| Path::new(folder).join(program).exists())
            || Path::new("/usr/bin").join(program).exists()
            || exists(program, "--version")
    };
    // Its client alone makes folders there, too.
    let in_debians_folders = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        versions
            .flatten()
            .any(|version| version.path().join("bin/postgres").exists())
            .then_some(())
    };
    let is_there = |package: &str| match package {
        "postgresql" => found("postgres") || in_debians_folders().is_some(),
        "mariadb-server" => found("mariadbd") || found("mysqld"),
        "nginx-light" => found("nginx"),
        "systemd" => found("systemd-analyze"),
        "iproute2" => found("ip"),
        program => found(program),
    };
    let missing: Vec<&str> = PACKAGES
        .iter()
        .copied()
        .filter(|package| !is_there(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !exists("apt-get", "--version") {
        return Err(format!(
            "install {}, for which there is no apt-get here",
            missing.join(" and ")
        )
        .into());
    }
    // A user who is not root has to be allowed to become it.
    let is_root = output(Command::new("id").arg("-u"))?.trim() == "0";
    let apt_get = || {
        let mut command = Command::new(if is_root { "apt-get" } else { "sudo" });
        if !is_root {
            command.args([
                "--non-interactive",
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
            ]);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    succeed(apt_get().args(["update", "--quiet"]))?;
    succeed(
        apt_get()
            .args(["install", "--yes", "--quiet", "--no-install-recommends"])
            .args(missing),
    )
}

fn clippy() -> Result<(), TaskError> {
    succeed(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "--deny",
        "warnings",
    ]))
}

fn docs() -> Result<(), TaskError> {
    let mut command = cargo();
    command.env("RUSTDOCFLAGS", "--deny warnings");
    succeed(command.args(["doc", "--workspace", "--all-features", "--no-deps"]))
}

fn deny() -> Result<(), TaskError> {
    if !exists("cargo-deny", "--version") {
        succeed(cargo().args(["install", "cargo-deny", "--locked"]))?;
    }
    succeed(cargo().args(["deny", "--all-features", "check", "licenses", "bans", "sources"]))
}
