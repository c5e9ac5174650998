//! All that differs between databases.

#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "postgres", feature = "mysql"))]
mod server;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
mod unique;

use sea_orm::sea_query::{Expr, ExprTrait, NullOrdering, Order, SimpleExpr, UpdateStatement};
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::{DatabaseConnection, DbErr, TransactionOptions};
use zenml_auth_core::ports::{StoreError, Unique};

#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::endpoint::Endpoint;
#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::epoch::EpochReader;
use crate::epoch::{Authority, Epochs};
use crate::options::{ConnectOptions, Database, OptionsError};
use crate::place::Place;
use crate::reserve::Reserve;
use crate::transaction::Transactions;

/// A database that is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
    #[cfg(feature = "mysql")]
    MySql,
}

/// The connections to a database. They are the same pool where the database lets many write at a time. Beside each pool is
/// who says that its connections are not used again.
pub(crate) struct Connections {
    pub(crate) writer: (DatabaseConnection, Authority),
    pub(crate) reader: (DatabaseConnection, Authority),
    pub(crate) files: Option<Files>,
}

/// What a database has on this disk, if it is a file.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) place: Place,
    pub(crate) reserve: Option<Reserve>,
}

/// All that a store works with.
pub(crate) struct Connected {
    pub(crate) writer: Transactions,
    pub(crate) reader: Transactions,
    pub(crate) files: Option<Files>,
    pub(crate) epochs: Epochs,
}

/// The connection that the epoch is read over.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) enum EpochConnection {
    #[cfg(feature = "postgres")]
    Postgres(sea_orm::sqlx::PgConnection),
    #[cfg(feature = "mysql")]
    MySql(sea_orm::sqlx::MySqlConnection),
}

#[cfg(any(feature = "postgres", feature = "mysql"))]
impl EpochConnection {
    /// The epoch's number, and whether the server follows another one.
    pub(crate) async fn read(&mut self) -> Result<(i64, bool), sea_orm::SqlxError> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres::read_epoch(connection).await,
            #[cfg(feature = "mysql")]
            Self::MySql(connection) => mysql::read_epoch(connection).await,
        }
    }

    /// Has this session count as a server, as long as it lasts, so that nobody takes schema changes back; `false` while
    /// somebody does.
    pub(crate) async fn join_servers(&mut self) -> Result<bool, sea_orm::SqlxError> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres::join_servers(connection).await,
            #[cfg(feature = "mysql")]
            Self::MySql(connection) => mysql::join_servers(connection).await,
        }
    }

    /// Keeps servers from the database as long as this session lasts; or tells how many there are, in which case it does
    /// not.
    pub(crate) async fn take_alone(&mut self) -> Result<i64, sea_orm::SqlxError> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres::take_alone(connection).await,
            #[cfg(feature = "mysql")]
            Self::MySql(connection) => mysql::take_alone(connection).await,
        }
    }

    /// The changes that the schema has.
    pub(crate) async fn changes(&mut self) -> Result<Vec<String>, sea_orm::SqlxError> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres::changes(connection).await,
            #[cfg(feature = "mysql")]
            Self::MySql(connection) => mysql::changes(connection).await,
        }
    }

    /// The number of the oldest schema whose programs work with this one, if it says so.
    pub(crate) async fn oldest(&mut self) -> Result<Option<i64>, sea_orm::SqlxError> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(connection) => postgres::oldest(connection).await,
            #[cfg(feature = "mysql")]
            Self::MySql(connection) => mysql::oldest(connection).await,
        }
    }
}

