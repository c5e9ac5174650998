//! `cargo xtask bench`: how fast the server is, beside a floor in the same run.
//!
//! The floor (`crates/server/examples/floor.rs`) is a bare axum handler that verifies an HS256 token and writes the
//! same JSON. All programs run side by side, and take turns under the same load, so that whatever else the machine
//! does weighs on all of them. `docs/performance.md` says what came of it, and how to read it.

#![allow(
    clippy::disallowed_methods,
    reason = "measuring time is what this is for; it decides nothing"
)]

mod commands;
mod disk;
mod load;
mod many;
mod program;
mod servers;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use clap::Args;

use self::load::{Ask, Load, Target};
use self::many::{Many, Sent};
use self::program::Program;
use self::servers::{Credentials, Floor, Server};
use self::table::{Measured, Row};
use crate::TaskError;
use crate::conformance;
use crate::run::{cargo, output, succeed, target_dir};

/// How many devices and how many API keys the large database holds, and how many requests and sign-ins the one that
/// has to be tidied up.
const MANY: u32 = 1_000_000;
/// How many devices and how many API keys the small database holds.
const FEW: u32 = 20_000;
/// With how many credentials load comes that comes with many. Each of them fits into the server's memory.
const IN_USE: u32 = 10_000;
/// With how many it comes when hardly any of them is in memory.
const TOO_MANY: u32 = 100_000;
/// How long a server is left alone before its memory counts as that of an idle one.
const SETTLE: Duration = Duration::from_secs(3);

#[derive(Args)]
pub(crate) struct Options {
    /// For how long each kind of load goes on in a round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// How many rounds; what is shown is the one in the middle
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Leave out the database with a million devices and a million API keys
    #[arg(long)]
    small: bool,
    /// Measure ZenML's own server, too, after installing it
    #[arg(long)]
    vs_zenml: bool,
}

pub(crate) fn run(options: &Options) -> Result<(), TaskError> {
    let binaries = build()?;
    let folder = target_dir().join("bench");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let load = Load::install(&folder)?;
    let measured = measure(options, &binaries, &load, &folder);
    std::fs::remove_dir_all(&folder)?;
    measured
}

/// Builds what is measured, as it is released, and gives the folder it is in. All at once: with other features, the
/// same crates would be built again.
fn build() -> Result<PathBuf, TaskError> {
    let all = [
        "build",
        "--release",
        "--workspace",
        "--all-features",
        "--bins",
        "--examples",
    ];
    succeed(cargo().args(all))?;
    Ok(target_dir().join("release"))
}

/// A database server that goes with the benchmark.
struct Throwaway {
    _program: Program,
    url: String,
}

impl Throwaway {
    /// Starts it, if it is installed.
    fn start(binaries: &Path, kind: &str) -> Result<Option<Self>, TaskError> {
        let example = binaries.join("examples").join("throwaway_database");
        let mut program = Program::start(Command::new(example).arg(kind))?;
        Ok(program.line().ok().map(|url| Self {
            _program: program,
            url,
        }))
    }
}

/// One program under one kind of load.
struct Case<'a> {
    name: String,
    /// Beside which of the cases it is seen.
    beside: usize,
    goal: Option<f64>,
    program: &'a Program,
    target: Target,
}

