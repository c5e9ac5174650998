//! Running other programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::TaskError;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The folder that cargo builds in.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Builds our programs, in the way that the tests have built them already, and gives the folder they are in.
pub(crate) fn build_programs() -> Result<PathBuf, TaskError> {
    succeed(cargo().args(["build", "--workspace", "--all-features", "--bins"]))?;
    Ok(target_dir().join("debug"))
}

/// Runs a command, and fails when it does.
pub(crate) fn succeed(command: &mut Command) -> Result<(), TaskError> {
    let shown = shown(command);
    let status = command
        .status()
        .map_err(|error| format!("can't run {shown}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{shown} failed ({status})").into())
    }
}

/// Runs a command, and gives what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String, TaskError> {
    let shown = shown(command);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("can't run {shown}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{shown} failed ({})", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether a program is there to be run.
pub(crate) fn exists(program: impl AsRef<OsStr>, version_flag: &str) -> bool {
    Command::new(program)
        .arg(version_flag)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
