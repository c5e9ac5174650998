//! The real program: its processes, files, sockets and databases.

#![recursion_limit = "256"]
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "this is test code"
)]

#[cfg(target_os = "linux")]
mod attacks;
#[cfg(unix)]
mod backups;
mod crash;
#[cfg(unix)]
mod database_settings;
#[cfg(unix)]
mod databases;
#[cfg(target_os = "linux")]
mod disk_faults;
#[cfg(unix)]
mod encryption;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(target_os = "linux")]
mod http2;
#[cfg(unix)]
mod operators;
#[cfg(target_os = "linux")]
mod places;
mod process;
#[cfg(unix)]
mod reload;
mod replicas;
#[cfg(target_os = "linux")]
mod restarts;
#[cfg(unix)]
mod rolling;
mod settings;
#[cfg(unix)]
mod stopping;
mod support;
#[cfg(unix)]
mod upgrade;
