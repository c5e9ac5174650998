//! `zenml man`: manual pages.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};

use crate::cli::Cli;
use crate::error::{CliError, Exit};
use crate::output;
use crate::ui;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Read the page of zenml itself:
    zenml man | man -l -
  Install all pages:
    zenml man --dir ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &ManArgs) -> Result<(), CliError> {
    let mut command = Cli::command();
    command.build();
    match &args.dir {
        None => output::write(&page(command)?),
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
            let count = write_all(dir, &command)?;
            ui::talk(&format!("Wrote {count} pages to {}.", dir.display()));
            Ok(())
        }
    }
}

/// The page of a command, in roff.
fn page(command: Command) -> Result<String, CliError> {
    let mut roff = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut roff);
    rendered.map_err(|error| CliError::new(Exit::Failed, error))?;
    Ok(String::from_utf8_lossy(&roff).into_owned())
}

/// Writes the page of a command and of all below it; tells how many.
fn write_all(dir: &Path, command: &Command) -> Result<usize, CliError> {
    // Built commands have a name such as `zenml-connect`.
    let path = dir.join(format!("{}.1", command.get_display_name().unwrap_or("zenml")));
    std::fs::write(&path, page(command.clone())?).map_err(|error| failed(&path, &error))?;
    let mut count = 1;
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        count += write_all(dir, below)?;
    }
    Ok(count)
}

fn failed(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(
        Exit::Failed,
        format!("{} can't be written: {error}", path.display()),
    )
}
