//! `cargo xtask bench`: how fast the server is, beside a floor in the same run.
//!
//! The floor (`crates/server/examples/floor.rs`) is a bare handler that verifies an HS256 token and writes the same
//! bytes. The server runs as it ships, with its log in a file. All programs run side by side, and take turns under the
//! same load, so that what else the machine does weighs on all of them. `docs/performance.md` says what came of it, and how to read it.

#![allow(
    clippy::disallowed_methods,
    reason = "measuring time is what this is for; it decides nothing"
)]

mod case;
mod commands;
mod disk;
mod fill;
mod load;
mod many;
mod program;
mod servers;
mod serving;
mod table;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use self::case::{Case, beside, floor_case, rounds};
use self::fill::{Content, Fill};
use self::load::Load;
use self::program::Program;
use self::servers::{Floor, Server};
use self::serving::Serving;
use crate::TaskError;
use crate::conformance;
use crate::run::{cargo, succeed, target_dir};

/// How many devices and how many API keys the large database holds, and how many requests and sign-ins the one that
/// has to be tidied up.
const MANY: u32 = 1_000_000;
/// How many devices and how many API keys the small database holds.
const FEW: u32 = 20_000;
/// With how many credentials load comes that comes with many. Each of them fits into the server's memory.
const IN_USE: u32 = 10_000;
/// With how many it comes when hardly any of them is in memory.
const TOO_MANY: u32 = 100_000;

#[derive(Args)]
pub(crate) struct Options {
    /// For how long each kind of load goes on in a round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// How many rounds; what is shown is the one in the middle
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
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
    let small = Serving::on_sqlite("SQLite", &binary, &folder.join("small"), &fill, content, &[])?;
    let content = Content::Live {
        number: FEW,
        credentials: 1,
    };
    let (name, without_log) = ("SQLite, log off", ["--log-filter", "off"]);
    let quiet = Serving::on_sqlite(name, &binary, &folder.join("quiet"), &fill, content, &without_log)?;
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
            &[],
        )?)
    };
    let postgres = Throwaway::start(binaries, "postgres")?;
    let on_postgres = match &postgres {
        Some(database) => Some(Serving::on_postgres(
            &binary,
            &database.url,
            &folder.join("postgres.log"),
        )?),
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
    let requests = quiet.cases([Some(0.9), Some(0.9), None, None]);
    cases.extend(requests.into_iter().take(2));
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

/// What each kind of load on SQLite has to reach of the floor.
const GOALS: [f64; 4] = [0.85, 0.85, 0.35, 0.15];

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
    let serving = Serving::on_sqlite("SQLite, tidying up", binary, &folder, fill, Content::Ended, &[])?;
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
