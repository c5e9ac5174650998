//! The database schema of zenml-auth, one file per change, up and down.
//!
//! [`up`] brings a database to the schema of this program, [`down`] takes changes back, and [`status`] tells how far
//! a database has come without changing it. A database that holds changes which this program does not know was made
//! by a newer one; nothing is done to it, and the error says so.
//!
//! Programs of the release before go on beside a database whose changes since only added to it: those are named in
//! `EXPANSIONS`, and a row in the database says which is the oldest schema whose programs work with it.
//!
//! To change the schema, add a file `mNNNN_what.rs` with both directions and name it in [`Migrator`]. A migration that
//! was released is never edited. It is written once for all databases: what they spell differently is in `dialect.rs`.

#![allow(
    elided_lifetimes_in_paths,
    reason = "the methods of `MigrationTrait` can only be implemented as they are declared, which is without it"
)]

pub mod compatibility;
mod dialect;
mod lock;
mod m0001_server;
mod m0002_users;
mod m0003_devices;
mod m0004_service_accounts;
mod m0005_audit_events;
mod m0006_revocations;
mod m0007_uses;
mod m0008_device_codes;
mod m0009_write_probe;
mod m0010_attempts;
mod m0011_invitations;
mod m0012_sessions;
mod m0013_sealed_secrets;
mod m0014_compatibility;
mod run;
mod schema;
pub mod serving;

pub use run::{MigrationError, Misfit, Status, Step, down, down_from, status, status_for, up, up_to};
pub use schema::{Effect, Schema};

use sea_orm_migration::sea_orm::DynIden;
use sea_orm_migration::sea_query::IntoIden;
use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// All changes of the schema, the oldest first.
#[derive(Debug, Clone, Copy)]
pub struct Migrator;

/// The changes that only add what programs of the release before do not need to know. All others keep them out.
pub(crate) const EXPANSIONS: &[&str] = &[];

/// The table that says which changes were made.
pub(crate) const MIGRATIONS_TABLE: &str = "migrations";

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_server::Migration),
            Box::new(m0002_users::Migration),
            Box::new(m0003_devices::Migration),
            Box::new(m0004_service_accounts::Migration),
            Box::new(m0005_audit_events::Migration),
            Box::new(m0006_revocations::Migration),
            Box::new(m0007_uses::Migration),
            Box::new(m0008_device_codes::Migration),
            Box::new(m0009_write_probe::Migration),
            Box::new(m0010_attempts::Migration),
            Box::new(m0011_invitations::Migration),
            Box::new(m0012_sessions::Migration),
            Box::new(m0013_sealed_secrets::Migration),
            Box::new(m0014_compatibility::Migration),
        ]
    }

    fn migration_table_name() -> DynIden {
        MIGRATIONS_TABLE.into_iden()
    }
}
