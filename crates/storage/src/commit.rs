//! How each change is written.

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, SimpleExpr, Value};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, UpdateMany,
};
use uuid::Uuid;
use zenml_auth_core::ports::{Change, ChangeSet, CommitError, Guard, Unique};
use zenml_auth_model::{ServerIdentity, Version};

use crate::dialect::Dialect;
use crate::entities::{
    LastUse, Versioned, api_key, audit_event, device, device_grant, guard, server, service_account, session,
    signing_key, user,
};
use crate::error;
use crate::transaction::Transaction;

/// Writes changes into one transaction.
pub(crate) struct Writer<'t> {
    pub(crate) dialect: Dialect,
    pub(crate) transaction: &'t Transaction,
}

/// Why a change could not be written.
pub(crate) enum WriteError {
    /// The row has moved on, or is gone.
    Stale,
    /// The database refused it.
    Database(DbErr),
}

impl From<DbErr> for WriteError {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl WriteError {
    /// What it means for the port.
    pub(crate) fn into_commit_error(self, dialect: Dialect, change: &Change) -> CommitError {
        match self {
            Self::Stale => CommitError::Stale,
            Self::Database(error) => match error::of_change(dialect, &error) {
                // Its key is no id, but not every database says which table's key was taken.
                CommitError::Taken(Unique::Id) if matches!(change, Change::InsertServer(_)) => {
                    CommitError::Taken(Unique::Server)
                }
                error => error,
            },
        }
    }
}

impl Writer<'_> {
    /// Makes all changes of a set, in their order, up to the first that can't be made.
    pub(crate) async fn apply_all(&self, changes: &ChangeSet) -> Result<(), CommitError> {
        for change in changes.as_slice() {
            self.apply(change).await?;
        }
        Ok(())
    }

    /// Makes one change. Rows that go with a deleted one are deleted by the foreign keys.
    async fn apply(&self, change: &Change) -> Result<(), CommitError> {
        let written = self.write(change).await;
        written.map_err(|error| error.into_commit_error(self.dialect, change))
    }

    /// The same, with the reason as the database gave it.
    pub(crate) async fn write(&self, change: &Change) -> Result<(), WriteError> {
        match change {
            Change::InsertServer(row) => self.insert::<server::Entity>(row.into()).await,
            Change::UpdateServer(row) => self.update_server(row).await,
            Change::InsertSigningKey(row) => self.insert::<signing_key::Entity>(row.into()).await,
            Change::UpdateSigningKey(row) => {
                self.update::<signing_key::Entity>(row.into(), row.id.as_uuid(), row.version)
                    .await
            }
            Change::DeleteSigningKey(id, version) => {
                self.delete::<signing_key::Entity>(id.as_uuid(), *version).await
            }
            Change::InsertUser(row) => self.insert::<user::Entity>(row.into()).await,
            Change::UpdateUser(row) => {
                self.update::<user::Entity>(row.into(), row.id.as_uuid(), row.version)
                    .await
            }
            Change::DeleteUser(id, version) => self.delete::<user::Entity>(id.as_uuid(), *version).await,
            Change::InsertSession(row) => self.insert::<session::Entity>(row.into()).await,
            Change::DeleteSession(id, version) => {
                self.delete::<session::Entity>(id.as_uuid(), *version).await
            }
            Change::InsertGrant(row) => self.insert::<device_grant::Entity>(row.into()).await,
            Change::UpdateGrant(row) => {
                self.update::<device_grant::Entity>(row.into(), row.id.as_uuid(), row.version)
                    .await
            }
            Change::InsertDevice(row) => self.insert::<device::Entity>(row.into()).await,
            Change::UpdateDevice(row) => {
                self.update::<device::Entity>(row.into(), row.id.as_uuid(), row.version)
                    .await
            }
            Change::DeleteDevice(id, version) => self.delete::<device::Entity>(id.as_uuid(), *version).await,
            Change::InsertServiceAccount(row) => self.insert::<service_account::Entity>(row.into()).await,
            Change::UpdateServiceAccount(row) => {
                self.update::<service_account::Entity>(row.into(), row.id.as_uuid(), row.version)
                    .await
            }
            Change::DeleteServiceAccount(id, version) => {
                self.delete::<service_account::Entity>(id.as_uuid(), *version)
                    .await
            }
            Change::InsertApiKey(row) => self.insert::<api_key::Entity>(row.into()).await,
            Change::UpdateApiKey(row) => {
                self.update::<api_key::Entity>(row.into(), row.id.as_uuid(), row.version)
                    .await
            }
            Change::DeleteApiKey(id, version) => self.delete::<api_key::Entity>(id.as_uuid(), *version).await,
            Change::Guard(guard, version) => self.move_guard(*guard, *version).await,
            Change::Audit(row) => self.insert::<audit_event::Entity>(row.into()).await,
        }
    }

