//! `cargo xtask conformance`: ZenML's own programs, unmodified, against ours.
//!
//! - `replay`: what ZenML's servers answered, against our server.
//! - `clients`: ZenML's Python clients, against our server.
//! - `live`: our command line, against ZenML's servers and against ours.
//! - `login`: our command line and ZenML's Python client on the same files.
//!
//! The drivers are in Python, as the clients are: `conformance/replay.py`, `clients.py`, `live.py` and `one_login.py`.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::TaskError;
use crate::run::{build_programs, exists, root, succeed, target_dir};

/// A release of ZenML.
struct Release {
    version: &'static str,
    /// What of it is installed. Newer releases need `local` to go back to their local store, which is what `zenml logout` does.
    extras: &'static str,
    /// Whether its server is run, too. What it stands on is pinned then.
    has_server: bool,
}

/// The releases that have to work.
const RELEASES: &[Release] = &[
    Release {
        version: NEWEST,
        extras: "local,server",
        has_server: true,
    },
    Release {
        version: "0.70.0",
        extras: "local",
        has_server: false,
    },
    Release {
        version: "0.58.2",
        extras: "local,server",
        has_server: true,
    },
];
const NEWEST: &str = "0.98.0";
/// The Python that all of them run on.
const PYTHONS: &[&str] = &["python3.11", "python3"];

/// A part of the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// What ZenML's servers answered, against our server
    Replay,
    /// ZenML's Python clients, against our server
    Clients,
    /// Our command line, against ZenML's servers and ours
    Live,
    /// Our command line and ZenML's Python client on the same files
    Login,
}

pub(crate) fn run(only: &[String], parts: &[Part]) -> Result<(), TaskError> {
    let releases: Vec<&Release> = RELEASES
        .iter()
        .filter(|release| only.is_empty() || only.iter().any(|wanted| wanted == release.version))
        .collect();
    if releases.is_empty() {
        let versions: Vec<_> = RELEASES.iter().map(|release| release.version).collect();
        return Err(format!("the releases are {}", versions.join(", ")).into());
    }
    let has = |part| parts.is_empty() || parts.contains(&part);
    let python = python()?;
    let programs = build_programs()?;
    let tools = Tools {
        scripts: scripts(),
        server: programs.join("zenml-auth-server"),
        command_line: programs.join("zenml"),
        python,
    };
    if has(Part::Replay) {
        tools.replay()?;
    }
    if has(Part::Clients) {
        tools.clients(&releases)?;
    }
    if has(Part::Live) {
        tools.live(&releases)?;
    }
    if has(Part::Login) && releases.iter().any(|release| release.version == NEWEST) {
        tools.login()?;
    }
    Ok(())
}

/// ZenML's newest server, in a process that prints `ADDRESS PID` and goes on until its standard input ends.
pub(crate) fn zenml_server() -> Result<Command, TaskError> {
    let mut command = Command::new(python()?);
    command
        .arg(scripts().join("served.py"))
        .arg("--venv")
        .arg(install_newest()?);
    Ok(command)
}

/// ZenML's newest command line, and its version.
pub(crate) fn zenml_command_line() -> Result<(PathBuf, &'static str), TaskError> {
    Ok((install_newest()?.join("bin").join("zenml"), NEWEST))
}

fn install_newest() -> Result<PathBuf, TaskError> {
    let newest = RELEASES.iter().find(|release| release.version == NEWEST);
    install(
        &python()?,
        &scripts(),
        newest.ok_or("there is no newest release")?,
    )
}

fn scripts() -> PathBuf {
    root().join("xtask").join("conformance")
}

fn python() -> Result<PathBuf, TaskError> {
    let found = PYTHONS.iter().find(|name| exists(name, "--version"));
    found.map(PathBuf::from).ok_or_else(|| {
        "conformance needs Python 3.11 with venv and pip; ZenML's old clients run on no later one".into()
    })
}

/// What the parts are played with.
struct Tools {
    python: PathBuf,
    scripts: PathBuf,
    server: PathBuf,
    command_line: PathBuf,
}

impl Tools {
    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.python);
        command
            .arg(self.scripts.join(name))
            .arg("--server-binary")
            .arg(&self.server);
        command
    }

    fn replay(&self) -> Result<(), TaskError> {
        println!("\nReplaying what ZenML's servers answered:");
        succeed(
            self.script("replay.py")
                .arg("--wire-dir")
                .arg(root().join("crates/api/wire")),
        )
    }

    fn clients(&self, releases: &[&Release]) -> Result<(), TaskError> {
        let mut driver = self.script("clients.py");
        self.add_releases(&mut driver, releases.iter().copied())?;
        println!("\nDriving ZenML's own clients:");
        succeed(&mut driver)
    }

    fn live(&self, releases: &[&Release]) -> Result<(), TaskError> {
        let mut driver = self.script("live.py");
        driver
            .arg("--binary")
            .arg(&self.command_line)
            .arg("--transcripts")
            .arg(target_dir().join("conformance").join("transcripts"));
        let servers = releases.iter().copied().filter(|release| release.has_server);
        if self.add_releases(&mut driver, servers)? == 0 {
            return Ok(());
        }
        println!("\nDriving our command line against ZenML's servers, and against ours:");
        succeed(&mut driver)
    }

    fn login(&self) -> Result<(), TaskError> {
        let mut driver = self.script("one_login.py");
        driver.arg("--binary").arg(&self.command_line).arg("--venv");
        for release in RELEASES.iter().filter(|release| release.version == NEWEST) {
            driver.arg(install(&self.python, &self.scripts, release)?);
        }
        println!("\nConnecting with one program, and going on with the other:");
        succeed(&mut driver)
    }

    /// Tells a driver where the releases are; gives how many there are.
    fn add_releases<'a>(
        &self,
        driver: &mut Command,
        releases: impl Iterator<Item = &'a Release>,
    ) -> Result<usize, TaskError> {
        let mut count = 0;
        for release in releases {
            let folder = install(&self.python, &self.scripts, release)?;
            driver
                .arg("--venv")
                .arg(format!("{}={}", release.version, folder.display()));
            count += 1;
        }
        Ok(count)
    }
}

/// Installs a release into an environment of its own, once.
fn install(python: &Path, scripts: &Path, release: &Release) -> Result<PathBuf, TaskError> {
    let Release {
        version,
        extras,
        has_server,
    } = release;
    let folder = target_dir().join("conformance").join(format!("zenml-{version}"));
    let constraints = scripts.join(format!("constraints-{version}.txt"));
    let wanted = format!("zenml[{extras}]=={version}");
    let pinned = if *has_server {
        std::fs::read_to_string(&constraints)?
    } else {
        String::new()
    };
    let complete = folder.join("complete");
    let state = format!("{wanted}\n{pinned}");
    if std::fs::read_to_string(&complete).is_ok_and(|installed| installed == state) {
        return Ok(folder);
    }
    println!("Installing {wanted} …");
    succeed(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = Command::new(python_in(&folder));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--prefer-binary",
    ]);
    if *has_server {
        pip.arg("--constraint").arg(&constraints);
    }
    succeed(pip.arg(&wanted))?;
    std::fs::write(complete, state)?;
    Ok(folder)
}

fn python_in(folder: &Path) -> PathBuf {
    folder.join("bin").join("python")
}
