//! The `zenml` command line: connects machines and workloads to a ZenML server and manages them.

mod ask;
mod browser;
mod cli;
mod clock;
mod commands;
mod config_files;
mod connection;
mod context;
mod credential_status;
mod env;
mod error;
mod filters;
mod interrupt;
mod list_args;
mod output;
mod progress;
mod qr;
mod rejection;
mod span;
mod spinner;
mod terminal;
mod token;
mod ui;
mod yaml;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Color};
use crate::error::{CliError, Exit};

fn main() -> ExitCode {
    commands::completions::answer();
    Color::of_arguments(std::env::args_os()).apply();
    let cli = Cli::parse();
    cli.color.apply();
    let outcome = cli.run_at_once().and_then(|cli| cli.map_or(Ok(()), run));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if matches!(error.exit, Exit::Interrupted | Exit::Terminated) {
                ui::talk("");
            } else {
                ui::complain(&error.what, error.next.as_deref());
            }
            ExitCode::from(error.exit as u8)
        }
    }
}

/// Runs a command until it is done or interrupted, whichever comes first.
fn run(cli: Cli) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Exit::Failed, format!("the program can't start: {error}")))?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            // What was done in time was not interrupted.
            biased;
            outcome = cli.run() => outcome,
            exit = interrupt::interrupted() => Err(CliError::new(exit, "interrupted")),
            never = progress::show() => match never {},
        }
    });
    // A thread may still wait for something to be typed.
    runtime.shutdown_background();
    outcome
}
