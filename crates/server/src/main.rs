//! The zenml-auth server.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Gives memory back after the big blocks that argon2 works in, which the system's allocator keeps, and lets threads
/// allocate beside each other.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    zenml_auth_server::commands::run()
}