fn measure(options: &Options, binaries: &Path, load: &Load, folder: &Path) -> Result<(), TaskError> {
    println!(
        "One sync of this disk takes {}.",
        table::time(disk::sync(folder)?)
    );
    let binary = binaries.join("zenml-auth-server");
    let fill = Fill(binaries.join("examples").join("fill"));
    let floor = Floor::start(&binaries.join("examples").join("floor"))?;

    let content = Content::Live {
        number: FEW,
        credentials: IN_USE,
    };
    let small = Serving::on_sqlite("SQLite", &binary, &folder.join("small"), &fill, content)?;
    let large = if options.small {
        None
    } else {
        let name = "SQLite, 1,000,000 each";
        let content = Content::Live {
            number: MANY,
            credentials: TOO_MANY,
        };
        Some(Serving::on_sqlite(
            name,
            &binary,
            &folder.join("large"),
            &fill,
            content,
        )?)
    };
    let postgres = Throwaway::start(binaries, "postgres")?;
    let on_postgres = match &postgres {
        Some(database) => Some(Serving::on_postgres(&binary, &database.url)?),
        None => {
            println!("PostgreSQL is not installed, and so not measured.");
            None
        }
    };
    let zenml = if options.vs_zenml {
        let server = Server::theirs(&mut conformance::zenml_server()?)?;
        Some(Serving::on_started("ZenML 0.98", server)?)
    } else {
        None
    };

    let mut cases = vec![floor_case(&floor)];
    cases.extend(small.cases(GOALS.map(Some)));
    if let Some(large) = &large {
        cases.extend(beside(1, large.cases([Some(0.9); 4])));
    }
    if let Some(serving) = &on_postgres {
        // The other kinds of load have no goal of their own there.
        let requests = serving.cases([Some(0.7), Some(0.7), None, None]);
        cases.extend(requests.into_iter().take(2));
    }
    if let Some(serving) = &zenml {
        cases.extend(serving.cases([None; 4]));
    }
    table::print(&rounds(options, load, &cases)?);
    if load.has_many() {
        // By themselves, as what is written behind of so many uses would weigh on whatever comes next.
        table::print(&rounds(
            options,
            load,
            &with_many(&floor, &small, large.as_ref(), folder)?,
        )?);
    }
    for serving in std::iter::once(&small)
        .chain(&large)
        .chain(&on_postgres)
        .chain(&zenml)
    {
        serving.tell_the_rest()?;
    }
    print_commands(options, &small, binaries, folder)?;
    if options.small {
        return Ok(());
    }
    // Alone, as it keeps the processors and the disk busy.
    drop((large, on_postgres, zenml));
    tidying_up(options, load, &binary, &fill, &floor, folder)
}

/// Load that comes with another credential each time.
fn with_many<'a>(
    floor: &'a Floor,
    small: &'a Serving,
    large: Option<&'a Serving>,
    folder: &Path,
) -> Result<Vec<Case<'a>>, TaskError> {
    let mut cases = vec![Case {
        target: floor.with_many(folder)?,
        ..floor_case(floor)
    }];
    cases.extend(small.cases_with_many(IN_USE, [None; 3]));
    if let Some(large) = large {
        cases.extend(beside(1, large.cases_with_many(IN_USE, [Some(0.9); 3])));
        cases.extend(beside(1, large.cases_with_many(TOO_MANY, [None; 3])));
    }
    Ok(cases)
}

/// Each beside the same kind of load before, from the `first` case on.
fn beside<'a>(first: usize, cases: impl IntoIterator<Item = Case<'a>>) -> impl Iterator<Item = Case<'a>> {
    cases.into_iter().enumerate().map(move |(index, case)| Case {
        beside: first + index,
        ..case
    })
}

fn floor_case(floor: &Floor) -> Case<'_> {
    Case {
        name: "floor".to_owned(),
        beside: 0,
        goal: None,
        program: &floor.program,
        target: floor.target.clone(),
    }
}

/// What each kind of load on SQLite has to reach of the floor.
const GOALS: [f64; 4] = [0.9, 0.9, 0.35, 0.15];

