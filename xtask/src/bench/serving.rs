//! Servers of ours on one database each, and what is asked of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::case::Case;
use super::fill::{Content, Fill};
use super::load::Target;
use super::many::{Many, Sent};
use super::servers::{Credentials, Server};
use super::{MANY, commands, table};
use crate::TaskError;

/// How long a server is left alone before its memory counts as that of an idle one.
const SETTLE: Duration = Duration::from_secs(3);

/// A server on one database.
pub(super) struct Serving {
    database: &'static str,
    server: Server,
    credentials: Credentials,
    idle_memory: f64,
    listings: &'static [(&'static str, &'static str)],
    /// Where the credentials are that were made beforehand.
    folder: PathBuf,
}

/// Filtered, sorted pages of the large database.
const LISTINGS: &[(&str, &str)] = &[
    (
        "service accounts whose name starts so, latest first",
        "/api/v1/service_accounts?name=startswith:workload-77&sort_by=desc:created&size=20",
    ),
    (
        "active keys of an account, by name",
        "/api/v1/service_accounts/workload-7/api_keys?active=true&sort_by=asc:name&size=20",
    ),
    (
        "an administrator's locked devices, latest first",
        "/api/v1/devices?status=locked&sort_by=desc:created&size=20",
    ),
];

impl Serving {
    /// Makes a database, fills it, and starts the server on it for the second time, as that is the start
    /// that operators wait for.
    pub(super) fn on_sqlite(
        database: &'static str,
        binary: &Path,
        folder: &Path,
        fill: &Fill,
        content: Content,
        more: &[&str],
    ) -> Result<Self, TaskError> {
        let folder_text = folder.to_str().ok_or("the target folder's name is no UTF-8")?;
        let settings = [&["--data-dir", folder_text], more].concat();
        let log = folder.with_extension("log");
        Server::start(binary, &settings, &log)?.program.terminate()?;
        println!("Filling a database ({database}) …");
        fill.add(folder, content)?;
        let serving = Self::on_started(database, Server::start(binary, &settings, &log)?)?;
        let listings = match content {
            Content::Live { number: MANY, .. } => LISTINGS,
            Content::Live { .. } | Content::Ended => &[],
        };
        Ok(Self {
            listings,
            folder: folder.to_owned(),
            ..serving
        })
    }

    /// The same on an empty database of PostgreSQL.
    pub(super) fn on_postgres(binary: &Path, url: &str, log: &Path) -> Result<Self, TaskError> {
        let settings = ["--database-url", url];
        Server::start(binary, &settings, log)?.program.terminate()?;
        Self::on_started("PostgreSQL", Server::start(binary, &settings, log)?)
    }

    pub(super) fn on_started(database: &'static str, server: Server) -> Result<Self, TaskError> {
        sleep(SETTLE);
        let idle_memory = server.program.memory()?;
        Ok(Self {
            database,
            credentials: server.credentials()?,
            server,
            idle_memory,
            listings: &[],
            folder: PathBuf::new(),
        })
    }

    /// All kinds of load, with what each has to reach of the floor's requests per second.
    pub(super) fn cases(&self, goals: [Option<f64>; 4]) -> Vec<Case<'_>> {
        let (server, credentials) = (&self.server, &self.credentials);
        let [token, key, sign_in, device] = goals;
        let all = [
            (
                "request with a device token",
                token,
                server.with_device_token(credentials),
            ),
            (
                "request with the API key itself",
                key,
                server.with_api_key(credentials),
            ),
            ("API key sign-in", sign_in, server.signing_in(credentials)),
            (
                "device authorization, durable",
                device,
                server.authorizing_a_device(),
            ),
        ];
        all.into_iter()
            .map(|(what, goal, target)| self.case(what, goal, target))
            .collect()
    }

    /// The first three kinds, with so many credentials that take turns.
    pub(super) fn cases_with_many(
        &self,
        first: u32,
        goals: [Option<f64>; 3],
    ) -> impl Iterator<Item = Case<'_>> {
        let all = [
            (format!("one of {first} device tokens"), Sent::AsBearer, "tokens"),
            (format!("one of {first} API keys"), Sent::AsBearer, "keys"),
            (
                format!("sign-in, one of {first} API keys"),
                Sent::ToSignIn,
                "keys",
            ),
        ];
        all.into_iter()
            .zip(goals)
            .map(move |((what, sent, lines), goal)| {
                let many = Many {
                    sent,
                    lines: self.folder.join(lines),
                    first,
                };
                self.case(&what, goal, self.server.with_many(many))
            })
    }

    /// One kind of load, beside the floor.
    fn case(&self, what: &str, goal: Option<f64>, target: Target) -> Case<'_> {
        Case {
            name: format!("{what} ({})", self.database),
            beside: 0,
            goal,
            program: &self.server.program,
            target,
        }
    }

    /// Commands of ours, against this server.
    pub(super) fn commands(&self, binaries: &Path, folder: &Path) -> Vec<(String, Command)> {
        let zenml = binaries.join("zenml");
        let all: [&[&str]; 3] = [&["--version"], &["status"], &["device", "list"]];
        all.iter()
            .map(|arguments| {
                let (url, key) = (self.server.url(), self.credentials.api_key());
                let command = commands::ours(&zenml, &folder.join("home"), &url, key, arguments);
                (format!("`zenml {}`", arguments.join(" ")), command)
            })
            .collect()
    }

    pub(super) fn tell_the_rest(&self) -> Result<(), TaskError> {
        println!("\n{}:", self.database);
        println!(
            "  first answer {} after the start; {:.0} MiB when idle, {:.0} MiB after the load",
            table::time(self.server.started_in),
            self.idle_memory,
            self.server.program.memory()?
        );
        for (what, path) in self.listings {
            let took = self.server.time_to_get(path, &self.credentials)?;
            println!("  {}  {what}", table::time(took));
        }
        Ok(())
    }
}