    async fn insert<E>(&self, row: E::Model) -> Result<(), WriteError>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        E::insert(row.into_active_model())
            .exec_without_returning(self.transaction)
            .await?;
        Ok(())
    }

    /// Adds rows with one statement.
    pub(crate) async fn insert_many<E>(&self, rows: Vec<E::Model>) -> Result<(), CommitError>
    where
        E: EntityTrait,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        let rows = rows.into_iter().map(IntoActiveModel::into_active_model);
        let result = E::insert_many(rows)
            .exec_without_returning(self.transaction)
            .await;
        result
            .map(|_| ())
            .map_err(|error| error::of_change(self.dialect, &error))
    }

    /// Writes the row with its next version over the one with this id and version.
    async fn update<E>(&self, mut row: E::Model, id: Uuid, version: Version) -> Result<(), WriteError>
    where
        E: Versioned,
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        E::set_version(&mut row, version.next().get().into());
        let mut values = row.into_active_model().reset_all();
        values.not_set(E::ID);
        let latest_use = E::LAST_USE.map(|columns| {
            let value = |column, values: &mut E::ActiveModel| match values.take(column) {
                ActiveValue::Set(value) | ActiveValue::Unchanged(value) => Some(value),
                ActiveValue::NotSet => None,
            };
            let from = [columns.address, columns.agent].map(|column| value(column, &mut values));
            (columns, value(columns.at, &mut values), from)
        });
        let mut update = E::update_many().set(values);
        if let Some((columns, Some(Value::BigInt(Some(at))), [Some(address), Some(agent)])) = latest_use {
            update = note_use::<E>(update, columns, at, [address, agent]);
        }
        let updated = update
            .filter(E::ID.eq(id))
            .filter(E::VERSION.eq(i64::from(version.get())))
            .exec(self.transaction)
            .await?;
        expect_a_row(updated.rows_affected)
    }

    async fn delete<E: Versioned>(&self, id: Uuid, version: Version) -> Result<(), WriteError> {
        let deleted = E::delete_many()
            .filter(E::ID.eq(id))
            .filter(E::VERSION.eq(i64::from(version.get())))
            .exec(self.transaction)
            .await?;
        expect_a_row(deleted.rows_affected)
    }

    /// The one row has no version: its id is compared, and a guard keeps those apart who do this at the same time.
    async fn update_server(&self, row: &ServerIdentity) -> Result<(), WriteError> {
        let row = server::Model::from(row);
        let kept = server::Entity::find_by_id(server::SINGLETON)
            .filter(server::Column::Id.eq(row.id))
            .one(self.transaction)
            .await?;
        // MySQL counts only the rows that an update changes, and this one may change nothing.
        expect_a_row(kept.is_some().into())?;
        server::Entity::update_many()
            .col_expr(server::Column::Secret, Expr::val(row.secret))
            .col_expr(server::Column::SealedBy, Expr::val(row.sealed_by))
            .filter(server::Column::Singleton.eq(server::SINGLETON))
            .exec(self.transaction)
            .await?;
        Ok(())
    }

    async fn move_guard(&self, guard: Guard, version: Version) -> Result<(), WriteError> {
        let moved = guard::Entity::update_many()
            .col_expr(guard::Column::Version, Expr::val(i64::from(version.next().get())))
            .filter(guard::Column::Name.eq(guard.as_str()))
            .filter(guard::Column::Version.eq(i64::from(version.get())))
            .exec(self.transaction)
            .await?;
        expect_a_row(moved.rows_affected)
    }
}

/// Notes a use, unless a later one is noted.
pub(crate) fn note_use<E: Versioned>(
    update: UpdateMany<E>,
    columns: LastUse<E::Column>,
    at: i64,
    [address, agent]: [Value; 2],
) -> UpdateMany<E> {
    let unless_later = |column: E::Column, value: Value| -> SimpleExpr {
        let stored = || Expr::col(columns.at);
        let not_later = stored().is_null().or(stored().lte(at));
        CaseStatement::new()
            .case(not_later, value)
            .finally(Expr::col(column))
            .into()
    };
    // The time goes last: MySQL reads what it has just written.
    update
        .col_expr(columns.address, unless_later(columns.address, address))
        .col_expr(columns.agent, unless_later(columns.agent, agent))
        .col_expr(columns.at, unless_later(columns.at, at.into()))
}

fn expect_a_row(affected: u64) -> Result<(), WriteError> {
    if affected == 0 {
        Err(WriteError::Stale)
    } else {
        Ok(())
    }
}
