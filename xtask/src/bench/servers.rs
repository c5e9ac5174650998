//! The servers that are measured, and credentials for them.

use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::load::{Ask, Target};
use super::many::{Many, Sent};
use super::program::{Program, free_address};
use crate::TaskError;
use crate::http::request;

/// The one that the conformance scripts give ZenML's server, too.
const PASSWORD: &str = "zenml-Passw0rd";
/// Known to everybody, like the password.
const ENCRYPTION_KEY: &str = "bench:dGhpcyBrZXkgaXMga25vd24gdG8gZXZlcnlib2R5ISE=";
/// Any client will do; a machine keeps its id.
const CLIENT: &str = "11111111-2222-4333-8444-555555555555";
const CURRENT_USER: &str = "/api/v1/current-user";
const LOGIN: &str = "/api/v1/login";
const DEVICE_AUTHORIZATION: &str = "/api/v1/device_authorization";

/// How long a server may take to answer for the first time; a measure of what is broken, not of what is slow.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The floor, and what to ask it for.
pub(super) struct Floor {
    pub(super) program: Program,
    pub(super) target: Target,
    address: String,
    token: String,
}

impl Floor {
    pub(super) fn start(binary: &Path) -> Result<Self, TaskError> {
        let address = free_address()?;
        let mut program = Program::start(Command::new(binary).arg(&address))?;
        let token = program.line()?;
        Ok(Self {
            program,
            target: asking(&address, token.clone()),
            address,
            token,
        })
    }

    /// The same request, as load with many credentials sends it; the floor has only one.
    pub(super) fn with_many(&self, folder: &Path) -> Result<Target, TaskError> {
        let lines = folder.join("floor");
        std::fs::write(&lines, &self.token)?;
        Ok(Target {
            address: self.address.clone(),
            path: CURRENT_USER,
            ask: Ask::Many(Many {
                sent: Sent::AsBearer,
                lines,
                first: 1,
            }),
        })
    }
}

/// Our server.
pub(super) struct Server {
    pub(super) program: Program,
    address: String,
    /// From the start of the process to its first answer.
    pub(super) started_in: Duration,
}

/// What gets somebody in.
pub(super) struct Credentials {
    pub(super) administrator: String,
    device_token: String,
    api_key: String,
}

impl Credentials {
    pub(super) fn api_key(&self) -> &str {
        &self.api_key
    }
}

impl Server {
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts it on a data folder or another database, with what else is set, and waits for its first answer. But for the
    /// limits on one address, from which all the load comes, it runs as it ships.
    pub(super) fn start(binary: &Path, settings: &[&str], log: &Path) -> Result<Self, TaskError> {
        let address = free_address()?;
        let mut command = Command::new(binary);
        command
            .args(["--bind", &address, "--rate-limit", "off"])
            .args(settings)
            .env("ZENML_AUTH_ADMIN_PASSWORD", PASSWORD);
        // On a database server a key has to be given; an embedded database makes its own.
        if settings.contains(&"--database-url") {
            command.env("ZENML_AUTH_ENCRYPTION_KEY", ENCRYPTION_KEY);
        }
        let begun = Instant::now();
        let program = Program::start_logging(&mut command, log)?;
        while request(&address, "GET", "/ready")
            .send()
            .map_or(true, |answer| answer.status != 200)
        {
            if begun.elapsed() > START_TIMEOUT {
                return Err("the server does not answer".into());
            }
            sleep(Duration::from_millis(1));
        }
        Ok(Self {
            program,
            address,
            started_in: begun.elapsed(),
        })
    }

    /// ZenML's own server, from the command that serves it.
    pub(super) fn theirs(command: &mut Command) -> Result<Self, TaskError> {
        let begun = Instant::now();
        let mut program = Program::start(command)?;
        let line = program.line()?;
        let (address, process) = line
            .split_once(' ')
            .ok_or("ZenML's server does not say where it is")?;
        program.measure(process.parse()?);
        Ok(Self {
            address: address.to_owned(),
            program,
            started_in: begun.elapsed(),
        })
    }

