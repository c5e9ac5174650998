//! The engine, on a store in memory and a clock that the tests move.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "this is test code"
)]

mod common;
mod encryption;
mod growth;
mod password_attempts;
mod random_sequences;
mod refusals;
mod revocation_epoch;
