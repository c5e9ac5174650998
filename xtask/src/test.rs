//! `cargo xtask test`

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::TaskError;
use crate::ci::PACKAGES;
use crate::run::{cargo, succeed, target_dir};

/// Which database servers the tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Databases {
    /// Those that are installed.
    Found,
    /// All of them; it is an error if one is not installed.
    All,
}

pub(crate) fn run(arguments: &[String], databases: Databases) -> Result<(), TaskError> {
    let report = Report::begin()?;
    let mut command = cargo();
    command.args(["test", "--all-features"]);
    command.env(Report::VARIABLE, &report.path);
    if databases == Databases::All {
        command.env("TEST_DATABASES", "all");
    }
    if arguments.is_empty() {
        command.arg("--workspace");
    }
    let tested = succeed(command.args(arguments));
    let (ran, missing) = report.read()?;
    println!();
    // What runs in the tests themselves is always there.
    println!(
        "Ran on: {}.",
        ["SQLite (embedded)".to_owned()]
            .into_iter()
            .chain(ran)
            .collect::<Vec<_>>()
            .join(", ")
    );
    if !missing.is_empty() {
        println!(
            "NOT RUN, all that needs what is missing here: {}.",
            missing.join(", ")
        );
        println!(
            "(`cargo xtask databases` installs programs. On Debian: apt-get install {}.)",
            PACKAGES.join(" ")
        );
    }
    tested?;
    if arguments.is_empty() {
        println!("All tests passed.");
    }
    Ok(())
}

/// Runs the tests with this in their names on the servers in a folder, which have to be of the release that begins so.
pub(crate) fn run_on_release(programs: &Path, tests: &str, release: &str) -> Result<(), TaskError> {
    let report = Report::begin()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&path));
    let mut command = cargo();
    command
        .args([
            "test",
            "--all-features",
            "--workspace",
            "--tests",
            "--no-fail-fast",
            "--",
            tests,
        ])
        .env("PATH", std::env::join_paths(path)?)
        .env("TEST_DATABASES", "all")
        .env(Report::VARIABLE, &report.path);
    let tested = succeed(&mut command);
    let (ran, _) = report.read()?;
    println!("\nRan on: {}.", ran.join(", "));
    tested?;
    match ran.as_slice() {
        [one] if one.starts_with(release) => Ok(()),
        _ => Err(format!("{release} was to be tested").into()),
    }
}

/// Says, as `zenml_auth_testkit::report` does, that a test of this program is left out.
#[cfg(test)]
pub(crate) fn missing(what: &str) {
    use std::io::Write as _;

    let all = std::env::var("TEST_DATABASES").is_ok_and(|wanted| wanted == "all");
    assert!(!all, "{what} is missing");
    if let Some(path) = std::env::var_os(Report::VARIABLE) {
        let mut file = std::fs::File::options().append(true).open(path).unwrap();
        file.write_all(format!("missing {what}\n").as_bytes()).unwrap();
    }
}

/// A file to which the tests write what they ran on, and what they missed.
struct Report {
    path: PathBuf,
}

impl Report {
    const VARIABLE: &str = "TEST_DATABASES_REPORT";

    fn begin() -> Result<Self, TaskError> {
        let folder = target_dir();
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("tested-databases-{}", std::process::id()));
        std::fs::write(&path, "")?;
        Ok(Self { path })
    }

    /// What they ran on, and what they missed.
    fn read(self) -> Result<(Vec<String>, Vec<String>), TaskError> {
        let text = std::fs::read_to_string(&self.path)?;
        std::fs::remove_file(&self.path)?;
        let lines: BTreeSet<&str> = text.lines().collect();
        let those = |word: &str| {
            let lines = lines.iter().filter_map(|line| line.strip_prefix(word));
            lines.map(|name| name.trim().to_owned()).collect()
        };
        Ok((those("ran "), those("missing ")))
    }
}