/// Lets the programs take turns.
fn rounds(options: &Options, load: &Load, cases: &[Case<'_>]) -> Result<Vec<Row>, TaskError> {
    let mut rows: Vec<Row> = cases
        .iter()
        .map(|case| Row {
            name: case.name.clone(),
            beside: case.beside,
            goal: case.goal,
            rounds: Vec::new(),
        })
        .collect();
    // What comes again and again is in memory by then.
    for case in cases {
        if let Ask::Many(Many { first: IN_USE, .. }) = case.target.ask {
            one_round(load, case, options.seconds)?;
        }
    }
    for round in 1..=options.rounds {
        println!("Round {round} of {} …", options.rounds);
        for (case, row) in cases.iter().zip(&mut rows) {
            row.rounds.push(one_round(load, case, options.seconds)?);
        }
    }
    Ok(rows)
}

/// The same load while the server tidies up a million requests and a million sign-ins that have ended.
fn tidying_up(
    options: &Options,
    load: &Load,
    binary: &Path,
    fill: &Fill,
    floor: &Floor,
    folder: &Path,
) -> Result<(), TaskError> {
    let folder = folder.join("ended");
    let serving = Serving::on_sqlite("SQLite, tidying up", binary, &folder, fill, Content::Ended)?;
    let mut cases = vec![floor_case(floor)];
    cases.extend(serving.cases([None; 4]));
    let before = fill.left(&folder)?;
    let rows = rounds(options, load, &cases)?;
    let after = fill.left(&folder)?;
    table::print(&rows);
    println!("\nOf what had ended, {before} were left before these rounds, and {after} after them.");
    Ok(())
}

fn print_commands(
    options: &Options,
    serving: &Serving,
    binaries: &Path,
    folder: &Path,
) -> Result<(), TaskError> {
    let mut commands = serving.commands(binaries, folder);
    if options.vs_zenml {
        let (program, version) = conformance::zenml_command_line()?;
        let mut command = Command::new(program);
        command
            .arg("version")
            .env("ZENML_CONFIG_PATH", folder.join("zenml"))
            .env("ZENML_ANALYTICS_OPT_IN", "false");
        commands.push((format!("`zenml version` of ZenML {version}"), command));
    }
    commands::print(commands)
}

fn one_round(load: &Load, case: &Case<'_>, seconds: u32) -> Result<Measured, TaskError> {
    let before = case.program.cpu()?;
    let burst = load.burst(&case.target, seconds)?;
    Ok(Measured {
        burst,
        cpu: (case.program.cpu()? - before) / burst.requests,
        memory: case.program.memory()?,
    })
}

/// A server on one database.
struct Serving {
    database: &'static str,
    server: Server,
    credentials: Credentials,
    idle_memory: f64,
    listings: &'static [(&'static str, &'static str)],
    /// Where the credentials are that were made beforehand.
    folder: PathBuf,
}

/// What a database holds before it is measured.
#[derive(Clone, Copy)]
enum Content {
    /// So many devices and API keys each, and so many of each that get in.
    Live { number: u32, credentials: u32 },
    /// What has ended.
    Ended,
}

/// Fills databases: `crates/server/examples/fill`.
struct Fill(PathBuf);

impl Fill {
    fn add(&self, folder: &Path, content: Content) -> Result<(), TaskError> {
        let fill = |kind: &str, number: u32| {
            let mut command = Command::new(&self.0);
            command
                .arg(folder.join(DATABASE))
                .args([kind, &number.to_string()]);
            command
        };
        match content {
            Content::Live { number, credentials } => {
                succeed(&mut fill("live", number))?;
                succeed(fill("credentials", credentials).arg(folder))
            }
            Content::Ended => succeed(&mut fill("ended", MANY)),
        }
    }

    /// How many of what had ended are still there.
    fn left(&self, folder: &Path) -> Result<u64, TaskError> {
        let left = output(Command::new(&self.0).arg(folder.join(DATABASE)).arg("left"))?;
        Ok(left.trim().parse()?)
    }
}

/// The database in a data folder.
const DATABASE: &str = "zenml-auth.db";

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
    /// Makes a database, fills it if told to, and starts the server on it for the second time, as that is the start
    /// that operators wait for.
    fn on_sqlite(
        database: &'static str,
        binary: &Path,
        folder: &Path,
        fill: &Fill,
        content: Content,
    ) -> Result<Self, TaskError> {
        let folder_text = folder.to_str().ok_or("the target folder's name is no UTF-8")?;
        let settings = ["--data-dir", folder_text, "--log-filter", "warn"];
        Server::start(binary, &settings)?.program.terminate()?;
        println!("Filling a database ({database}) …");
        fill.add(folder, content)?;
        let serving = Self::on_started(database, Server::start(binary, &settings)?)?;
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
    fn on_postgres(binary: &Path, url: &str) -> Result<Self, TaskError> {
        let settings = ["--database-url", url, "--log-filter", "warn"];
        Server::start(binary, &settings)?.program.terminate()?;
        Self::on_started("PostgreSQL", Server::start(binary, &settings)?)
    }

    fn on_started(database: &'static str, server: Server) -> Result<Self, TaskError> {
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
    fn cases(&self, goals: [Option<f64>; 4]) -> Vec<Case<'_>> {
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
    fn cases_with_many(&self, first: u32, goals: [Option<f64>; 3]) -> impl Iterator<Item = Case<'_>> {
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
    fn commands(&self, binaries: &Path, folder: &Path) -> Vec<(String, Command)> {
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

    fn tell_the_rest(&self) -> Result<(), TaskError> {
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
