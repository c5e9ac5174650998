//! The zenml-auth server.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    zenml_auth_server::commands::run(zenml_auth_server::commands::Program::parse())
}
