//! How long a command of the command line takes, from start to end.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::table;
use crate::TaskError;

/// How often each is run; what is shown is the one in the middle.
const RUNS: usize = 21;

/// Shows how long each command takes, beside a program that does nothing.
pub(super) fn print(commands: Vec<(String, Command)>) -> Result<(), TaskError> {
    println!("\nCommands, from start to end:");
    let nothing = (
        "a program that does nothing (`true`)".to_owned(),
        Command::new("true"),
    );
    for (name, mut command) in std::iter::once(nothing).chain(commands) {
        let took = time(&mut command).map_err(|error| format!("{name}: {error}"))?;
        println!("  {}  {name}", table::time(took));
    }
    Ok(())
}

fn time(command: &mut Command) -> Result<Duration, TaskError> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        let status = command.status()?;
        times.push(begun.elapsed());
        if !status.success() {
            return Err(format!("it failed ({status})").into());
        }
    }
    times.sort_unstable();
    Ok(times.get(RUNS / 2).copied().unwrap_or_default())
}

/// A command of ours, connected to a server with an API key.
pub(super) fn ours(binary: &Path, folder: &Path, server: &str, api_key: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary);
    command
        .args(arguments)
        .env("ZENML_CONFIG_PATH", folder)
        .env("ZENML_STORE_URL", server)
        .env("ZENML_STORE_API_KEY", api_key);
    command
}
