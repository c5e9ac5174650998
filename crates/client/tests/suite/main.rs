//! The client, before servers that answer as ZenML's do.

#![allow(
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "this is test code"
)]

mod device_flow;
mod lookup;
mod recordings;
mod retention;
mod signing_in;
mod support;
mod tls;
