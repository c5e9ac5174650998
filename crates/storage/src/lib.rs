//! Keeps what zenml-auth knows in a SQL database, through sea-orm.
//!
//! [`SqlStore`] implements [`Store`](zenml_auth_core::ports::Store). It holds no rules of its own: `zenml-auth-core`
//! decides, and hands over what to change as a value. The schema is in `zenml-auth-migrations`.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use zenml_auth_storage::{ConnectOptions, SqlStore};
//!
//! let store = SqlStore::connect(&ConnectOptions::sqlite_file("/var/lib/zenml-auth/zenml-auth.db")).await?;
//! store.migrate_up().await?;
//! // … use it …
//! store.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//!
//! | file | holds |
//! |---|---|
//! | `store.rs` | [`SqlStore`]: connections, and the port's methods |
//! | `schema.rs` | migrating, and refusing a database that is too old or too new |
//! | `transaction.rs` | the one place where transactions begin and end |
//! | `health.rs` | whether the database takes changes |
//! | `place.rs` | whether the files of an embedded database are still where they were opened |
//! | `commit.rs` | how each change is written |
//! | `group_commit.rs` | how changes that wait at the same time share a transaction on SQLite |
//! | `new_rows.rs` | how rows that are only added are written, many at a time |
//! | `server_commit.rs`, `attempts.rs` | transactions on a database server: which are tried again, and which must not be |
//! | `epoch.rs`, `revocations.rs` | the revocation epoch: in memory, or in the database with a log of what was revoked |
//! | `queries/` | look-ups, listings, and the upkeep in the background |
//! | `entities/` | one file per table: its columns, and how a row becomes a model and back |
//! | `dialect/` | all that differs between databases: connecting, functions, errors |
//! | `options.rs`, `url.rs` | how to connect, and what a URL may say |
//! | `error.rs` | what an error of the database means for the port |
//!
//! # To add an entity
//!
//! 1. Give it a model in `zenml-auth-model`, with an id and a `Version`.
//! 2. Add its reads to `ports::Store` and its changes to `ports::Change` in `zenml-auth-core`, and to the store in memory.
//! 3. Extend the contract suite in `zenml-auth-testkit`: a round trip with every optional field set and unset, what is
//!    unique about it, a stale update and a stale deletion, what goes with its parent, its listing if it has one.
//! 4. Add a migration with its table, and an index for each look-up and listing.
//! 5. Add `entities/<name>.rs` with the row and both conversions (a value that no release can have written is `Corrupt`, never
//!    a panic), name its unique indexes in `dialect/unique.rs`, write its changes in `commit.rs`, and implement the reads
//!    in `store.rs`.
//!
//! # To add a database
//!
//! Add a feature that turns on sea-orm's driver here and in `zenml-auth-migrations`, a file in `dialect/` and its
//! arms there, and run the contract suite on it in `tests/`.

#![cfg_attr(
    not(all(feature = "sqlite", feature = "postgres", feature = "mysql")),
    allow(
        dead_code,
        clippy::infallible_destructuring_match,
        reason = "some of it is there for the databases that are left out"
    )
)]

#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
compile_error!("turn on the feature of at least one database: `sqlite`, `postgres` or `mysql`");

#[cfg(any(feature = "postgres", feature = "mysql"))]
mod attempts;
mod commit;
mod dialect;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod endpoint;
mod entities;
mod epoch;
mod error;
mod group_commit;
mod health;
mod new_rows;
mod options;
mod place;
mod queries;
mod reserve;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod revocations;
mod schema;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod server_commit;
mod store;
mod transaction;
mod url;

pub use options::{ConnectOptions, Database, OptionsError, TlsMode};
pub use schema::{Alone, SchemaError};
/// For work on [`SqlStore::connection`] by hand.
pub use sea_orm;
pub use store::SqlStore;
pub use zenml_auth_migrations::{Effect, Schema, Status, Step};
