//! The load: `oha`, a load generator that others maintain, from its crate.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::many::{Many, Wrk};
use crate::TaskError;
use crate::http;
use crate::run::{cargo, exists, output, succeed, target_dir};

/// The release of `oha` that measured what `docs/performance.md` shows.
const RELEASE: &str = "1.16.0";
/// How many connections ask at the same time, each one request after the other.
pub(super) const CONNECTIONS: &str = "32";

/// What is asked for, again and again.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: String,
    pub(super) path: &'static str,
    pub(super) ask: Ask,
}

#[derive(Clone)]
pub(super) enum Ask {
    /// A `GET` with this bearer credential.
    With(String),
    /// A form that is posted.
    Posting(Vec<(String, String)>),
    /// One credential after the other.
    Many(Many),
}

/// What one burst of load came to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    pub(super) requests: f64,
    pub(super) per_second: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) slowest: Duration,
}

/// The load generators.
pub(super) struct Load {
    oha: PathBuf,
    /// For many credentials, where it is installed.
    wrk: Option<Wrk>,
}

impl Load {
    /// Installs `oha` under the target folder, once. What `wrk` needs goes to a folder of the benchmark's.
    pub(super) fn install(folder: &Path) -> Result<Self, TaskError> {
        let root = target_dir().join("tools").join(format!("oha-{RELEASE}"));
        let program = root.join("bin").join("oha");
        if !exists(&program, "--version") {
            println!("Installing oha {RELEASE} …");
            succeed(
                cargo()
                    // Without its TLS, which is not needed here, it does not build.
                    .args(["install", "oha", "--locked", "--quiet", "--version", RELEASE, "--root"])
                    .arg(&root),
            )?;
        }
        let wrk = Wrk::find(folder)?;
        if wrk.is_none() {
            println!("wrk is not installed, so load with many credentials is not measured.");
        }
        Ok(Self { oha: program, wrk })
    }

    /// Whether it can come with many credentials.
    pub(super) const fn has_many(&self) -> bool {
        self.wrk.is_some()
    }

    /// Asks for as long as told, and fails when an answer is not 200.
    pub(super) fn burst(&self, target: &Target, seconds: u32) -> Result<Burst, TaskError> {
        let url = format!("http://{}{}", target.address, target.path);
        let mut command = Command::new(&self.oha);
        command
            .args(["-c", CONNECTIONS, "-z", &format!("{seconds}s"), "--no-tui"])
            // What was asked is waited for, and counts: a server may take longer for one answer than a round lasts.
            .arg("--wait-ongoing-requests-after-deadline")
            .args(["--output-format", "json"]);
        match &target.ask {
            Ask::With(bearer) => {
                command.args(["-H", &format!("Authorization: Bearer {bearer}")]);
            }
            Ask::Posting(form) => {
                let fields: Vec<_> = form
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()))
                    .collect();
                command.args(["-m", "POST", "-T", "application/x-www-form-urlencoded"]);
                command.args(["-d", &http::form(&fields)]);
            }
            Ask::Many(many) => {
                let wrk = self.wrk.as_ref().ok_or("wrk is not installed")?;
                return wrk.burst(&url, many, seconds);
            }
        }
        command.arg(url);
        read(&serde_json::from_str(&output(&mut command)?)?)
    }
}

fn read(report: &Value) -> Result<Burst, TaskError> {
    let number = |pointer: &str| {
        report
            .pointer(pointer)
            .and_then(Value::as_f64)
            .ok_or_else(|| format!("the load generator does not tell {pointer}"))
    };
    let answers = report
        .pointer("/statusCodeDistribution")
        .and_then(Value::as_object)
        .ok_or("the load generator does not tell the statuses")?;
    if answers.keys().any(|status| status != "200") || answers.is_empty() {
        return Err(format!("not every answer was 200: {answers:?}").into());
    }
    Ok(Burst {
        requests: number("/statusCodeDistribution/200")?,
        per_second: number("/summary/requestsPerSec")?,
        p50: Duration::from_secs_f64(number("/latencyPercentiles/p50")?),
        p99: Duration::from_secs_f64(number("/latencyPercentiles/p99")?),
        slowest: Duration::from_secs_f64(number("/summary/slowest")?),
    })
}
