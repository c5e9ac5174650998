//! Load that comes with another credential each time: `wrk`, which a script can tell what to send.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::load::{Burst, CONNECTIONS};
use crate::TaskError;
use crate::run::output;

/// What is sent; see the script.
const SCRIPT: &str = include_str!("many.lua");

/// Credentials that take turns.
#[derive(Clone)]
pub(super) struct Many {
    /// How a credential is sent.
    pub(super) sent: Sent,
    /// A file with one a line.
    pub(super) lines: PathBuf,
    /// How many of them.
    pub(super) first: u32,
}

#[derive(Clone, Copy)]
pub(super) enum Sent {
    AsBearer,
    ToSignIn,
}

/// The load generator.
pub(super) struct Wrk {
    script: PathBuf,
}

impl Wrk {
    /// Finds it, if it is installed.
    pub(super) fn find(folder: &Path) -> Result<Option<Self>, TaskError> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join("wrk").is_file()) {
            return Ok(None);
        }
        let script = folder.join("many.lua");
        std::fs::write(&script, SCRIPT)?;
        Ok(Some(Self { script }))
    }

    /// Asks for as long as told, and fails when an answer is no success.
    pub(super) fn burst(&self, url: &str, many: &Many, seconds: u32) -> Result<Burst, TaskError> {
        let sent = match many.sent {
            Sent::AsBearer => "bearer",
            Sent::ToSignIn => "sign-in",
        };
        let mut command = Command::new("wrk");
        command
            .args(["-t", "2", "-c", CONNECTIONS, "-d", &format!("{seconds}s")])
            .arg("-s")
            .arg(&self.script)
            .args([url, "--", sent])
            .arg(&many.lines)
            .arg(many.first.to_string());
        let printed = output(&mut command)?;
        // After what it prints for people.
        let report = printed.lines().last().unwrap_or_default();
        read(&serde_json::from_str(report)?)
    }
}

fn read(report: &Value) -> Result<Burst, TaskError> {
    let number = |name: &str| {
        report
            .get(name)
            .and_then(Value::as_f64)
            .ok_or_else(|| format!("the load generator does not tell {name}"))
    };
    let micros = |name: &str| Ok::<_, TaskError>(Duration::from_secs_f64(number(name)? / 1e6));
    if number("refused")? > 0.0 || number("broken")? > 0.0 || number("requests")? < 1.0 {
        return Err(format!("not every request succeeded: {report}").into());
    }
    Ok(Burst {
        requests: number("requests")?,
        per_second: number("requests")? / micros("micros")?.as_secs_f64(),
        p50: micros("p50")?,
        p99: micros("p99")?,
        slowest: micros("slowest")?,
    })
}
