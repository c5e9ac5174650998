//! The zenml-auth server.

use std::process::ExitCode;

fn main() -> ExitCode {
    zenml_auth_server::commands::run()
}