    /// Signs in, connects a device and makes an API key.
    pub(super) fn credentials(&self) -> Result<Credentials, TaskError> {
        let at = |method, path| request(&self.address, method, path);
        let signed_in = at("POST", LOGIN)
            .form(&[("username", "default"), ("password", PASSWORD)])
            .succeed()?;
        let administrator = signed_in.text("/access_token")?;

        let asked = at("POST", DEVICE_AUTHORIZATION)
            .form(&[("client_id", CLIENT)])
            .succeed()?;
        let link = asked.text("/verification_uri_complete")?;
        let device = link
            .split("device_id=")
            .nth(1)
            .and_then(|rest| rest.split('&').next())
            .ok_or("no device in the link")?;
        let code = asked.text("/user_code")?;
        let verify = format!("/api/v1/devices/{device}/verify");
        request(&self.address, "PUT", &verify)
            .bearer(&administrator)
            .json(&format_args!(
                r#"{{"user_code": "{code}", "trusted_device": true}}"#
            ))
            .succeed()?;
        let device_code = asked.text("/device_code")?;
        let device_token = at("POST", LOGIN)
            .form(&[
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                ("client_id", CLIENT),
                ("device_code", &device_code),
            ])
            .succeed()?
            .text("/access_token")?;

        let account = at("POST", "/api/v1/service_accounts")
            .bearer(&administrator)
            .json(&r#"{"name": "bench", "active": true}"#)
            .succeed()?
            .text("/id")?;
        let api_key = at("POST", &format!("/api/v1/service_accounts/{account}/api_keys"))
            .bearer(&administrator)
            .json(&format_args!(r#"{{"name": "{}"}}"#, self.program.id()))
            .succeed()?
            .text("/body/key")?;
        Ok(Credentials {
            administrator,
            device_token,
            api_key,
        })
    }

    /// A request with a device's token.
    pub(super) fn with_device_token(&self, credentials: &Credentials) -> Target {
        asking(&self.address, credentials.device_token.clone())
    }

    /// A request with the API key itself.
    pub(super) fn with_api_key(&self, credentials: &Credentials) -> Target {
        asking(&self.address, credentials.api_key.clone())
    }

    /// An exchange of the API key for a new token.
    pub(super) fn signing_in(&self, credentials: &Credentials) -> Target {
        let form = [
            ("grant_type", "zenml-api-key"),
            ("password", &credentials.api_key),
        ];
        posting(&self.address, LOGIN, &form)
    }

    /// A device that asks for approval.
    pub(super) fn authorizing_a_device(&self) -> Target {
        posting(&self.address, DEVICE_AUTHORIZATION, &[("client_id", CLIENT)])
    }

    /// Requests or sign-ins with one credential after the other.
    pub(super) fn with_many(&self, many: Many) -> Target {
        Target {
            address: self.address.clone(),
            path: match many.sent {
                Sent::AsBearer => CURRENT_USER,
                Sent::ToSignIn => LOGIN,
            },
            ask: Ask::Many(many),
        }
    }

    /// How long an answer takes, of those that a few tries take the one in the middle.
    pub(super) fn time_to_get(&self, path: &str, credentials: &Credentials) -> Result<Duration, TaskError> {
        let mut times = Vec::new();
        for _ in 0..9 {
            let begun = Instant::now();
            request(&self.address, "GET", path)
                .bearer(&credentials.administrator)
                .succeed()?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        Ok(times.get(times.len() / 2).copied().unwrap_or_default())
    }
}

fn asking(address: &str, bearer: String) -> Target {
    Target {
        address: address.to_owned(),
        path: CURRENT_USER,
        ask: Ask::With(bearer),
    }
}

fn posting(address: &str, path: &'static str, form: &[(&str, &str)]) -> Target {
    Target {
        address: address.to_owned(),
        path,
        ask: Ask::Posting(
            form.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        ),
    }
}
