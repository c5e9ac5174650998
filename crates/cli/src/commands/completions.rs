//! `zenml completions`: completions for shells.
//!
//! The scripts ask the program itself what could come next, which knows its commands better than a script in the language
//! of a shell: what comes after `api-key <ACCOUNT>`, for one.

use clap::{Args, CommandFactory as _};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};

use crate::cli::Cli;
use crate::error::{CliError, Exit};
use crate::output;

/// The variable with which a script asks.
const ASKED_BY: &str = "_ZENML_COMPLETE";

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bash:        zenml completions bash > ~/.local/share/bash-completion/completions/zenml
  zsh:         zenml completions zsh > ~/.zfunc/_zenml
  fish:        zenml completions fish > ~/.config/fish/completions/zenml.fish
  PowerShell:  zenml completions powershell >> $PROFILE")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> Result<(), CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::new(Exit::Failed, error);
    let mut script = Vec::new();
    Shells::builtins()
        .completer(&args.shell.to_string())
        .ok_or_else(|| failed(&"there are no completions for this shell"))?
        .write_registration(ASKED_BY, "zenml", "zenml", "zenml", &mut script)
        .map_err(|error| failed(&error))?;
    output::write(&String::from_utf8_lossy(&script))
}

/// Answers a script, and ends the program then; does nothing when none asks.
pub(crate) fn answer() {
    CompleteEnv::with_factory(Cli::command).var(ASKED_BY).complete();
}
