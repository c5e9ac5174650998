//! `cargo xtask attacks`: holds the release to what it may take of memory, under attacks that go on.

use crate::TaskError;
use crate::run::{cargo, succeed, target_dir};

/// Attacks the server for so many seconds in each way. Everything that attackers hold back is given up after 20 seconds, so a minute
/// sees all of it several times.
pub(crate) fn run(seconds: u32) -> Result<(), TaskError> {
    succeed(cargo().args(["build", "--release", "--package", "zenml-auth-server"]))?;
    let program = target_dir().join("release").join("zenml-auth-server");
    let mut test = cargo();
    // As all tests were built, so that nothing has to be built anew.
    test.args(["test", "--workspace", "--all-features"])
        .args(["--test", "program", "--", "attacks::", "--nocapture"])
        .env("ZENML_AUTH_TEST_PROGRAM", program)
        .env("ATTACK_SECONDS", seconds.to_string());
    succeed(&mut test)
}
