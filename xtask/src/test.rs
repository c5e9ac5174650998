//! `cargo xtask test`

use crate::TaskError;
use crate::run::{cargo, succeed};

/// The databases that the store contract runs on. Each is a test file of the storage crate.
const DATABASES: &[&str] = &["SQLite (embedded)"];

pub(crate) fn run(arguments: &[String]) -> Result<(), TaskError> {
    let mut command = cargo();
    command.args(["test", "--all-features"]);
    if arguments.is_empty() {
        command.arg("--workspace");
    }
    succeed(command.args(arguments))?;
    if arguments.is_empty() {
        println!("\nAll tests passed. Databases: {}.", DATABASES.join(", "));
    }
    Ok(())
}
