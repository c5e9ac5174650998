//! The store on every database.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "this is test code"
)]

mod contract;
#[cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql"))]
mod every_statement;
#[cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql", unix))]
mod faults;
#[cfg(feature = "sqlite")]
mod group_commit;
#[cfg(feature = "sqlite")]
mod history;
#[cfg(feature = "sqlite")]
mod like_memory;
#[cfg(all(feature = "postgres", feature = "mysql", unix))]
mod pgbouncer;
#[cfg(all(feature = "postgres", feature = "mysql", unix))]
mod pool;
#[cfg(feature = "sqlite")]
mod schema;
#[cfg(all(feature = "postgres", feature = "mysql", unix))]
mod schema_lock;
#[cfg(all(feature = "postgres", feature = "mysql", unix))]
mod servers;
#[cfg(all(feature = "postgres", feature = "mysql", unix))]
mod settings;
#[cfg(feature = "sqlite")]
mod sqlite_file;
#[cfg(all(feature = "postgres", feature = "mysql", unix))]
mod tls;
