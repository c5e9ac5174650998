//! The migrations, on every database.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is test code"
)]

mod common;
#[cfg(all(feature = "postgres", feature = "mysql", unix))]
mod servers;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(all(feature = "sqlite", feature = "postgres", feature = "mysql", unix))]
mod with_data;
