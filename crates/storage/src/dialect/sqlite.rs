//! SQLite: one file, many readers, one writer.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use sea_orm::sea_query::{Func, SimpleExpr, UpdateStatement};
use sea_orm::sqlx::error::DatabaseError;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection as _, Executor as _};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, SqliteTransactionMode, SqlxSqliteConnector,
    TransactionOptions,
};
use zenml_auth_core::ports::StoreError;

use super::{Connections, Failure, Files, unique};
use crate::epoch::Authority;
use crate::options::{ConnectOptions, Location, OptionsError};
use crate::place::Place;
use crate::reserve::Reserve;
use crate::{error, new_rows};

/// After how many pages (of 4 KiB) the write-ahead log is moved to the database file. Under load that is about once a
/// second rather than with every other commit; after a crash so much has to be read again, which takes an instant.
const CHECKPOINT_PAGES: &str = "8192";

pub(super) async fn connect(options: &ConnectOptions) -> Result<Connections, StoreError> {
    let sqlite = match &options.location {
        Location::SqliteFile(path) => SqliteConnectOptions::new().filename(path),
        Location::Url(url) => url
            .parse()
            .map_err(|problem| error::of_sqlx(super::Dialect::Sqlite, &problem))?,
    };
    // The write-ahead log lets readers go on while somebody writes. `FULL` syncs it at every commit: what was
    // acknowledged survives a power cut.
    let sqlite = sqlite
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.busy_timeout)
        // What a statement has to be able to take back is kept in memory rather than in a file of its own.
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging();

    if is_in_memory(&options.location) {
        // Each connection would have a database of its own, or wait for the locks of the others without end.
        let authority = Authority::default();
        let only = pool(options, 1, sqlite, authority.clone(), None).await?;
        return Ok(Connections {
            writer: (only.clone(), authority.clone()),
            reader: (only, authority),
            files: None,
        });
    }
    if options.create_if_missing {
        create_private_file(sqlite.get_filename())
            .map_err(|problem| error::of_io("the database file can't be made", &problem))?;
    }
    let place = open(&sqlite).await?;
    let reserve =
        (options.disk_reserve > 0).then(|| Reserve::new(sqlite.get_filename(), options.disk_reserve));
    let writing = sqlite
        .clone()
        .statement_cache_capacity(new_rows::STATEMENTS)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        // What is overwritten is wiped where that costs no further writing: signing keys come and go.
        .pragma("secure_delete", "FAST");
    // The pool of one connection queues the writers, so that they never find the database locked by each other.
    let authority = Authority::default();
    let writer = pool(options, 1, writing, authority.clone(), Some(place.clone())).await?;
    let authority_of_readers = Authority::default();
    let reader = pool(
        options,
        options.connections.max(1),
        sqlite.pragma("query_only", "ON"),
        authority_of_readers.clone(),
        Some(place.clone()),
    )
    .await?;
    Ok(Connections {
        writer: (writer, authority),
        reader: (reader, authority_of_readers),
        files: Some(Files { place, reserve }),
    })
}

/// Opens the file for as long as the store lives, and notes which one it is. With a connection that is never closed, the
/// write-ahead log stays the same file, too: the last one to be closed would take it along.
async fn open(sqlite: &SqliteConnectOptions) -> Result<Place, StoreError> {
    let refused = |problem: sqlx::Error| error::of_sqlx(super::Dialect::Sqlite, &problem);
    let mut connection = sqlite.connect().await.map_err(refused)?;
    // SQLite opens the log with the first read. If the file is damaged, a later read says so.
    let _ = connection.execute("SELECT count(*) FROM sqlite_schema").await;
    let place = Place::of(sqlite.get_filename(), connection);
    place.map_err(|problem| error::of_io("the database file can't be looked at", &problem))
}

/// For people.
pub(super) fn describe(options: &ConnectOptions) -> Result<String, OptionsError> {
    Ok(match file(options)? {
        Some(path) => format!("SQLite in {}", path.display()),
        None => "SQLite in memory".to_owned(),
    })
}

/// The file that the options point at, if it is one.
pub(crate) fn file(options: &ConnectOptions) -> Result<Option<PathBuf>, OptionsError> {
    match &options.location {
        Location::SqliteFile(path) => Ok(Some(path.clone())),
        location if is_in_memory(location) => Ok(None),
        Location::Url(url) => {
            let sqlite: SqliteConnectOptions = url
                .parse()
                .map_err(|problem: sqlx::Error| OptionsError(problem.to_string()))?;
            Ok(Some(sqlite.get_filename().to_owned()))
        }
    }
}

/// A pool whose connections are outside of a transaction whenever they are handed out.
async fn pool(
    options: &ConnectOptions,
    connections: u32,
    sqlite: SqliteConnectOptions,
    authority: Authority,
    place: Option<Place>,
) -> Result<DatabaseConnection, StoreError> {
    let pool = SqlitePoolOptions::new()
        // All from the start: one that is opened later is refused while a file is not in its place.
        .min_connections(connections)
        .max_connections(connections)
        .acquire_timeout(options.acquire_timeout)
        // A connection to a file neither ages nor breaks while nobody looks.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |_, _| {
            let place = place.clone();
            Box::pin(async move {
                match place {
                    Some(place) => place.check().await.map_err(sqlx::Error::Protocol),
                    None => Ok(()),
                }
            })
        })
        .before_acquire(move |connection, meta| {
            let is_fit = !connection.is_in_transaction() && !authority.is_younger_than(meta.age);
            Box::pin(async move { Ok(is_fit) })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                if connection.is_in_transaction() {
                    // A transaction that was dropped is being rolled back; this waits for it.
                    connection.ping().await?;
                }
                // If it still is, SQLite has ended the transaction by itself, and the driver does not know.
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(sqlite)
        .await
        .map_err(|problem| error::of_sqlx(super::Dialect::Sqlite, &problem))?;
    Ok(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool))
}

