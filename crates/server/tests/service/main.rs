//! The service over HTTP, in the process of the tests, on clocks that they move.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is test code"
)]

mod api_keys;
mod audit;
mod authorization;
mod bad_input;
mod bodies;
mod credentials;
mod device_flow;
mod limits;
mod listing;
mod pages;
mod races;
mod users;
