//! What developers and CI run, as `cargo xtask <task>`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tasks print to the terminal"
)]

mod attacks;
mod bench;
mod ci;
mod conformance;
mod demo;
mod deploy;
mod generate;
mod http;
mod layers;
mod promises;
mod releases;
mod run;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Why a task failed.
type TaskError = Box<dyn std::error::Error>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "What developers and CI run")]
struct Program {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run all tests, and say on which databases
    Test {
        /// Passed on to `cargo test`, such as `-p zenml-auth-core`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Install the database servers and other programs that the tests run on, where they are missing
    Databases,
    /// Run the tests of databases on other releases of their servers, which are unpacked and not installed
    Releases {
        /// Only these
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(releases::names()))]
        names: Vec<String>,
    },
    /// Play the whole mission with the real binaries, and show each step
    Demo,
    /// Check that no crate imports what its layer must not
    Layers,
    /// Check that every promise of the documents names tests that exist
    Promises,
    /// Check that the files for hosting can be read, and are what the texts about them say
    Deploy,
    /// Write the files that are generated from the code
    Generate {
        /// Change nothing, and fail when a file is out of date
        #[arg(long)]
        check: bool,
    },
    /// Drive ZenML's own programs against ours
    Conformance {
        /// Only these releases of ZenML
        #[arg(long = "release", value_name = "VERSION")]
        releases: Vec<String>,
        /// Only these parts
        #[arg(long = "part", value_name = "PART")]
        parts: Vec<conformance::Part>,
    },
    /// Measure the server beside a floor, in one run
    Bench(bench::Options),
    /// Attack the release in each way, and fail when it takes too much memory
    Attacks {
        /// For how long, in each way
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Run everything that has to pass before a change lands
    Ci {
        /// Leave the tests out, because they were just run
        #[arg(long)]
        skip_tests: bool,
    },
}

fn main() -> ExitCode {
    let done = match Program::parse().task {
        Task::Test { arguments } => test::run(&arguments, test::Databases::Found),
        Task::Databases => ci::install_databases(),
        Task::Releases { names } => releases::run(&names),
        Task::Demo => demo::run(),
        Task::Layers => layers::run(),
        Task::Promises => promises::run(),
        Task::Deploy => deploy::run(),
        Task::Generate { check } => generate::run(check),
        Task::Conformance { releases, parts } => conformance::run(&releases, &parts),
        Task::Bench(options) => bench::run(&options),
        Task::Attacks { seconds } => attacks::run(seconds),
        Task::Ci { skip_tests } => ci::run(skip_tests),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