pub(crate) fn is_in_memory(location: &Location) -> bool {
    match location {
        Location::SqliteFile(_) => false,
        Location::Url(url) => url.contains(":memory:") || url.contains("mode=memory"),
    }
}

/// Makes the file before SQLite would, for its owner only: it holds the signing keys. SQLite gives the files that it
/// adds the same mode. A file that is there already keeps its mode.
fn create_private_file(path: &Path) -> Result<(), Error> {
    let mut new_file = std::fs::OpenOptions::new();
    new_file.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new_file, 0o600);
    match new_file.open(path) {
        Ok(file) => {
            file.sync_all()?;
            sync_folder_of(path)
        }
        Err(problem) if problem.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(problem) => Err(problem),
    }
}

/// Makes sure that the name of a new file survives a power cut, too.
#[cfg(unix)]
fn sync_folder_of(path: &Path) -> Result<(), Error> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder_of(_path: &Path) -> Result<(), Error> {
    Ok(())
}

/// Moves what is in the write-ahead log to the database file.
pub(super) async fn checkpoint(writer: &DatabaseConnection) -> Result<(), DbErr> {
    writer
        .execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)")
        .await
        .map(|_| ())
}

/// Writes the database anew, without what is left of former rows, and empties the write-ahead log.
pub(super) async fn scrub(writer: &DatabaseConnection) -> Result<(), DbErr> {
    writer.execute_unprepared("VACUUM").await?;
    checkpoint(writer).await
}

/// Takes the write lock at the beginning: a transaction that reads first could find the database changed when it
/// comes to write.
pub(super) fn write_transaction() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

/// As much as a change with everything that goes with it may take, in bytes.
const BALLAST: i32 = 128 * 1024;

pub(super) fn add_ballast(probe: &mut UpdateStatement) {
    // What is written over with the same again is not written at all.
    probe.value("ballast", Func::cust("randomblob").arg(BALLAST));
}

pub(super) fn failure(error: &dyn DatabaseError) -> Failure {
    const UNIQUE: i32 = 2067;
    const PRIMARY_KEY: i32 = 1555;
    const FOREIGN_KEY: i32 = 787;

    let code = error
        .code()
        .and_then(|code| code.parse::<i32>().ok())
        .unwrap_or_default();
    match code {
        UNIQUE | PRIMARY_KEY => violated(error.message()).map_or(Failure::Other, Failure::Taken),
        FOREIGN_KEY => Failure::ParentMissing,
        // The low byte is the kind of error, the rest says more about it: https://www.sqlite.org/rescode.html
        _ => match code & 0xff {
            // BUSY, LOCKED, NOMEM, INTERRUPT, IOERR, CANTOPEN, PROTOCOL
            5 | 6 | 7 | 9 | 10 | 14 | 15 => Failure::Unavailable,
            // PERM, READONLY
            3 | 8 => Failure::ReadOnly,
            13 => Failure::Full,
            // CORRUPT, NOTADB
            11 | 26 => Failure::Corrupt,
            _ => Failure::Other,
        },
    }
}

/// Reads `UNIQUE constraint failed: devices.client_id, devices.user_id`.
fn violated(message: &str) -> Option<zenml_auth_core::ports::Unique> {
    let (_, columns) = message.rsplit_once(": ")?;
    unique::of_columns(&columns.split(", ").collect::<Vec<_>>())
}

/// To `hex`, a missing value is an empty one.
pub(super) fn id_text(id: SimpleExpr) -> SimpleExpr {
    let text = Func::lower(Func::cust("hex").arg(id));
    Func::cust("nullif").arg(text).arg("").into()
}

pub(super) fn position(text: SimpleExpr, part: &str) -> SimpleExpr {
    Func::cust("instr").arg(text).arg(part).into()
}

pub(super) fn last_chars(text: SimpleExpr, count: i64) -> SimpleExpr {
    Func::cust("substr").arg(text).arg(count.saturating_neg()).into()
}

#[cfg(test)]
mod tests {
    use zenml_auth_core::ports::Unique;

    use super::*;

    #[test]
    fn violations_are_told_apart() {
        let unique = |columns: &str| violated(&format!("UNIQUE constraint failed: {columns}"));
        assert_eq!(unique("users.id"), Some(Unique::Id));
        assert_eq!(unique("users.name"), Some(Unique::UserName));
        assert_eq!(
            unique("devices.client_id, devices.user_id"),
            Some(Unique::DeviceOfClient)
        );
        assert_eq!(unique("device_grants.user_code"), Some(Unique::Code));
        assert_eq!(unique("users.email"), None);
    }
}
