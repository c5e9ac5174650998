//! `zenml completions`: completions for shells.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::CliError;
use crate::output;

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
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "zenml", &mut script);
    output::write(&String::from_utf8_lossy(&script))
}
