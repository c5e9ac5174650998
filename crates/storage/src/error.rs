//! What an error of the database means for the port.

use std::io;
use std::sync::Arc;

use sea_orm::sqlx::Error as SqlxError;
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::{DbErr, RuntimeErr};
use zenml_auth_core::ports::{CommitError, StoreError};

use crate::dialect::{Dialect, Failure};

/// The driver's error, if it was one.
fn driver_error(error: &DbErr) -> Option<&SqlxError> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

/// The error that the database itself answered with, if it did.
fn database_error(error: &DbErr) -> Option<&dyn DatabaseError> {
    match driver_error(error)? {
        SqlxError::Database(answer) => Some(answer.as_ref()),
        _ => None,
    }
}

/// An error of a read.
pub(crate) fn of_read(dialect: Dialect, error: &DbErr) -> StoreError {
    if let Some(error) = driver_error(error) {
        return of_sqlx(dialect, error);
    }
    let text = error.to_string();
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => StoreError::Unavailable(text),
        // A value did not have the type of its column.
        DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => StoreError::Corrupt(text),
        _ => StoreError::Other(text),
    }
}

/// An error of a change.
pub(crate) fn of_change(dialect: Dialect, error: &DbErr) -> CommitError {
    match database_error(error).map(|answer| dialect.failure(answer)) {
        Some(Failure::Taken(unique)) => CommitError::Taken(unique),
        Some(Failure::ParentMissing) => CommitError::ParentMissing,
        _ => CommitError::Store(of_read(dialect, error)),
    }
}

/// An error of the driver.
pub(crate) fn of_sqlx(dialect: Dialect, error: &SqlxError) -> StoreError {
    let text = error.to_string();
    match error {
        SqlxError::Database(database) => match dialect.failure(database.as_ref()) {
            Failure::Conflict | Failure::Unavailable => StoreError::Unavailable(text),
            Failure::ReadOnly => StoreError::ReadOnly(text),
            Failure::Full => StoreError::Full(text),
            Failure::Corrupt => StoreError::Corrupt(text),
            Failure::Taken(_) | Failure::ParentMissing | Failure::Other => StoreError::Other(text),
        },
        SqlxError::Io(error) => of_io("the database can't be used", error),
        SqlxError::Tls(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed
        // An answer that is none: broken off, or of a server that is not the one it was.
        | SqlxError::Protocol(_)
        | SqlxError::BeginFailed => StoreError::Unavailable(text),
        SqlxError::ColumnDecode { .. } | SqlxError::Decode(_) => StoreError::Corrupt(text),
        _ => StoreError::Other(text),
    }
}

/// For a database that did not answer in time.
pub(crate) fn silent() -> StoreError {
    StoreError::Unavailable("the database server does not answer".to_owned())
}

/// An error of the operating system, as the driver passes them on.
pub(crate) fn by_system(error: io::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(SqlxError::Io(error))))
}

/// An error of the operating system.
pub(crate) fn of_io(what: &str, error: &io::Error) -> StoreError {
    let text = format!("{what}: {error}");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(text),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly(text),
        _ => StoreError::Unavailable(text),
    }
}

/// Whether the database took a transaction back for the sake of another one, which says nothing about the next.
pub(crate) fn is_conflict(dialect: Dialect, error: &DbErr) -> bool {
    database_error(error).is_some_and(|answer| dialect.failure(answer) == Failure::Conflict)
}

/// How a transaction of a database server failed.
#[cfg(any(feature = "postgres", feature = "mysql"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The server took it back for the sake of another one. The same again may work.
    TakenBack,
    /// The connection broke, and so the server never got to hear the rest of it.
    BrokenOff,
    /// The server answered that it can't be.
    Refused,
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn fate(dialect: Dialect, error: &DbErr) -> Fate {
    match driver_error(error) {
        Some(SqlxError::Database(_)) if is_conflict(dialect, error) => Fate::TakenBack,
        Some(SqlxError::Database(answer)) if dialect.ends_connection(answer.as_ref()) => Fate::BrokenOff,
        Some(SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::Protocol(_) | SqlxError::WorkerCrashed) => {
            Fate::BrokenOff
        }
        _ => Fate::Refused,
    }
}

/// Whether the server refused the connection because the password is wrong, or has been changed.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) fn refuses_login(dialect: Dialect, error: &DbErr) -> bool {
    database_error(error).is_some_and(|answer| dialect.refuses_login(answer))
}
