//! The zenml-auth server.
//!
//! Requests come in through [`routes`] (the API) and [`pages`] (what people see), get their caller and body from
//! [`extract`], call one service of `zenml-auth-core`, and answer in the wire's form; [`errors`] says how each
//! refusal looks. [`compose`] is the one place where storage is plugged into core, [`ownership`] sees to it that one
//! process at a time writes to a SQLite file, and [`operators`] is how operators get at what that process owns.
//! [`encryption`] says where the keys come from that secrets are sealed under, and [`permissions`] who may read the files.

pub mod commands;
pub mod compose;
pub mod config;
pub mod encryption;
pub mod errors;
pub mod extract;
pub mod jobs;
pub mod middleware;
pub mod openapi;
pub mod operators;
mod outages;
pub mod ownership;
pub mod pages;
pub mod permissions;
pub mod reload;
pub mod routes;
pub mod serve;
pub mod signals;
pub mod state;
pub mod telemetry;
