//! `cargo xtask conformance`: ZenML's own Python clients, unmodified, and ZenML's recorded answers, against our server.
//!
//! The drivers are in Python, as the clients are: `conformance/clients.py` and `conformance/replay.py`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::TaskError;
use crate::run::{build_programs, exists, root, succeed, target_dir};

/// The releases of the Python client that have to work.
const RELEASES: &[&str] = &["0.98.0", "0.70.0", "0.58.2"];
/// The Python that all of them run on.
const PYTHONS: &[&str] = &["python3.11", "python3"];

pub(crate) fn run(only: &[String]) -> Result<(), TaskError> {
    let releases: Vec<&str> = RELEASES
        .iter()
        .copied()
        .filter(|release| only.is_empty() || only.iter().any(|wanted| wanted == release))
        .collect();
    if releases.is_empty() {
        return Err(format!("the releases are {}", RELEASES.join(", ")).into());
    }
    let python = python()?;
    let server = build_programs()?.join("zenml-auth-server");
    let scripts = root().join("xtask").join("conformance");

    println!("\nReplaying what ZenML's servers answered:");
    succeed(
        Command::new(&python)
            .arg(scripts.join("replay.py"))
            .arg("--server-binary")
            .arg(&server)
            .arg("--wire-dir")
            .arg(root().join("crates/api/wire"))
            .arg("--compatibility")
            .arg(root().join("docs/compatibility.md")),
    )?;

    let mut driver = Command::new(&python);
    driver
        .arg(scripts.join("clients.py"))
        .arg("--server-binary")
        .arg(&server);
    for release in releases {
        let folder = install(&python, release)?;
        driver
            .arg("--venv")
            .arg(format!("{release}={}", folder.display()));
    }
    println!("\nDriving ZenML's own clients:");
    succeed(&mut driver)
}

fn python() -> Result<PathBuf, TaskError> {
    let found = PYTHONS.iter().find(|name| exists(name, "--version"));
    found.map(PathBuf::from).ok_or_else(|| {
        "conformance needs Python 3.11 with venv and pip; ZenML's old clients run on no later one".into()
    })
}

/// Installs a release of the client into an environment of its own, once.
fn install(python: &Path, release: &str) -> Result<PathBuf, TaskError> {
    let folder = target_dir().join("conformance").join(format!("zenml-{release}"));
    let complete = folder.join("complete");
    if complete.exists() {
        return Ok(folder);
    }
    println!("Installing zenml {release} …");
    succeed(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = folder.join("bin").join("python");
    succeed(
        Command::new(pip)
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            // Newer releases need the extra to go back to their local store, which is what `zenml logout` does.
            .arg(format!("zenml[local]=={release}")),
    )?;
    std::fs::write(complete, "")?;
    Ok(folder)
}
