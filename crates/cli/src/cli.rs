//! The command line: what may be typed.

use clap::{Parser, Subcommand, ValueEnum};

use crate::commands;
use crate::commands::auth::AuthCommand;
use crate::commands::completions::CompletionsArgs;
use crate::commands::connect::ConnectArgs;
use crate::commands::device::DeviceCommand;
use crate::commands::disconnect::DisconnectArgs;
use crate::commands::man::ManArgs;
use crate::commands::service_account::ServiceAccountCommand;
use crate::commands::status::StatusArgs;
use crate::commands::user::UserCommand;
use crate::context::Context;
use crate::env::Env;
use crate::error::CliError;

/// Connects machines and workloads to a ZenML server and manages them
///
/// Works with ZenML's own server and with zenml-auth-server, and shares its connection with the Python client.
#[derive(Debug, Parser)]
#[command(
    name = "zenml",
    version,
    max_term_width = 120,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_flag = true
)]
#[command(after_help = "\
Environment:
  ZENML_STORE_URL          Use this server instead of the stored one
  ZENML_STORE_API_KEY      Use this API key instead of what is stored
  ZENML_STORE_API_TOKEN    Use this token, as it is
  ZENML_STORE_USERNAME, ZENML_STORE_PASSWORD
                           Sign in with these
  ZENML_STORE_VERIFY_SSL   true, false, or a file of authorities to trust
  ZENML_ALLOW_HTTP         If true, the same as --allow-http
  ZENML_CONFIG_PATH        The folder that the connection is stored in
  DISABLE_CREDENTIALS_DISK_CACHING
                           If true, write no credentials to a file
  ZENML_DEFAULT_OUTPUT     How to show things unless --output says otherwise
  HTTPS_PROXY, NO_PROXY    The proxy to go through
  NO_COLOR                 No colours

Exit codes:
  0    All went well
  1    The server refused, or something else went wrong
  2    The command line makes no sense
  3    Not signed in, or no longer
  4    There is no such thing
  5    Not allowed
  6    The name is taken
  7    The server can't be reached, or is no ZenML server
  8    A file of the configuration can't be used
  9    rotate --wait: the old key ended while it was still used
  10   rotate --wait: this server does not tell who uses which key
  130  Interrupted with Ctrl-C
  143  Ended with SIGTERM

Examples:
  zenml connect --url https://zenml.example.com
  zenml status
  zenml device list
  zenml service-account create ci
  zenml service-account api-key ci rotate default --retain 60 --wait")]
pub(crate) struct Cli {
    /// Show what goes over the wire, without secrets
    #[arg(
        short,
        long,
        global = true,
        overrides_with = "verbose",
        display_order = 1000,
        help_heading = "Global options"
    )]
    pub(crate) verbose: bool,
    /// Whether to use colours
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "auto|always|never",
        hide_possible_values = true,
        hide_default_value = true,
        display_order = 1001,
        help_heading = "Global options"
    )]
    pub(crate) color: Color,
    /// Write the values of CSV and TSV exactly as they are, also those that a spreadsheet takes for formulas
    #[arg(
        long,
        global = true,
        overrides_with = "raw",
        display_order = 1001,
        help_heading = "Global options"
    )]
    pub(crate) raw: bool,
    /// Send credentials over http:// to another machine, where everybody on the way can read them
    #[arg(
        long,
        global = true,
        overrides_with = "allow_http",
        display_order = 1001,
        help_heading = "Global options"
    )]
    pub(crate) allow_http: bool,
    /// Show this help
    #[arg(short, long, global = true, action = clap::ArgAction::HelpShort, display_order = 1002, help_heading = "Global options")]
    help: Option<bool>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal that can show them
    Auto,
    /// In any case
    Always,
    /// In no case
    Never,
}

impl Color {
    /// What the arguments say, before they are looked at as a whole, which may itself have something to say.
    pub(crate) fn of_arguments(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Self {
        let mut found = Self::Auto;
        let mut arguments = arguments.into_iter().take_while(|argument| argument != "--");
        while let Some(argument) = arguments.next() {
            let value = match argument.to_str() {
                Some("--color") => arguments.next().and_then(|value| value.into_string().ok()),
                Some(text) => text.strip_prefix("--color=").map(str::to_owned),
                None => None,
            };
            found = value
                .and_then(|text| <Self as ValueEnum>::from_str(&text, true).ok())
                .unwrap_or(found);
        }
        found
    }

    /// Has everything that is written do so from now on.
    pub(crate) fn apply(self) {
        match self {
            Self::Auto => {}
            Self::Always => anstream::ColorChoice::Always.write_global(),
            Self::Never => anstream::ColorChoice::Never.write_global(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Connect this machine to a server
    #[command(visible_alias = "login")]
    Connect(Box<ConnectArgs>),
    /// End the connection and forget its credentials
    #[command(visible_alias = "logout")]
    Disconnect(DisconnectArgs),
    /// Show who is connected, where, by what and until when
    Status(StatusArgs),
    /// Your devices: list, describe, lock, unlock, delete
    #[command(subcommand, visible_aliases = ["device", "devices"], alias = "authorized-devices")]
    AuthorizedDevice(Box<DeviceCommand>),
    /// Accounts of workloads, and their API keys
    #[command(subcommand, alias = "service-accounts")]
    ServiceAccount(Box<ServiceAccountCommand>),
    /// People: list, create, describe, update, change-password, deactivate, delete
    #[command(subcommand, alias = "users")]
    User(Box<UserCommand>),
    /// Find out why signing in does not work
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print manual pages
    Man(ManArgs),
    /// Print the version
    #[command(hide = true)]
    Version,
}

impl Cli {
    /// Does what can be done without waiting for anything; gives back what can't.
    pub(crate) fn run_at_once(self) -> Result<Option<Self>, CliError> {
        match &self.command {
            Command::Completions(args) => commands::completions::run(args).map(|()| None),
            Command::Man(args) => commands::man::run(args).map(|()| None),
            Command::Version => {
                crate::output::write(concat!("zenml ", env!("CARGO_PKG_VERSION"))).map(|()| None)
            }
            _ => Ok(Some(self)),
        }
    }

    /// Does the rest.
    pub(crate) async fn run(self) -> Result<(), CliError> {
        if self.raw {
            crate::output::write_raw();
        }
        let context = Context::new(Env::of_process(), self.verbose, self.allow_http)?;
        match self.command {
            Command::Connect(args) => commands::connect::run(&context, *args).await,
            Command::Disconnect(args) => commands::disconnect::run(&context, args).await,
            Command::Status(args) => commands::status::run(&context, args).await,
            Command::AuthorizedDevice(command) => commands::device::run(&context, *command).await,
            Command::ServiceAccount(command) => commands::service_account::run(&context, *command).await,
            Command::User(command) => commands::user::run(&context, *command).await,
            Command::Auth(command) => commands::auth::run(&context, command).await,
            Command::Completions(_) | Command::Man(_) | Command::Version => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
