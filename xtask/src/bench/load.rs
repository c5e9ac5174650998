//! The load: `oha`, a load generator that others maintain, from its crate.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::TaskError;
use crate::http;
use crate::run::{cargo, exists, output, succeed, target_dir};

/// The release of `oha` that measured what `docs/performance.md` shows.
const RELEASE: &str = "1.16.0";
/// How many connections ask at the same time, each one request after the other.
const CONNECTIONS: &str = "32";

/// What is asked for, again and again.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: String,
    pub(super) path: &'static str,
    /// A bearer credential, if one is sent.
    pub(super) bearer: Option<String>,
    /// A form that is posted; otherwise it is a `GET`.
    pub(super) form: Vec<(String, String)>,
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

/// The load generator.
pub(super) struct Load(PathBuf);

impl Load {
    /// Installs it under the target folder, once.
    pub(super) fn install() -> Result<Self, TaskError> {
        let root = target_dir().join("tools").join(format!("oha-{RELEASE}"));
        let program = root.join("bin").join("oha");
        if !exists(&program, "--version") {
            println!("Installing oha {RELEASE} …");
            succeed(
                cargo()
                    .args(["install", "oha", "--locked", "--quiet", "--version", RELEASE])
                    // It only ever talks to this machine, without TLS.
                    .args(["--no-default-features", "--root"])
                    .arg(&root),
            )?;
        }
        Ok(Self(program))
    }

    /// Asks for as long as told, and fails when an answer is not 200.
    pub(super) fn burst(&self, target: &Target, seconds: u32) -> Result<Burst, TaskError> {
        let mut command = Command::new(&self.0);
        command
            .args(["-c", CONNECTIONS, "-z", &format!("{seconds}s"), "--no-tui"])
            // What was asked is waited for, and counts: a server may take longer for one answer than a round lasts.
            .arg("--wait-ongoing-requests-after-deadline")
            .args(["--output-format", "json"]);
        if let Some(bearer) = &target.bearer {
            command.args(["-H", &format!("Authorization: Bearer {bearer}")]);
        }
        if !target.form.is_empty() {
            let fields: Vec<_> = target
                .form
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            command.args(["-m", "POST", "-T", "application/x-www-form-urlencoded"]);
            command.args(["-d", &http::form(&fields)]);
        }
        command.arg(format!("http://{}{}", target.address, target.path));
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
