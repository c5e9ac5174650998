//! Rows that are only added, a table at a time.
//!
//! Most of what strangers can make a server write is of this kind. Each statement is handed to another thread, and that
//! costs several times what SQLite does with it, so many rows in one statement are many times as quick.

use sea_orm::{EntityTrait, IntoActiveModel};
use zenml_auth_core::ports::{Change, ChangeSet, CommitError};

use crate::commit::Writer;
use crate::entities::{audit_event, device_grant, session};

/// The most rows in one statement. Each smaller number of rows is a statement of its own, and is prepared once:
/// connections that write keep [`STATEMENTS`] of them.
const LARGEST_STATEMENT: usize = 64;

/// How many different statements this file makes, with some room for those of others.
pub(crate) const STATEMENTS: usize = 3 * LARGEST_STATEMENT + 100;

/// The new rows of several sets of changes.
pub(crate) struct NewRows {
    grants: Vec<device_grant::Model>,
    sessions: Vec<session::Model>,
    audit_events: Vec<audit_event::Model>,
}

impl NewRows {
    /// The rows of all sets, if there is nothing else in them. Their order does not matter, as none of them can
    /// belong to another.
    pub(crate) fn of<'a>(sets: impl Iterator<Item = &'a ChangeSet>) -> Option<Self> {
        let mut rows = Self {
            grants: Vec::new(),
            sessions: Vec::new(),
            audit_events: Vec::new(),
        };
        for change in sets.flat_map(ChangeSet::as_slice) {
            match change {
                Change::InsertGrant(row) => rows.grants.push(row.into()),
                Change::InsertSession(row) => rows.sessions.push(row.into()),
                Change::Audit(row) => rows.audit_events.push(row.into()),
                _ => return None,
            }
        }
        Some(rows)
    }

    /// Writes all of them, up to the first statement that is refused.
    pub(crate) async fn write(self, writer: &Writer<'_>) -> Result<(), CommitError> {
        write::<device_grant::Entity>(writer, self.grants).await?;
        write::<session::Entity>(writer, self.sessions).await?;
        write::<audit_event::Entity>(writer, self.audit_events).await
    }
}

async fn write<E>(writer: &Writer<'_>, mut rows: Vec<E::Model>) -> Result<(), CommitError>
where
    E: EntityTrait,
    E::Model: IntoActiveModel<E::ActiveModel>,
{
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(LARGEST_STATEMENT));
        writer.insert_many::<E>(rows).await?;
        rows = rest;
    }
    Ok(())
}
