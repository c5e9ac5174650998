//! `zenml auth …`: about signing in itself.

use clap::Subcommand;

use crate::commands::explain::{self, ExplainArgs};
use crate::context::Context;
use crate::error::CliError;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  zenml auth explain")]
pub(crate) enum AuthCommand {
    /// Say why a credential works or does not
    Explain(ExplainArgs),
}

pub(crate) async fn run(context: &Context, command: AuthCommand) -> Result<(), CliError> {
    match command {
        AuthCommand::Explain(args) => explain::run(context, args).await,
    }
}
