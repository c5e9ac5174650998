//! What the tests of zenml-auth share. Not published.
//!
//! | module | holds |
//! |---|---|
//! | [`builders`] | one of each model, with ids that do not collide and times that stand still |
//! | [`clock`] | [`ManualClock`](clock::ManualClock), which moves when told to |
//! | [`encryption`] | the key that secrets are sealed under |
//! | [`entropy`] | [`SeededEntropy`](entropy::SeededEntropy), the same bytes for the same seed |
//! | [`head_start`] | [`HeadStart`](head_start::HeadStart), so that neither side of a race always comes first |
//! | `databases` (a feature) | throwaway PostgreSQL, MariaDB and MySQL servers from the installed programs |
//! | `server` (a feature) | a running server and a small HTTP client, for end-to-end tests |
//! | [`report`] | what tests ran on, and what they were left out for |
//! | [`contract`] | what every store has to do, as one suite of named tests |
//!
//! To run the contract on a store, make a test file of it:
//!
//! ```
//! use std::sync::Arc;
//!
//! use zenml_auth_core::memory::MemoryStore;
//! use zenml_auth_testkit::contract::TestStore;
//!
//! async fn new_store() -> TestStore {
//!     TestStore::new(Arc::new(MemoryStore::new()))
//! }
//!
//! zenml_auth_testkit::store_contract!(new_store);
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this crate is test code"
)]

/// The README of the project: its example has to compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

pub mod builders;
pub mod clock;
pub mod contract;
#[cfg(all(feature = "databases", unix))]
pub mod databases;
pub mod encryption;
pub mod entropy;
pub mod head_start;
#[cfg(feature = "databases")]
pub mod next_release;
pub mod report;
#[cfg(feature = "server")]
pub mod server;
