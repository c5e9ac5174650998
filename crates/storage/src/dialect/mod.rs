//! All that differs between databases.

#[cfg(feature = "sqlite")]
mod sqlite;
mod unique;

use sea_orm::sea_query::{Expr, ExprTrait, NullOrdering, Order, SimpleExpr};
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::{DatabaseConnection, DbErr, TransactionOptions};
use zenml_auth_core::ports::{StoreError, Unique};

use crate::options::{ConnectOptions, Location};

/// A database that is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
}

/// The connections to a database. They are the same pool where the database lets many write at a time.
pub(crate) struct Connections {
    pub(crate) writer: DatabaseConnection,
    pub(crate) reader: DatabaseConnection,
}

/// What a database complained about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is such a row already.
    Taken(Unique),
    /// The row that this one belongs to is not there.
    ParentMissing,
    /// It is busy, locked, out of reach.
    Unavailable,
    /// It takes no changes.
    ReadOnly,
    /// It has no room.
    Full,
    /// Its file is damaged, or no database.
    Corrupt,
    /// Anything else.
    Other,
}

impl Dialect {
    /// The database that the options point at.
    pub(crate) fn of(options: &ConnectOptions) -> Result<Self, StoreError> {
        let scheme = match &options.location {
            Location::SqliteFile(_) => "sqlite",
            Location::Url(url) => url.split(':').next().unwrap_or_default(),
        };
        match scheme {
            #[cfg(feature = "sqlite")]
            "sqlite" => Ok(Self::Sqlite),
            other => Err(StoreError::Other(format!(
                "databases of the kind {other:?} are not supported"
            ))),
        }
    }

    /// Connects, without changing the schema.
    pub(crate) async fn connect(self, options: &ConnectOptions) -> Result<Connections, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::connect(options).await,
        }
    }

    /// Brings everything into its final place before the connections are closed.
    pub(crate) async fn before_close(self, writer: &DatabaseConnection) -> Result<(), DbErr> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::checkpoint(writer).await,
        }
    }

    /// For a transaction that changes something.
    pub(crate) fn write_transaction(self) -> TransactionOptions {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::write_transaction(),
        }
    }

    /// For a transaction whose reads all see the same state.
    pub(crate) fn read_transaction(self) -> TransactionOptions {
        match self {
            // Every transaction of SQLite reads from one snapshot.
            #[cfg(feature = "sqlite")]
            Self::Sqlite => TransactionOptions::default(),
        }
    }

    /// What an error of the database means.
    pub(crate) fn failure(self, error: &dyn DatabaseError) -> Failure {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::failure(error),
        }
    }

    /// How missing values are sorted, if the order has to say so.
    pub(crate) fn null_ordering(self, _order: &Order) -> Option<NullOrdering> {
        match self {
            // Here they are smaller than all others, which is what listings want.
            #[cfg(feature = "sqlite")]
            Self::Sqlite => None,
        }
    }

    /// The text of an id: hexadecimal, in lower case, without dashes.
    pub(crate) fn id_text(self, id: SimpleExpr) -> SimpleExpr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::id_text(id),
        }
    }

    /// Where a text begins in another, counted from 1, or 0 when it is not in it; letter by letter.
    pub(crate) fn position(self, text: SimpleExpr, part: &str) -> SimpleExpr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::position(text, part),
        }
    }

    /// Whether a text ends with another, letter by letter.
    pub(crate) fn ends_with(self, text: SimpleExpr, part: &str) -> SimpleExpr {
        let length = i64::try_from(part.chars().count()).unwrap_or(i64::MAX);
        if length == 0 {
            return text.is_not_null();
        }
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::last_chars(text, length).eq(Expr::val(part)),
        }
    }
}