/// What a database complained about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is such a row already.
    Taken(Unique),
    /// The row that this one belongs to is not there.
    ParentMissing,
    /// It took the transaction back for the sake of another one: a deadlock, or an order that can't be.
    Conflict,
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
    pub(crate) fn of(options: &ConnectOptions) -> Result<Self, OptionsError> {
        match options.database()? {
            #[cfg(feature = "sqlite")]
            Database::Sqlite => Ok(Self::Sqlite),
            #[cfg(feature = "postgres")]
            Database::Postgres => Ok(Self::Postgres),
            #[cfg(feature = "mysql")]
            Database::MySql => Ok(Self::MySql),
            #[cfg(not(all(feature = "sqlite", feature = "postgres", feature = "mysql")))]
            other => Err(OptionsError(format!("this program was built without {other:?}"))),
        }
    }

    /// The same for those who use this crate.
    pub(crate) const fn database(self) -> Database {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => Database::Sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgres => Database::Postgres,
            #[cfg(feature = "mysql")]
            Self::MySql => Database::MySql,
        }
    }

    /// Where the options point at, for people.
    pub(crate) fn describe(self, options: &ConnectOptions) -> Result<String, OptionsError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::describe(options),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::describe(options),
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::describe(options),
        }
    }

    /// Which database the options lead to: the address of its server, and its name. Users and TLS make no difference.
    pub(crate) fn place(self, options: &ConnectOptions) -> Result<(Database, String), OptionsError> {
        let place = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::describe(options)?,
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::place(options)?,
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::place(options)?,
        };
        Ok((self.database(), place))
    }

    /// Has a pool open its next connections with these options.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn set_options(
        self,
        pool: &DatabaseConnection,
        options: &ConnectOptions,
    ) -> Result<(), OptionsError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::set_options(pool, options),
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::set_options(pool, options),
        }
    }

    /// Whether the server refused the connection because the password is wrong, or has been changed.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn refuses_login(self, error: &dyn DatabaseError) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::refuses_login(error),
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::refuses_login(error),
        }
    }

    /// Connects, without changing the schema.
    pub(crate) async fn connect(self, options: &ConnectOptions) -> Result<Connected, StoreError> {
        let connections = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::connect(options).await?,
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::connect(options, Authority::default()).await?,
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::connect(options, Authority::default()).await?,
        };
        let Connections {
            writer: (writer, authority),
            reader: (reader, authority_of_readers),
            files,
        } = connections;
        let patience = options.acquire_timeout + options.statement_timeout;
        let writer = Transactions::writing(self, writer, authority.clone(), files.clone(), patience);
        let reader = Transactions::reading(self, reader, authority_of_readers, patience);
        let epochs = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => Epochs::own(self, &writer),
            #[cfg(feature = "postgres")]
            Self::Postgres => self.shared_epochs(options, authority),
            #[cfg(feature = "mysql")]
            Self::MySql => self.shared_epochs(options, authority),
        };
        Ok(Connected {
            writer,
            reader,
            files,
            epochs,
        })
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    fn shared_epochs(self, options: &ConnectOptions, authority: Authority) -> Epochs {
        let endpoint = Endpoint::new(options.clone());
        let reader = EpochReader::start(self, options.clone(), endpoint.clone(), authority.clone());
        Epochs::Shared {
            reader,
            authority,
            endpoint,
        }
    }

    /// Opens the connection that the epoch is read over.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) async fn connect_for_epoch(
        self,
        options: &ConnectOptions,
    ) -> Result<EpochConnection, sea_orm::SqlxError> {
        let refused = |error: OptionsError| sea_orm::SqlxError::Configuration(error.into());
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => Err(refused(OptionsError(
                "SQLite keeps its epoch in memory".to_owned(),
            ))),
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                let settings = postgres::settings(options).map_err(refused)?;
                Ok(EpochConnection::Postgres(
                    postgres::connect_once(&settings).await?,
                ))
            }
            #[cfg(feature = "mysql")]
            Self::MySql => {
                let settings = mysql::settings(options).map_err(refused)?;
                Ok(EpochConnection::MySql(mysql::connect_once(&settings).await?))
            }
        }
    }

    /// Wipes what is left in a file of what was overwritten or deleted.
    pub(crate) async fn scrub(self, writer: &DatabaseConnection) -> Result<(), DbErr> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::scrub(writer).await,
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                let _ = writer;
                Ok(())
            }
            #[cfg(feature = "mysql")]
            Self::MySql => {
                let _ = writer;
                Ok(())
            }
        }
    }

    /// Brings everything into its final place before the connections are closed.
    pub(crate) async fn before_close(self, writer: &DatabaseConnection) -> Result<(), DbErr> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::checkpoint(writer).await,
            // A server sees to it by itself.
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                let _ = writer;
                Ok(())
            }
            #[cfg(feature = "mysql")]
            Self::MySql => {
                let _ = writer;
                Ok(())
            }
        }
    }

    /// For a transaction that changes something.
    pub(crate) fn write_transaction(self) -> TransactionOptions {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::write_transaction(),
            // Read committed, as each connection is told at its beginning.
            #[cfg(feature = "postgres")]
            Self::Postgres => TransactionOptions::default(),
            #[cfg(feature = "mysql")]
            Self::MySql => TransactionOptions::default(),
        }
    }

    /// For a transaction whose reads all see the same state.
    pub(crate) fn read_transaction(self) -> TransactionOptions {
        match self {
            // Every transaction of SQLite reads from one snapshot.
            #[cfg(feature = "sqlite")]
            Self::Sqlite => TransactionOptions::default(),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::read_transaction(),
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::read_transaction(),
        }
    }

    /// Makes the change that finds out whether changes are taken as large as a large one, where our own disk may be full:
    /// a number may still fit where nothing else does.
    pub(crate) fn add_ballast(self, probe: &mut UpdateStatement) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::add_ballast(probe),
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                let _ = probe;
            }
            #[cfg(feature = "mysql")]
            Self::MySql => {
                let _ = probe;
            }
        }
    }

    /// What an error of the database means.
    pub(crate) fn failure(self, error: &dyn DatabaseError) -> Failure {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::failure(error),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::failure(error),
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::failure(error),
        }
    }

    /// Whether the server has ended the connection with this error.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn ends_connection(self, error: &dyn DatabaseError) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::ends_connection(error),
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::ends_connection(error),
        }
    }

    /// Whether several programs may serve from one database.
    pub(crate) const fn has_replicas(self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => false,
            #[cfg(feature = "postgres")]
            Self::Postgres => true,
            #[cfg(feature = "mysql")]
            Self::MySql => true,
        }
    }

    /// How missing values are sorted, if the order has to say so.
    pub(crate) fn null_ordering(self, order: &Order) -> Option<NullOrdering> {
        let _ = order;
        match self {
            // Here they are smaller than all others, which is what listings want.
            #[cfg(feature = "sqlite")]
            Self::Sqlite => None,
            #[cfg(feature = "postgres")]
            Self::Postgres => Some(postgres::null_ordering(order)),
            #[cfg(feature = "mysql")]
            Self::MySql => None,
        }
    }

    /// Where the first letter is that the database can't hold, if there is one. It refuses to look for such a text.
    pub(crate) fn first_unsupported_char(self, text: &str) -> Option<usize> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let _ = text;
                None
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => text.find('\0'),
            #[cfg(feature = "mysql")]
            Self::MySql => {
                let _ = text;
                None
            }
        }
    }

    /// The text of an id: hexadecimal, in lower case, without dashes.
    pub(crate) fn id_text(self, id: SimpleExpr) -> SimpleExpr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::id_text(id),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::id_text(id),
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::id_text(id),
        }
    }

    /// Where a text begins in another, counted from 1, or 0 when it is not in it; letter by letter.
    pub(crate) fn position(self, text: SimpleExpr, part: &str) -> SimpleExpr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::position(text, part),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::position(text, part),
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::position(text, part),
        }
    }

    /// Whether a text ends with another, letter by letter.
    pub(crate) fn ends_with(self, text: SimpleExpr, part: &str) -> SimpleExpr {
        let length = i64::try_from(part.chars().count()).unwrap_or(i64::MAX);
        if length == 0 {
            return text.is_not_null();
        }
        let end = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => sqlite::last_chars(text, length),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::last_chars(text, length),
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::last_chars(text, length),
        };
        end.eq(Expr::val(part))
    }

    /// A random number from 0 up to, but not including, the given one. It is no secret.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn random_below(self, limit: i64) -> SimpleExpr {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite => Expr::val(0),
            #[cfg(feature = "postgres")]
            Self::Postgres => postgres::random_below(limit),
            #[cfg(feature = "mysql")]
            Self::MySql => mysql::random_below(limit),
        }
    }
}
