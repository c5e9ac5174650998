//! The real program, before servers that answer as ZenML's do.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "this is test code"
)]

// First, for its macro.
#[macro_use]
mod support;

mod commands;
mod connection;
mod explain;
mod network;
mod programs;
#[cfg(unix)]
mod terminal;
