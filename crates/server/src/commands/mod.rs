//! The program's subcommands, one file each.

mod admin;
mod audit;
mod check_config;
mod encryption;
mod migrate;
mod print;
mod serve;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args as _, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use zenml_auth_storage::Schema;

use crate::config::{self, Options};
use crate::permissions;

/// Whatever ends a command; its text is for the operator.
pub type CommandError = Box<dyn std::error::Error + Send + Sync>;

/// How long what nobody waits for any more may keep the process.
const LEFTOVERS: Duration = Duration::from_millis(500);

/// The command line of the server.
#[derive(Debug, Parser)]
#[command(
    name = "zenml-auth-server",
    version,
    about = "Connection and authentication for ZenML: device flow, service accounts and API keys",
    after_help = "Examples:
  zenml-auth-server                                       Serve on http://127.0.0.1:8237 with an embedded database
  zenml-auth-server --bind 0.0.0.0:8237 --public-url https://auth.example.com
  zenml-auth-server admin reset-password default          Set a new password for a user
  zenml-auth-server audit --action api_key.rotated        See who rotated which key

Every flag has a variable ZENML_AUTH_… and a key in the TOML file; flags win over variables, variables over the file."
)]
pub struct Program {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (this is what happens when no command is given)
    Serve(serve::ServeArgs),
    /// Bring the database's schema up to date, or back
    Migrate(migrate::MigrateArgs),
    /// Manage users from the server's own machine
    Admin(admin::AdminArgs),
    /// Look after the keys that signing keys and the server secret are sealed under
    Encryption(encryption::EncryptionArgs),
    /// Show who did what, when and from where
    Audit(audit::AuditArgs),
    /// Check the settings without starting
    CheckConfig,
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
}

/// The command without the variables that are set to nothing, which are as good as not set: compose files leave such
/// behind.
fn forget_empty_variables(command: clap::Command) -> clap::Command {
    command
        .mut_args(|argument| {
            let is_empty = argument
                .get_env()
                .and_then(std::env::var_os)
                .is_some_and(|value| value.is_empty());
            if is_empty {
                argument.env(None::<&'static str>)
            } else {
                argument
            }
        })
        .mut_subcommands(forget_empty_variables)
}

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    match perform(std::env::args_os(), Schema::current()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::error(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// Does what a command line says, with a schema: that of this program, except to try the next one.
///
/// # Errors
/// Whatever ended the command. A command line that makes no sense ends the process.
pub fn perform(arguments: impl IntoIterator<Item = OsString>, schema: Schema) -> Result<(), CommandError> {
    let matches = forget_empty_variables(Program::command()).get_matches_from(arguments);
    let program = Program::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match program.command.unwrap_or_else(serve_without_being_told) {
        Command::Openapi => openapi(),
        Command::Encryption(args) => match args.run_alone() {
            Some(done) => done,
            None => with_runtime(Command::Encryption(args), program.options, schema),
        },
        command => with_runtime(command, program.options, schema),
    }
}

/// What happens when no command is given. The variables of `serve` hold all the same.
fn serve_without_being_told() -> Command {
    let serve = serve::ServeArgs::augment_args(clap::Command::new("serve"));
    let matches = forget_empty_variables(serve).get_matches_from(["serve"]);
    let args = serve::ServeArgs::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    Command::Serve(args)
}

fn with_runtime(command: Command, options: Options, schema: Schema) -> Result<(), CommandError> {
    let options = options.with_variables();
    let mut config = config::load(options.clone())?;
    config.database.schema = schema;
    let (log, _lines) = crate::telemetry::begin(&config.log)?;
    print::warn_of_unknown_variables();
    permissions::check_database(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(&args, config, options, log).await,
            Command::Migrate(args) => migrate::run(&args, &config).await,
            Command::Admin(args) => admin::run(args, &config).await,
            Command::Encryption(args) => encryption::run(&args, &config).await,
            Command::Audit(args) => audit::run(&args, &config).await,
            Command::CheckConfig => check_config::run(&config),
            Command::Openapi => openapi(),
        }
    });
    // Nothing that matters is left: a name that is still looked up, or a password whose client has gone.
    runtime.shutdown_timeout(LEFTOVERS);
    done
}

fn openapi() -> Result<(), CommandError> {
    let text = crate::routes::description().to_pretty_json()?;
    print::json(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Program::command().debug_assert();
    }
}
